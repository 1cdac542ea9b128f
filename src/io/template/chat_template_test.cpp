// Renderings of Python's Jinja2, byte for byte: of small templates that go through the language (tests/data/templates, made by
// tools/make_template_vectors.py) and of real models' templates (shared material, where it is present).
#include "io/template/chat_template.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "io/template/builtin_templates.h"
#include "motley/error.h"

namespace motley {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

fs::path shared() {
  if (const char* s = std::getenv("MOTLEY_SHARED")) return s;
  return fs::path(MOTLEY_SOURCE_DIR) / ".." / "shared";
}

std::tm fixed_date() {  // 2024-07-26 13:05:09, a Friday
  std::tm now{};
  now.tm_year = 124, now.tm_mon = 6, now.tm_mday = 26, now.tm_hour = 13, now.tm_min = 5, now.tm_sec = 9, now.tm_wday = 5, now.tm_yday = 207;
  return now;
}

// Renders with every key of context as a variable; the text, or "Error: " and the message.
std::string render(std::string_view source, Json context, bool fit_content = false) {
  try {
    ChatTemplate chat = ChatTemplate::parse(source);
    ChatOptions options;
    options.now = fixed_date();
    options.fit_content = fit_content;
    Json messages = context.value("messages", Json::array());
    context.erase("messages");
    options.variables = &context;
    return chat.render(messages, options);
  } catch (const Error& e) {
    return std::string("Error: ") + e.what();
  }
}

class Vectors : public testing::TestWithParam<const char*> {};

TEST_P(Vectors, MatchJinja2) {
  Json file = Json::parse(slurp(fs::path(MOTLEY_SOURCE_DIR) / "tests/data/templates" / (std::string(GetParam()) + ".json")));
  ASSERT_GT(file["cases"].size(), 100u);
  for (auto& c : file["cases"]) {
    auto source = c["template"].get<std::string>();
    std::string got = render(source, file["context"]);
    if (c.contains("error")) {
      EXPECT_TRUE(got.starts_with("Error: ")) << source << "\nshould fail: " << c["error"] << "\ngave: " << got;
    } else {
      EXPECT_EQ(got, c["expected"].get<std::string>()) << source;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Language, Vectors, testing::Values("statements", "whitespace", "expressions", "tests", "filters", "methods"),
                         [](const auto& name) { return std::string(name.param); });

TEST(ChatTemplate, MatchesEveryGoldenRendering) {
  fs::path folder = shared() / "data/chat-templates";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs shared/data/chat-templates";
  Json goldens = Json::parse(slurp(folder / "goldens.json"));
  ASSERT_EQ(goldens["cases"].size(), 102u);
  int errors = 0;
  for (auto& c : goldens["cases"]) {
    std::string got = render(slurp(folder / "jinja" / c["template"].get<std::string>()), goldens["contexts"][c["context"].get<std::string>()]);
    auto where = c["template"].get<std::string>() + " with " + c["context"].get<std::string>();
    if (c.contains("error")) {
      ++errors;
      auto message = c["error"].get<std::string>();
      EXPECT_TRUE(got.starts_with("Error: ")) << where;
      EXPECT_NE(got.find(message.substr(message.find(": ") + 2)), got.npos) << where << ": " << got;
    } else {
      EXPECT_EQ(got, c["expected"].get<std::string>()) << where;
    }
  }
  EXPECT_GT(errors, 10);
}

TEST(ChatTemplate, MatchesJinja2OnLlamaCppCases) {
  fs::path file = shared() / "data/chat-templates/llamacpp-cases.json";
  if (!fs::exists(file)) GTEST_SKIP() << "needs shared/data/chat-templates";
  Json cases = Json::parse(slurp(file));
  ASSERT_EQ(cases.size(), 23u);
  for (auto& c : cases) {
    Json context = {{"messages", c["messages"]},
                    {"add_generation_prompt", c["add_generation_prompt"]},
                    {"bos_token", c["bos_token"]},
                    {"eos_token", c["eos_token"]}};
    std::string got = render(c["template"].get<std::string>(), context);
    auto& reference = c["python_jinja2"];
    if (reference.contains("error")) {
      EXPECT_TRUE(got.starts_with("Error: ")) << c["name"];
    } else {
      EXPECT_EQ(got, reference["expected"].get<std::string>()) << c["name"];
    }
  }
}

Json conversation(const std::string& roles) {  // "system-user-assistant-user"
  Json messages = Json::array();
  if (roles.starts_with("system")) messages.push_back({{"role", "system"}, {"content", "You are a helpful assistant."}});
  messages.push_back({{"role", "user"}, {"content", "Hello, how are you?"}});
  if (roles.ends_with("assistant-user")) {
    messages.push_back({{"role", "assistant"}, {"content", "I'm doing great. How can I help you today?"}});
    messages.push_back({{"role", "user"}, {"content", "I'd like to show off how chat templating works!"}});
  }
  return messages;
}

constexpr const char* kRoles[] = {"user", "user-assistant-user", "system-user-assistant-user"};

TEST(ChatTemplate, BuiltinTemplatesGiveTheirFamiliesPrompts) {
  fs::path folder = shared() / "data/chat-templates/ollama";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs shared/data/chat-templates";
  for (auto [family, name] : {std::pair{"alpaca", "alpaca"},
                              {"chatml", "chatml"},
                              {"llama3-instruct", "llama3"},
                              {"mistral-instruct", "mistral"},
                              {"phi-3", "phi3"},
                              {"vicuna", "vicuna"},
                              {"zephyr", "zephyr"}}) {
    for (const char* roles : kRoles) {
      // The family's beginning-of-text token is left to the tokenizer in these.
      Json context = {{"messages", conversation(roles)}, {"add_generation_prompt", true}, {"bos_token", ""}, {"eos_token", "</s>"}};
      EXPECT_EQ(render(*builtin_chat_template(name), context), slurp(folder / (std::string(family) + ".gotmpl") / roles)) << name << " " << roles;
    }
  }
}

TEST(ChatTemplate, BuiltinTemplatesOfFamiliesWithoutAnotherSource) {
  auto prompt = [](const char* name, const char* roles) {
    return render(*builtin_chat_template(name),
                  {{"messages", conversation(roles)}, {"add_generation_prompt", true}, {"bos_token", "<s>"}, {"eos_token", "</s>"}});
  };
  EXPECT_EQ(prompt("llama2", "system-user-assistant-user"),
            "<s>[INST] <<SYS>>\nYou are a helpful assistant.\n<</SYS>>\n\nHello, how are you? [/INST] I'm doing great. How can I help you today?</s>"
            "<s>[INST] I'd like to show off how chat templating works! [/INST]");
  EXPECT_EQ(prompt("gemma", "system-user-assistant-user"),
            "<s><start_of_turn>user\nYou are a helpful assistant.\n\nHello, how are you?<end_of_turn>\n<start_of_turn>model\nI'm doing great. How "
            "can I help you "
            "today?<end_of_turn>\n<start_of_turn>user\nI'd like to show off how chat templating works!<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(prompt("deepseek", "system-user-assistant-user"),
            "<s>You are a helpful assistant.\n\nUser: Hello, how are you?\n\nAssistant: I'm doing great. How can I help you today?</s>"
            "User: I'd like to show off how chat templating works!\n\nAssistant:");
  EXPECT_FALSE(builtin_chat_template("nope"));
  for (auto name : builtin_chat_template_names()) {
    ChatTemplate chat = ChatTemplate::parse(*builtin_chat_template(name));
    EXPECT_TRUE(chat.takes_text()) << name;
    EXPECT_FALSE(chat.takes_parts()) << name;
  }
}

TEST(ChatTemplate, EveryTemplateOfTheOllamaListRenders) {
  fs::path folder = shared() / "data/chat-templates/ollama";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs shared/data/chat-templates";
  std::istringstream lines(slurp(folder / "templates.jsonl"));
  std::string line;
  int rendered = 0, same = 0;
  while (std::getline(lines, line)) {
    Json entry = Json::parse(line);
    for (auto& [family, source] : entry.items()) {
      for (const char* roles : kRoles) {
        Json context = {{"messages", conversation(roles)}, {"add_generation_prompt", true}, {"bos_token", ""}, {"eos_token", "</s>"}};
        std::string got = render(source.get<std::string>(), context);
        // Some refuse a system message, in the words of their authors; none may fail otherwise.
        if (got.starts_with("Error: ")) {
          EXPECT_NE(got.find("refuses these messages"), got.npos) << family << ": " << got;
        } else {
          ++rendered;
          EXPECT_NE(got.find("Hello, how are you?"), got.npos) << family;
        }
        fs::path expected = folder / (family + ".gotmpl") / roles;
        same += fs::exists(expected) && got == slurp(expected) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(rendered, 95);
  EXPECT_GT(same, 30);  // the list names the nearest family, whose white space and system role often differ from the template's
}

}  // namespace
}  // namespace motley

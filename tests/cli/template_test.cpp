#include <gtest/gtest.h>

#include "base/file.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

const char* const kMessages = R"([{"role": "user", "content": "hi"}])";

class Template : public testing::Test {
 protected:
  Ran render(const std::string& source, std::vector<std::string> flags = {}, const std::string& messages = kMessages) {
    flags.insert(flags.begin(), {"template", folder_.write("t.jinja", source), "--messages", folder_.write("messages.json", messages)});
    return run(flags);
  }
  TempFolder folder_;
};

TEST_F(Template, AJinjaFileTakesItsTokensFromFlags) {
  const char* source =
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}{{ eos_token }}{% if add_generation_prompt %}>{% endif %}";
  Ran r = render(source, {"--bos", "<b>", "--eos", "<e>", "--add-generation-prompt"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out, "<b>[user:hi]<e>>");
  EXPECT_EQ(r.err, "");
  EXPECT_EQ(render(source).out, "[user:hi]");
}

TEST_F(Template, AModelBringsItsTemplateAndTokens) {
  const std::string model = model_with_tokenizer(folder_);
  EXPECT_EQ(run({"template", model, "--messages", "-", "--add-generation-prompt"}, {.input = kMessages}).out,
            "<s><|im_start|>user hi<|im_end|><|im_start|>assistant ");
  EXPECT_EQ(run({"template", model, "--messages", "-", "--bos", "X"}, {.input = kMessages}).out, "X<|im_start|>user hi<|im_end|>");
  ASSERT_EQ(run({"convert", model, "-o", folder_ / "m.gguf"}).code, 0);
  EXPECT_EQ(run({"template", folder_ / "m.gguf", "--messages", "-"}, {.input = kMessages}).out, "<s><|im_start|>user hi<|im_end|>");
  EXPECT_NE(run({"template", model, "--source"}).out.find("{% for m in messages %}"), std::string::npos);
}

TEST_F(Template, ToolsAndFurtherNamesReachTheTemplate) {
  const std::string tools = folder_.write("tools.json", R"([{"type": "function", "function": {"name": "f"}}])");
  EXPECT_EQ(render("{{ tools | length }}{{ tools[0].function.name }}", {"--tools", tools}).out, "1f");
  EXPECT_EQ(render("{{ 'none' if tools is none else 'some' }}").out, "none");
  EXPECT_EQ(render("{{ deep }}{{ flag }}", {"--chat-template-kwargs", R"({"deep": 3, "flag": true})"}).out, "3True");
  EXPECT_EQ(render("{{ strftime_now('%d %B %Y, %A') }}", {"--date", "2024-07-26"}).out, "26 July 2024, Friday");
}

TEST_F(Template, AConversationMayBeAWholeRequest) {
  Ran r = render(
      "{{ bos_token }}{{ messages[0].content }}{{ tools | length }}{{ mood }}{{ add_generation_prompt }}", {},
      R"({"messages": [{"role": "user", "content": "hi"}], "tools": [1, 2], "bos_token": "B", "mood": "good", "add_generation_prompt": true})");
  EXPECT_EQ(r.out, "Bhi2goodTrue") << r.err;
}

TEST_F(Template, OfSeveralTemplatesTheNamedOneOrTheOneForTools) {
  folder_.write("named/tokenizer.json", small_tokenizer_json());
  folder_.write(
      "named/tokenizer_config.json",
      R"({"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}, {"name": "rag", "template": "rag"}]})");
  const std::string model = folder_ / "named", messages = folder_.write("m.json", kMessages), tools = folder_.write("t.json", R"([{"a": 1}])");
  EXPECT_EQ(run({"template", model, "--messages", messages}).out, "plain");
  EXPECT_EQ(run({"template", model, "--messages", messages, "--tools", tools}).out, "tools");
  EXPECT_EQ(run({"template", model, "--messages", messages, "--tools", tools, "--name", "rag"}).out, "rag");
  Ran r = run({"template", model, "--messages", messages, "--name", "rags"});
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("default, tool_use, rag"), std::string::npos) << r.err;
}

TEST_F(Template, BuiltInTemplatesStandIn) {
  folder_.write("bare/tokenizer.json", small_tokenizer_json());
  Ran r = run({"template", folder_ / "bare", "--messages", "-"}, {.input = kMessages});
  EXPECT_EQ(r.code, 3);
  EXPECT_NE(r.err.find("--chat-template: alpaca"), std::string::npos) << r.err;
  r = run({"template", folder_ / "bare", "--messages", "-", "--chat-template", "chatml", "--add-generation-prompt"}, {.input = kMessages});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  r = run({"template", folder_ / "bare", "--messages", "-", "--chat-template", "chatm"}, {.input = kMessages});
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("did you mean chatml?"), std::string::npos) << r.err;
}

TEST_F(Template, RefusalsAndMistakesSayWhat) {
  struct Case {
    const char *source, *messages;
    int code;
    const char* expected;
  };
  for (Case c :
       {Case{"{{ raise_exception('no system here') }}", kMessages, 2, "no system here"}, Case{"{% for m in %}", kMessages, 3, "line 1"},
        Case{"x", "[{", 3, "messages.json"}, Case{"x", "3", 3, "array of messages"}, Case{"{{ messages[0].content + 1 }}", kMessages, 2, "line 1"}}) {
    Ran r = render(c.source, {}, c.messages);
    EXPECT_EQ(r.code, c.code) << c.source << c.messages << r.err;
    EXPECT_EQ(r.out, "") << c.source;
    EXPECT_NE(r.err.find(c.expected), std::string::npos) << r.err;
  }
  EXPECT_EQ(run({"template", folder_.write("t.jinja", "x")}).code, 2);
  EXPECT_NE(render("{% for m in %}").err.find(folder_ / "t.jinja"), std::string::npos);
  EXPECT_EQ(render("x", {"--date", "today"}).code, 2);
}

TEST_F(Template, AMessageNeverCommandsTheTerminal) {
  for (const char* source : {"{{ raise_exception('a\x1b[31mb') }}", "{{ \x1b }}", "{{ 'a\x1b[31mb' + 1 }}{{ raise_exception('\xff\x07') }}"}) {
    Ran r = render(source);
    EXPECT_NE(r.code, 0) << source;
    EXPECT_EQ(r.err.find_first_of("\x1b\x07\xff"), std::string::npos) << source;
  }
  EXPECT_NE(render("{{ raise_exception('a\x1b[31mb') }}").err.find("a\\x1b[31mb"), std::string::npos);
}

TEST_F(Template, SharedGoldens) {
  const std::string file = shared_data("chat-templates/goldens.json");
  if (file.empty()) GTEST_SKIP() << "needs shared/data/chat-templates";
  auto goldens = nlohmann::ordered_json::parse(read_file(file, 64 << 20));
  int compared = 0;
  for (const auto& one : goldens["cases"]) {
    if (one["context"] != "tool_use") continue;  // the longest; the library's own test has all of them
    const auto messages = folder_.write("messages.json", goldens["contexts"]["tool_use"].dump());
    Ran r =
        run({"template", shared_data("chat-templates/jinja/" + one["template"].get<std::string>()), "--messages", messages, "--date", "2024-07-26"});
    if (one.contains("expected")) {
      EXPECT_EQ(r.code, 0) << one["template"] << r.err;
      EXPECT_EQ(r.out, one["expected"].get<std::string>()) << one["template"];
    } else {
      EXPECT_EQ(r.code, 2) << one["template"];
    }
    ++compared;
  }
  EXPECT_GT(compared, 10);
}

}  // namespace
}  // namespace motley

// motley template MODEL --messages FILE.json: the prompt that a model's chat template makes of a conversation.
#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/open_model.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "io/ordered_json.h"
#include "io/template/builtin_templates.h"
#include "io/template/chat_template.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;
constexpr uint64_t kMaxJsonBytes = 64 << 20, kMaxTemplateBytes = 16 << 20;

struct TemplateFlags {
  std::string model, messages, tools, documents, name, builtin, date, variables;
  std::optional<std::string> bos, eos;
  bool generation_prompt = false, source = false;
};

// The template's source, and the tokenizer whose BOS and EOS it may name.
struct Found {
  std::string source;
  std::shared_ptr<const Tokenizer> tokenizer;
};

std::string names_of(const Tokenizer& tokenizer) {
  std::string out;
  for (const auto& [name, source] : tokenizer.chat_templates()) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string builtin_names() {
  std::string out;
  for (std::string_view name : builtin_chat_template_names()) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

// Where a model has a template for tools and tools are given, that one; transformers chooses likewise.
std::string choose_template(const Tokenizer& tokenizer, const TemplateFlags& f, bool tools) {
  if (!f.name.empty()) {
    if (auto text = tokenizer.chat_template(f.name)) return std::string(*text);
    std::string names = names_of(tokenizer);
    fail(ErrorKind::usage, "template", "{} has no template '{}'; it has {}", f.model, f.name, names.empty() ? "none" : names);
  }
  if (tools)
    if (auto text = tokenizer.chat_template("tool_use")) return std::string(*text);
  if (auto text = tokenizer.chat_template()) return std::string(*text);
  std::string names = names_of(tokenizer);
  if (!names.empty()) fail(ErrorKind::usage, "template", "{} has several templates and none is the default; choose with --name: {}", f.model, names);
  fail(ErrorKind::file, "template", "{} has no chat template; choose one of the built-in ones with --chat-template: {}", f.model, builtin_names());
}

Found find_template(const TemplateFlags& f, bool tools) {
  if (f.model.ends_with(".jinja") || f.model.ends_with(".j2")) return {read_file(f.model, kMaxTemplateBytes), nullptr};
  Found found;
  if (!f.model.empty()) found.tokenizer = Tokenizer::load(resolve_model(f.model));
  if (f.builtin.empty()) {
    if (!found.tokenizer)
      fail(ErrorKind::usage, "template", "say whose template: a model, a .jinja file, or --chat-template with one of {}", builtin_names());
    found.source = choose_template(*found.tokenizer, f, tools);
    return found;
  }
  if (file_exists(f.builtin)) {
    found.source = read_file(f.builtin, kMaxTemplateBytes);
  } else if (auto text = builtin_chat_template(f.builtin)) {
    found.source = *text;
  } else {
    auto meant = nearest(f.builtin, builtin_chat_template_names());
    fail(ErrorKind::usage, "template", "--chat-template: '{}' is neither a file nor a built-in template ({}){}", f.builtin, builtin_names(),
         meant ? fmt::format("; did you mean {}?", *meant) : "");
  }
  return found;
}

std::tm parse_date(const std::string& text) {
  int year = 0, month = 0, day = 0, end = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || static_cast<size_t>(end) != text.size() || month < 1 ||
      month > 12 || day < 1 || day > 31)
    fail(ErrorKind::usage, "template", "--date should be a day such as 2024-07-26, not '{}'", printable(text));
  std::tm tm{};
  tm.tm_year = year - 1900, tm.tm_mon = month - 1, tm.tm_mday = day;
  std::mktime(&tm);  // fills in the day of the week
  return tm;
}

// A conversation file is the list of messages, or an object that holds it as "messages"; what else is in such an object is given to the
// template, as a request's fields are.
struct Conversation {
  OrderedJson messages, tools, documents, variables = OrderedJson::object();
  std::optional<std::string> bos, eos;
  bool generation_prompt = false;
};

std::optional<std::string> take_text(OrderedJson& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return std::nullopt;
  std::string text = it->get<std::string>();
  object.erase(key);
  return text;
}

OrderedJson take(OrderedJson& object, const char* key) {
  OrderedJson value;
  if (auto it = object.find(key); it != object.end()) {
    value = std::move(*it);
    object.erase(key);
  }
  return value;
}

OrderedJson read_list(const std::string& file, const char* flag) {
  OrderedJson list = parse_ordered_json(read_input(file, "template", kMaxJsonBytes), file);
  if (!list.is_array()) fail(ErrorKind::file, "template", "{}: {} should be a JSON array", file, flag);
  return list;
}

Conversation read_conversation(const TemplateFlags& f) {
  Conversation c;
  OrderedJson root = parse_ordered_json(read_input(f.messages, "template", kMaxJsonBytes), f.messages);
  if (root.is_object()) {
    c.messages = take(root, "messages");
    c.tools = take(root, "tools");
    c.documents = take(root, "documents");
    c.bos = take_text(root, "bos_token");
    c.eos = take_text(root, "eos_token");
    if (OrderedJson value = take(root, "add_generation_prompt"); value.is_boolean()) c.generation_prompt = value.get<bool>();
    c.variables = std::move(root);
  } else {
    c.messages = std::move(root);
  }
  if (!c.messages.is_array())
    fail(ErrorKind::file, "template",
         "{}: expected a JSON array of messages ({{\"role\": ..., \"content\": ...}}), or an object with such an array as 'messages'", f.messages);
  if (!f.tools.empty()) c.tools = read_list(f.tools, "--tools");
  if (!f.documents.empty()) c.documents = read_list(f.documents, "--documents");
  if (!f.variables.empty()) {
    OrderedJson more;
    try {
      more = parse_ordered_json(f.variables, "--chat-template-kwargs");
    } catch (const Error& e) {
      throw Error(ErrorKind::usage, e.what());  // what was asked for is at fault, and no file
    }
    if (!more.is_object())
      fail(ErrorKind::usage, "template", "--chat-template-kwargs should be a JSON object such as {{\"enable_thinking\": false}}");
    c.variables.update(more);
  }
  c.generation_prompt = c.generation_prompt || f.generation_prompt;
  return c;
}

std::optional<std::string> token(const std::shared_ptr<const Tokenizer>& tokenizer, int32_t SpecialIds::*role) {
  if (!tokenizer || tokenizer->special().*role < 0) return std::nullopt;
  return std::string(tokenizer->token_text(tokenizer->special().*role));
}

int render(const TemplateFlags& f) {
  if (f.source) return write_output(find_template(f, !f.tools.empty()).source) ? 0 : static_cast<int>(ErrorKind::runtime);
  if (f.messages.empty()) fail(ErrorKind::usage, "template", "give the conversation: --messages FILE.json ('-' for standard input)");
  Conversation c = read_conversation(f);
  Found found = find_template(f, c.tools.is_array() && !c.tools.empty());
  ChatOptions options;
  options.add_generation_prompt = c.generation_prompt;
  options.bos_token = f.bos ? f.bos : c.bos ? c.bos : token(found.tokenizer, &SpecialIds::bos);
  options.eos_token = f.eos ? f.eos : c.eos ? c.eos : token(found.tokenizer, &SpecialIds::eos);
  if (!c.tools.is_null()) options.tools = &c.tools;
  if (!c.documents.is_null()) options.documents = &c.documents;
  options.variables = &c.variables;
  if (!f.date.empty()) options.now = parse_date(f.date);
  const std::string& whose = f.builtin.empty() ? f.model : f.builtin;
  return write_output(ChatTemplate::parse(found.source, {}, whose).render(c.messages, options)) ? 0 : static_cast<int>(ErrorKind::runtime);
}

}  // namespace

Body add_template(CLI::App& app) {
  auto f = std::make_shared<TemplateFlags>();
  app.add_option("model,-m,--model", f->model, "a folder, a .gguf file, a tokenizer file, org/name from the hub's cache, or a .jinja file");
  app.add_option("--messages", f->messages,
                 "a JSON array of messages, or an object with 'messages' and further fields for the template; '-' for standard input");
  app.add_option("--tools", f->tools, "a JSON array of tools the model may call");
  app.add_option("--documents", f->documents, "a JSON array of documents");
  app.add_flag("--add-generation-prompt", f->generation_prompt, "end with the beginning of the assistant's answer");
  app.add_option("--name", f->name, "which of the model's templates, where it has several (default: tool_use with tools, else default)");
  app.add_option("--chat-template", f->builtin, "use this instead of the model's: a file, or a built-in one (" + builtin_names() + ")");
  app.add_option("--chat-template-kwargs", f->variables, "further names for the template, a JSON object such as '{\"enable_thinking\": false}'");
  app.add_option("--bos", f->bos, "what the template calls bos_token (default: the tokenizer's)");
  app.add_option("--eos", f->eos, "what the template calls eos_token (default: the tokenizer's)");
  app.add_option("--date", f->date, "the day that the template is told, such as 2024-07-26 (default: today)");
  app.add_flag("--source", f->source, "print the template itself");
  return [f] { return render(*f); };
}

}  // namespace motley

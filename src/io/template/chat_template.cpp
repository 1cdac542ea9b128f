#include "io/template/chat_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "io/template/context.h"
#include "io/template/parser.h"
#include "io/template/render.h"

namespace motley {
namespace {

using Json = nlohmann::ordered_json;

// A template is tried on both shapes of content when it is read; this is far more than a short message takes.
constexpr int64_t kProbeSteps = 300'000;

// Reasoning is passed under three names; templates read the first, gpt-oss's reads `thinking`. Each is filled from the others, in the
// places where apply_chat_template puts them.
Json with_reasoning(const Json& message) {
  if (!message.is_object()) return message;
  const Json* reasoning = nullptr;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    auto it = message.find(name);
    if (it == message.end() || it->is_null()) continue;
    reasoning = &*it;
    break;
  }
  if (!reasoning) return message;
  Json out = Json::object();
  auto& members = out.get_ref<Json::object_t&>();  // filled without looking each key up among those before it
  bool has_content = false;
  members.emplace_back("thinking", message.contains("thinking") ? message["thinking"] : *reasoning);
  for (auto& [key, value] : message.get_ref<const Json::object_t&>()) {
    bool content = key == "reasoning_content";
    has_content = has_content || content;
    if (key != "thinking") members.emplace_back(key, content ? *reasoning : value);
  }
  if (!has_content) members.emplace_back("reasoning_content", *reasoning);
  return out;
}

Json joined_parts(const Json& parts, size_t message_index) {
  std::string text;
  bool first = true;
  for (auto& part : parts) {
    std::string type = "text";
    if (!part.is_object())
      type = part.type_name();
    else if (part.contains("type"))
      type = part["type"].is_string() ? part["type"].get<std::string>() : part["type"].type_name();
    if (type != "text" || !part.is_object() || !part.contains("text") || !part["text"].is_string())
      fail(ErrorKind::usage, "chat template", "messages[{}].content: this model's template takes text only, and a part of type '{}' has none",
           message_index, type.substr(0, complete_utf8_prefix(std::string_view(type).substr(0, 40))));
    if (!std::exchange(first, false)) text += '\n';
    text += part["text"].get_ref<const std::string&>();
  }
  return text;
}

[[noreturn]] void refuse(const jinja::Fault& fault, int line) {
  std::string_view words = fault.what();
  words = words.substr(0, complete_utf8_prefix(words.substr(0, 1000)));
  if (fault.type == "TemplateError") fail(ErrorKind::usage, "chat template", "line {}: the template refuses these messages: {}", line, words);
  fail(ErrorKind::usage, "chat template", "line {}: {}: {}", line, fault.type, words);
}

}  // namespace

ChatTemplate ChatTemplate::parse(std::string_view source, const TemplateLimits& limits, std::string_view whose) {
  ChatTemplate t;
  t.limits_ = limits;
  try {
    t.syntax_ = jinja::parse_template(source, limits);
  } catch (const jinja::Fault& fault) {
    fail(ErrorKind::file, "chat template", "{}: {}: {}", whose, fault.type, fault.what());
  }
  constexpr std::string_view kProbe = "motley-probe-7f3a";
  bool text = t.shows(Json(kProbe), kProbe);
  bool parts = t.shows(Json::array({{{"type", "text"}, {"text", kProbe}}}), kProbe);
  t.takes_parts_ = parts;
  t.takes_text_ = text || !parts;
  return t;
}

// Whether the text appears in the prompt, as text: printing a list shows its words too, but with Python's brackets and quotes.
bool ChatTemplate::shows(const Json& content, std::string_view text) const {
  TemplateLimits limits = limits_;
  limits.steps = std::min(limits.steps, kProbeSteps);
  try {
    ChatOptions options;
    options.bos_token = options.eos_token = "";
    Json messages = Json::array({Json{{"role", "user"}, {"content", content}}});
    std::string prompt = run(messages, options, limits);
    return prompt.find(text) != prompt.npos && prompt.find("'type'") == prompt.npos && prompt.find("\"type\"") == prompt.npos;
  } catch (const Error&) {
    return false;
  }
}

std::string ChatTemplate::render(const Json& messages, const ChatOptions& options) const {
  if (!messages.is_array())
    fail(ErrorKind::usage, "chat template", "messages: expected an array of objects with role and content, got {}", messages.type_name());
  Json fitted = Json::array();
  size_t index = 0;
  for (auto& message : messages) {
    if (!message.is_object())
      fail(ErrorKind::usage, "chat template", "messages[{}]: expected an object with role and content, got {}", index, message.type_name());
    Json m = with_reasoning(message);
    auto content = m.find("content");
    if (options.fit_content && content != m.end()) {
      if (content->is_array() && !takes_parts_) *content = joined_parts(*content, index);
      if (content->is_string() && !takes_text_) *content = Json::array({{{"type", "text"}, {"text", *content}}});
    }
    fitted.push_back(std::move(m));
    ++index;
  }
  return run(fitted, options, limits_);
}

std::string ChatTemplate::run(const Json& messages, const ChatOptions& options, const TemplateLimits& limits) const {
  int line = 0;
  auto attempt = [&](bool absent_as_none) {
    jinja::Render render(*syntax_, limits, {.now = options.now});
    auto optional = [&](const char* name, const Json* json) {
      if (json || absent_as_none) render.set(name, json ? from_json(render.heap, *json) : jinja::Value());
    };
    render.set("messages", from_json(render.heap, messages));
    optional("tools", options.tools);
    optional("documents", options.documents);
    render.set("add_generation_prompt", jinja::Value(options.add_generation_prompt));
    if (options.bos_token) render.set("bos_token", render.text(*options.bos_token));
    if (options.eos_token) render.set("eos_token", render.text(*options.eos_token));
    if (options.variables)
      for (auto& [key, value] : options.variables->items()) render.set(key, from_json(render.heap, value));
    struct Remember {
      const jinja::Render& render;
      int& line;
      ~Remember() { line = render.line(); }
    } remember{render, line};
    return render.run();
  };
  if (options.variables && !options.variables->is_object())
    fail(ErrorKind::usage, "chat template", "variables: expected an object, got {}", options.variables->type_name());
  try {
    try {
      return attempt(true);
    } catch (const jinja::Fault& fault) {
      // apply_chat_template passes None for tools that are not there. Templates that were only ever given tools loop over them unasked, which
      // None does not allow; to these they are shown as undefined, which is empty.
      if (fault.type != "TypeError" || (options.tools && options.documents)) throw;
    }
    return attempt(false);
  } catch (const jinja::Fault& fault) {
    refuse(fault, line);
  }
}

}  // namespace motley

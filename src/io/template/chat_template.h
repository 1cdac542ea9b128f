// A model's chat template: the Jinja text that turns a conversation into the prompt the model was trained on. Rendered as Hugging Face's
// apply_chat_template renders it, byte for byte, by an interpreter of our own that a hostile template can neither escape nor exhaust.
//
//   ChatTemplate chat = ChatTemplate::parse(source);
//   ChatOptions options{.add_generation_prompt = true, .bos_token = "<s>", .eos_token = "</s>"};
//   std::string prompt = chat.render(nlohmann::ordered_json::parse(R"([{"role": "user", "content": "Hi"}])"), options);
//
// A template that does not parse is an Error(file); one that refuses the messages (raise_exception), meets a value it cannot use, or passes
// a limit is an Error(usage), with the line of the template and the words of the refusal.
#pragma once
#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "io/template/limits.h"

namespace motley {

namespace jinja {
struct Syntax;
}

struct ChatOptions {
  bool add_generation_prompt = false;
  std::optional<std::string> bos_token, eos_token;    // absent when the tokenizer has none: then the template finds them undefined
  const nlohmann::ordered_json* tools = nullptr;      // an array of JSON schemas; absent reads as none, as upstream
  const nlohmann::ordered_json* documents = nullptr;  // an array of {title, text}
  const nlohmann::ordered_json* variables = nullptr;  // an object: further names for the template (enable_thinking, ...)
  std::optional<std::tm> now;                         // what strftime_now tells; the local time when absent
  bool fit_content = true;                            // see fit_content below
};

class ChatTemplate {
 public:
  // whose: the file or model it is from, for messages.
  static ChatTemplate parse(std::string_view source, const TemplateLimits& limits = {}, std::string_view whose = "the template");

  // messages: an array of {role, content, ...}.
  std::string render(const nlohmann::ordered_json& messages, const ChatOptions& options) const;

  // Whether content may be text, and whether it may be a list of parts ([{"type": "text", "text": ...}]), found by rendering both.
  // render() brings messages into the shape the template takes: parts are joined by new lines where it takes text only, text becomes one
  // part where it takes parts only. A part that is not text is refused where only text is taken.
  bool takes_text() const { return takes_text_; }
  bool takes_parts() const { return takes_parts_; }

 private:
  ChatTemplate() = default;
  std::string run(const nlohmann::ordered_json& messages, const ChatOptions& options, const TemplateLimits& limits) const;
  bool shows(const nlohmann::ordered_json& content, std::string_view text) const;
  std::shared_ptr<const jinja::Syntax> syntax_;
  TemplateLimits limits_;
  bool takes_text_ = true;
  bool takes_parts_ = false;
};

}  // namespace motley

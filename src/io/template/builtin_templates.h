// Chat templates by name, for models that come without one: `--chat-template NAME`.
//
//   if (auto source = builtin_chat_template("llama3")) chat = ChatTemplate::parse(*source);
#pragma once
#include <optional>
#include <span>
#include <string_view>

namespace motley {

std::optional<std::string_view> builtin_chat_template(std::string_view name);
std::span<const std::string_view> builtin_chat_template_names();  // for help and "did you mean"

}  // namespace motley

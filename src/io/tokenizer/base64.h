// Base64 as tokenizer files use it for bytes inside text.
//
//   auto bytes = decode_base64("aGk=");    // "hi"; nothing when it is malformed
//   std::string text = encode_base64("hi");
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace motley::tok {

std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace motley::tok

// Architectures that are known by name but have no family here: what is different about them, and which family is nearest, for the sentence
// that refuses them.
//
//   if (const OtherArchitecture* other = find_other_architecture("deepseek_v3")) say(other->because, other->nearest);
#pragma once
#include <span>
#include <string_view>

namespace motley {

struct OtherArchitecture {
  std::string_view name;     // of config.json's model_type or GGUF's general.architecture, its letters and digits; "mamba*": begins with it
  std::string_view because;  // "attention on compressed keys and values"
  std::string_view nearest;  // the name of a family
};

std::span<const OtherArchitecture> other_architectures();

// Punctuation and case do not count: "gpt-oss", "gpt_oss" and "GptOssForCausalLM" are one. Null for names nobody has told us of.
const OtherArchitecture* find_other_architecture(std::string_view name);

}  // namespace motley

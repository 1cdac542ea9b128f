// The small JSON files of a Hugging Face folder that say more about its tokenizer: roles of tokens, added tokens, chat templates.
//
//   Companions c = read_companions("models/llama");      // files that are not there are not missed
#pragma once
#include <string>

#include "io/tokenizer/loaders.h"

namespace motley::tok {

Companions read_companions(const std::string& folder);

}  // namespace motley::tok

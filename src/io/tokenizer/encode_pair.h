// Texts as an encoder reads them: one, or two that are judged together (a question and where its answer is, a sentence and what it may mean),
// with the special tokens around them and the segment of each token, and no longer than the model reads.
//
//   EncodedText e = encode_whole(*tokenizer, "Who wrote it?", "Ada wrote it.", 512);    // [CLS] who ... [SEP] ada ... [SEP]
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "io/tokenizer/tokenizer.h"

namespace motley {

struct EncodedText {
  std::vector<int32_t> ids, types;  // types: 0 in the first segment, 1 in the second, where the tokenizer tells them apart
  // Where the texts' own tokens are in ids; of size 0 when there is no second text.
  int64_t first_begin = 0, first_size = 0, second_begin = 0, second_size = 0;
  int64_t cut = 0;  // tokens that were left out at the texts' ends
};

// max_tokens counts the special tokens too; the longer text is cut first. Error(usage) when it leaves no room for text. A tokenizer that says
// nothing about pairs gets [CLS] a [SEP] b [SEP] when it has such tokens, else a and b with what it puts around each.
EncodedText encode_whole(const Tokenizer& tokenizer, std::string_view text, std::optional<std::string_view> second, int64_t max_tokens);

}  // namespace motley

// Tokenised samples in a file: what the cache holds, and what can be given as data itself (token shards; docs/formats/tokens.md). Written
// packed by zstd; read as it is, or packed by anything a ByteStream unpacks. A hash over all of it tells damage of any kind.
//
//   write_token_file("train.tokens.zst", data, tokenizer.vocab_size());
//   ByteStream in(ByteSource::open("train.tokens.zst"));
//   SampleCollector collector(folder);
//   TokenFileHead head = read_token_file(in, tokenizer.vocab_size(), collector);
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/byte_stream.h"
#include "io/dataset/sample_data.h"

namespace motley {

bool is_token_file(std::string_view beginning);

// Everything but the tokens.
struct TokenFileHead {
  uint64_t hash = 0;
  std::vector<float> labels;
  int64_t label_width = 0;
  std::vector<std::string> classes, warnings;
  std::string description;
};

// Atomic: the file appears whole or not at all. Error(runtime) when it cannot be written.
void write_token_file(const std::string& path, const SampleData& data, int32_t vocab_size);

// Appends the file's samples to the collector. Error(file) when the file is damaged, or has a token beyond the vocabulary.
TokenFileHead read_token_file(ByteStream& in, int32_t vocab_size, SampleCollector& collector);

}  // namespace motley

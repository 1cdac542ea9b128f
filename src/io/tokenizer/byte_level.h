// Pipelines of two families, for the formats that hold words but not the steps around them: byte-level BPE (GPT-2 and what came from
// it) and WordPiece (BERT).
//
//   ByteLevelParts parts;
//   parts.vocabulary = ...; parts.merges = ...; parts.pre = "qwen2";
//   auto pipeline = make_byte_level_pipeline(std::move(parts));
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/tokenizer/pipeline.h"

namespace motley::tok {

struct ByteLevelParts {
  std::string name;  // of the file, for messages
  std::vector<Token> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;
  bool from_ranks = false;           // instead of merges: any two tokens that make a token, by its id
  bool skip_unknown_merges = false;  // instead of refusing them
  std::vector<AddedToken> added;
  SpecialIds special;
  std::string pre = "gpt-2";          // of pre_patterns()
  std::optional<bool> ignore_merges;  // what goes with pre when absent
  bool nfc = false, add_prefix_space = false;
  Template around;  // without items: nothing
};

std::unique_ptr<Pipeline> make_byte_level_pipeline(ByteLevelParts parts);

struct WordPieceParts {
  std::string name;
  std::vector<Token> vocabulary;
  std::vector<AddedToken> added;
  SpecialIds special;
  std::optional<bool> lowercase;  // told from the words when absent: a cased vocabulary has capital letters
};

std::unique_ptr<Pipeline> make_wordpiece_pipeline(WordPieceParts parts);

}  // namespace motley::tok

// Reads tokenizer.json in one pass: the vocabulary and the merges, which are nearly all of it, straight into tables, everything else
// into a Json. Nesting, duplicate keys and malformed text are treated as by parse_json().
//
//   HfJson file = read_hf_json(text, name);
//   file.root["pre_tokenizer"], file.vocabulary, file.merges       // root["model"]["vocab"] is null
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/json.h"
#include "io/tokenizer/vocabulary.h"

namespace motley::tok {

struct HfJson {
  Json root;
  VocabularyBuilder vocabulary;
  size_t num_tokens = 0;
  bool vocabulary_is_list = false;  // of [token, score]
  std::vector<std::pair<std::string, std::string>> merges;
  bool has_merges = false;
};

HfJson read_hf_json(std::string_view text, const std::string& name);

}  // namespace motley::tok

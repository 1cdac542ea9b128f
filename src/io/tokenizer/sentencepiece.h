// What SentencePiece vocabularies have in common, whether they come from tokenizer.model, from a GGUF file or from llama2.c: from the
// pieces and a few flags to a pipeline.
//
//   SentencePieceParts parts;
//   parts.vocabulary = ...; parts.unigram = false;
//   auto pipeline = make_sentencepiece(std::move(parts));
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/tokenizer/pipeline.h"

namespace motley::tok {

struct SentencePieceParts {
  std::string name;  // of the file, for messages
  std::vector<Token> vocabulary;
  std::vector<AddedToken> added;  // in addition to the control and user-defined pieces
  SpecialIds special;
  bool unigram = false, byte_fallback = false, unused_known = false;  // as in UnigramOptions
  bool add_dummy_prefix = true, remove_extra_whitespaces = false, escape_whitespaces = true, whitespace_as_suffix = false;
  bool add_bos = false, add_eos = false;
  std::vector<std::pair<std::string, std::string>> merges;  // of BPE, in order; empty: those that the scores say
  std::string charsmap;                                     // empty for none
  std::string space_prefix;                                 // of the dummy prefix, as in GgmlVocabulary
};

std::unique_ptr<Pipeline> make_sentencepiece(SentencePieceParts parts);

// What a ModelProto says: its pieces are the vocabulary, and nothing is added or put around a text.
SentencePieceParts read_sentencepiece_parts(std::string_view bytes, const std::string& name);

}  // namespace motley::tok

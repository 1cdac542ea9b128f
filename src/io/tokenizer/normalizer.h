// Normalisers: what is done to a text before it is cut into words. Each takes the text of one segment (what stands between two added
// tokens) and gives the changed text. The names and behaviours are those of tokenizer.json's "normalizer".
//
//   std::vector<std::unique_ptr<Normalizer>> steps;
//   steps.push_back(make_unicode_normalizer(NormalForm::nfc));
//   for (auto& step : steps) step->apply(segment, regex_scratch);
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/tokenizer/charsmap.h"
#include "io/tokenizer/regex.h"
#include "io/tokenizer/trie.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {

struct Segment {
  std::string text;
  // Its first character is the first of the whole input: what Metaspace's "first" asks. Lost when a step removes that character.
  bool at_start = true;
  // A step that makes the text longer than this is refused: a file's replacement rules are not to use up the memory.
  size_t max_bytes = SIZE_MAX;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(Segment& segment, Regex::Scratch& scratch) const = 0;
};

struct BertNormalizerOptions {
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercase = true;
};

std::unique_ptr<Normalizer> make_unicode_normalizer(NormalForm form);
std::unique_ptr<Normalizer> make_lowercase();
std::unique_ptr<Normalizer> make_strip(bool left, bool right);
std::unique_ptr<Normalizer> make_strip_accents();
std::unique_ptr<Normalizer> make_replace(std::string from, std::string to);
std::unique_ptr<Normalizer> make_replace(Regex from, std::string to);
std::unique_ptr<Normalizer> make_prepend(std::string text);
std::unique_ptr<Normalizer> make_append(std::string text);
std::unique_ptr<Normalizer> make_bert_normalizer(BertNormalizerOptions options);
std::unique_ptr<Normalizer> make_precompiled(CharsMap map);
std::unique_ptr<Normalizer> make_byte_level_normalizer();
std::unique_ptr<Normalizer> make_nmt();

// SentencePiece's own normaliser, as tokenizer.model and GGUF describe it. Text that matches a user-defined piece is kept as it is.
struct SentencePieceNormalizerOptions {
  std::vector<CharsMap> charsmap;  // none or one
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true, whitespace_as_suffix = false;
  std::vector<std::string> user_defined;
};
std::unique_ptr<Normalizer> make_sentencepiece_normalizer(SentencePieceNormalizerOptions options);

}  // namespace motley::tok

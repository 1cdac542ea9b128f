#include "io/tokenizer/wordpiece.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {

WordPieceModel::WordPieceModel(const Vocabulary& vocabulary, WordPieceOptions options) : options_(std::move(options)) {
  std::vector<std::pair<std::string_view, int32_t>> beginnings, continuations;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    std::string_view text = vocabulary.text(id);
    // Text that spells a control token is text.
    if (text.empty() || !is_valid_utf8(text) || vocabulary.type(id) == TokenType::control) continue;
    beginnings.emplace_back(text, id);
    if (text.starts_with(options_.continuing_prefix)) continuations.emplace_back(text.substr(options_.continuing_prefix.size()), id);
  }
  beginnings_ = ByteTrie(std::move(beginnings));
  continuations_ = ByteTrie(std::move(continuations));
}

void WordPieceModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  size_t characters = 0;
  for (char c : word) characters += !is_continuation(c);
  size_t before = ids.size();
  bool covered = characters <= options_.max_characters;
  for (size_t at = 0; covered && at < word.size();) {
    auto [length, id] = (at == 0 ? beginnings_ : continuations_).longest(word.substr(at));
    covered = length > 0;
    if (covered) ids.push_back(id);
    at += length;
  }
  if (covered) return;
  ids.resize(before);
  if (options_.unk_id < 0) fail(ErrorKind::file, "tokenizer", "the vocabulary does not cover '{}' and has no unknown token", printable(word, 40));
  ids.push_back(options_.unk_id);
}

void WordLevelModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  int32_t id = vocabulary_.find(word);
  if (id < 0 || vocabulary_.type(id) == TokenType::control) id = unk_id_;
  if (id < 0) fail(ErrorKind::file, "tokenizer", "the vocabulary has no word '{}' and no unknown token", printable(word, 40));
  ids.push_back(id);
}

}  // namespace motley::tok

#include "io/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

// A search tries every place of the text, for as long as a token goes on.
constexpr size_t kMaxContentBytes = 1024;

bool word_ends_at(std::string_view text, size_t at) {
  if (at == 0) return false;
  size_t k = at - 1;
  while (k > 0 && is_continuation(text[k])) --k;
  const char* p = text.data() + k;
  return is_word(next_char(p));
}

bool word_begins_at(std::string_view text, size_t at) {
  if (at >= text.size()) return false;
  const char* p = text.data() + at;
  return is_word(next_char(p));
}

size_t white_space_before(std::string_view text, size_t at) {
  while (at > 0) {
    size_t k = at - 1;
    while (k > 0 && is_continuation(text[k])) --k;
    const char* p = text.data() + k;
    if (!is_white_space(next_char(p))) break;
    at = k;
  }
  return at;
}

size_t white_space_after(std::string_view text, size_t at) {
  while (at < text.size()) {
    const char* p = text.data() + at;
    if (!is_white_space(next_char(p))) break;
    at = static_cast<size_t>(p - text.data());
  }
  return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::function<std::string(const std::string&)>& normalize)
    : tokens_(std::move(tokens)) {
  for (Stage stage : {raw, normalized}) {
    Search& search = stages_[stage];
    std::vector<int32_t> places;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const AddedToken& token = tokens_[i];
      if (token.normalized != (stage == normalized)) continue;
      if (token.content.size() > kMaxContentBytes)
        fail(ErrorKind::file, "tokenizer", "added token '{}' has {} bytes, expected at most {}", printable(token.content, 40), token.content.size(),
             kMaxContentBytes);
      // A text that is not UTF-8 could match the middle of a character.
      if (!is_valid_utf8(token.content)) continue;
      search.contents.push_back(stage == normalized ? normalize(token.content) : token.content);
      places.push_back(static_cast<int32_t>(i));
    }
    std::vector<std::pair<std::string_view, int32_t>> entries;
    // Of two tokens with one text the later counts, as when each replaces the one before.
    for (size_t k = places.size(); k-- > 0;) entries.emplace_back(search.contents[k], places[k]);
    search.trie = ByteTrie(std::move(entries));
  }
}

void AddedTokens::split(std::string_view text, Stage stage, bool parse_special, const std::function<void(std::string_view, int32_t)>& part) const {
  const ByteTrie& trie = stages_[stage].trie;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    if (!trie.can_begin(text[at])) {
      ++at;
      continue;
    }
    auto [length, place] = trie.longest(text.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(place)];
    size_t begin = at, end = at + length;
    at = end;  // also where the match is not used: what it covers is not searched again
    if (token.special && !parse_special) continue;
    if (token.single_word && (word_ends_at(text, begin) || word_begins_at(text, end))) continue;
    if (token.lstrip) begin = white_space_before(text, begin);
    if (token.rstrip) end = white_space_after(text, end);
    begin = std::max(begin, done);
    if (begin > done) part(text.substr(done, begin - done), -1);
    part(text.substr(begin, end - begin), token.id);
    done = end;
    at = std::max(at, end);
  }
  if (done < text.size()) part(text.substr(done), -1);
}

}  // namespace motley::tok

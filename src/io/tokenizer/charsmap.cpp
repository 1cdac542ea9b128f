#include "io/tokenizer/charsmap.h"

#include <cstring>

#include "base/error.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

// One unit of a Darts array: the label of the edge that leads here, whether a value hangs below, and where its children are.
bool has_leaf(uint32_t unit) { return (unit >> 8) & 1; }
uint32_t label(uint32_t unit) { return unit & 0x800000FFu; }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
uint32_t value(uint32_t unit) { return unit & 0x7FFFFFFFu; }

}  // namespace

CharsMap::CharsMap(std::string_view blob, std::string_view what) {
  uint32_t trie_bytes = 0;
  if (blob.size() < 4) fail(ErrorKind::file, "tokenizer", "{}: the character map has {} bytes, expected at least 4", what, blob.size());
  std::memcpy(&trie_bytes, blob.data(), 4);
  if (trie_bytes % 4 != 0 || trie_bytes == 0 || trie_bytes > blob.size() - 4)
    fail(ErrorKind::file, "tokenizer", "{}: the character map says its trie has {} bytes, but {} follow", what, trie_bytes, blob.size() - 4);
  units_.resize(trie_bytes / 4);
  std::memcpy(units_.data(), blob.data() + 4, trie_bytes);
  replacements_ = blob.substr(4 + trie_bytes);
  // A replacement may begin anywhere, so not the blob but each result would have to be valid; checking here is once.
  if (!is_valid_utf8(replacements_)) fail(ErrorKind::file, "tokenizer", "{}: the character map's replacements are not UTF-8", what);
}

std::optional<CharsMap::Match> CharsMap::match(std::string_view text, bool first) const {
  std::optional<Match> best;
  uint32_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0) break;
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) break;
    uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) break;
    uint32_t begin = value(units_[node]);
    if (begin > replacements_.size() || (begin < replacements_.size() && is_continuation(replacements_[begin]))) break;
    std::string_view rest = std::string_view(replacements_).substr(begin);
    best = Match{i + 1, rest.substr(0, rest.find('\0'))};
    if (first) break;
  }
  return best;
}

bool CharsMap::append_by_graphemes(std::string& out, std::string_view text, size_t max_bytes) const {
  while (!text.empty()) {
    if (out.size() > max_bytes) return false;
    // A printable ASCII character before another one is a cluster of its own.
    auto printable_ascii = [&](size_t i) { return i >= text.size() || (text[i] >= 0x20 && text[i] < 0x7F); };
    size_t length = printable_ascii(0) && printable_ascii(1) ? 1 : grapheme_length(text);
    std::string_view cluster = text.substr(0, length);
    text.remove_prefix(length);
    if (cluster.size() < 6) {
      if (auto hit = shortest(cluster)) {
        out += hit->replacement;
        continue;
      }
    }
    for (size_t i = 0; i < cluster.size();) {
      std::string_view c = cluster.substr(i, char_length(cluster[i]));
      auto hit = shortest(c);
      out += hit ? hit->replacement : c;
      i += c.size();
    }
  }
  return out.size() <= max_bytes;
}

}  // namespace motley::tok

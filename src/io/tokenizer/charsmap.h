// SentencePiece's precompiled character map: a double-array trie (Darts) from byte strings to replacement texts, as one binary blob in
// tokenizer.model ("precompiled_charsmap") and, base64-coded, in tokenizer.json. The blob is untrusted: every index is compared with
// the array before it is used.
//
//   CharsMap map(blob, what);
//   auto hit = map.longest(text);     // {bytes matched, replacement}
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace motley::tok {

class CharsMap {
 public:
  struct Match {
    size_t length;
    std::string_view replacement;
  };
  CharsMap(std::string_view blob, std::string_view what);

  std::optional<Match> shortest(std::string_view text) const { return match(text, true); }
  std::optional<Match> longest(std::string_view text) const { return match(text, false); }

  // The two ways the map is used: SentencePiece replaces the longest match at each place, the `tokenizers` package looks up grapheme
  // clusters of less than 6 bytes, then single characters.
  // False, and out unfinished, when out would get longer than max_bytes.
  bool append_by_graphemes(std::string& out, std::string_view text, size_t max_bytes) const;

 private:
  std::optional<Match> match(std::string_view text, bool first) const;
  std::vector<uint32_t> units_;
  std::string replacements_;  // each ends with a zero byte
};

}  // namespace motley::tok

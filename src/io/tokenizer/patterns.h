// The regular expressions by which well-known model families cut text, under the names that GGUF files use for them
// ("tokenizer.ggml.pre"). A GGUF file holds only the name; tokenizer.json holds the expressions themselves.
//
//   const PrePattern* p = find_pre_pattern("llama-bpe");      // p->splits: applied one after another, each match a piece
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace motley::tok {

extern const std::string_view kGpt2Pattern, kLlama3Pattern, kQwen2Pattern, kCl100kPattern, kO200kPattern;

struct PrePattern {
  std::string_view name;
  std::vector<std::string_view> splits;
  bool ignore_merges = false;  // a word that is a token is not cut
  bool add_bos = false;        // where the file does not say
};

// All names a GGUF file may use; of several with the same expressions the first is the one written. "default" is for files without one.
std::span<const PrePattern> pre_patterns();
const PrePattern* find_pre_pattern(std::string_view name);
// The name for these expressions (in any of the spellings known for them), if they have one.
std::optional<std::string_view> name_of_patterns(const std::vector<std::string>& splits, bool ignore_merges);

// By these tokenizer.json says that SentencePiece leaves no white space around a text.
inline constexpr std::string_view kLeadingSpaces = "\\A +", kTrailingMetaspaces = "\xE2\x96\x81+\\z";

// One match per run of characters of one script; the script's name is the mark.
std::string unicode_script_runs();

}  // namespace motley::tok

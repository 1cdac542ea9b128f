// Labelled texts said in slightly other words, so that a small data set teaches more (Wei & Zou 2019, "EDA"): words left out, words exchanged, words
// replaced by others of the same meaning, or whole texts reworded by another program, such as a translation there and back.
//
//   AugmentOptions options = parse_augment("deletion=0.1,swap=1,synonyms=words.tsv");
//   options.copies = 2;
//   Augmenter augmenter(options);
//   std::string other = augmenter.augment(text, sample, copy);   // for copy 0 and 1
//
// Each copy is made by one of the operations, the named ones in turn. What becomes of a text follows from the seed, the sample's number and the
// copy's alone. Words are what stands between white space.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/content_hash.h"

namespace motley {

struct AugmentOptions {
  double deletion = 0;        // the probability with which each word is left out
  double swap = 0;            // pairs of words that are exchanged; below 1: of the number of words
  std::string synonyms = {};  // a file, see read_synonyms()
  double synonym_rate = 0.1;  // of the words, those replaced; at least one where any has a synonym
  std::string command = {};   // that reads a text on each line and writes it in other words on a line
  double command_seconds = 3600;
  int64_t copies = 0;  // of each text; 0: none
  uint64_t seed = 1;

  bool any() const { return copies > 0; }
};

// "deletion=P,swap=N,synonyms=FILE,synonym-rate=R", any of them. Error(usage) naming what is wrong with it.
AugmentOptions parse_augment(std::string_view text);

// Lines of a word, a tab, and words of the same meaning parted by commas, which may be of several words; what begins with # is passed over. Case
// makes no difference. Error(file) with the line.
using Synonyms = std::unordered_map<std::string, std::vector<std::string>>;
Synonyms parse_synonyms(std::string_view text, const std::string& path);
Synonyms read_synonyms(const std::string& path);

class Augmenter {
 public:
  // Error(usage) where copies are asked for and no operation is; Error(file) for synonyms that cannot be read.
  explicit Augmenter(const AugmentOptions& options);

  int64_t copies() const { return options_.copies; }
  // text itself where the operation finds nothing to do. Any number of threads at once.
  std::string augment(std::string_view text, int64_t sample, int64_t copy) const;

  // Has the command reword all texts, in one go; augment() takes them by number from then on. wait as in run_filter(). Error(runtime) when it fails
  // or gives another number of lines.
  bool has_command() const { return !options_.command.empty(); }
  void reword(const std::vector<std::string>& texts, const std::function<void()>& wait);

  void add_to(ContentHash& hash) const;  // all that decides what becomes of texts

 private:
  enum class Operation : uint8_t { deletion, swap, synonyms, command };
  AugmentOptions options_;
  Synonyms synonyms_;
  std::vector<Operation> operations_;
  std::vector<std::string> reworded_;
};

}  // namespace motley

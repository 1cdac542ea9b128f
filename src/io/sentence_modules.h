// What a sentence-transformers folder says about turning a text into a vector: modules.json lists the steps, and each step has a folder with
// its own config.json ("1_Pooling").
//
//   if (auto s = read_sentence_modules("models/all-MiniLM-L6-v2")) use(s->pooling);   // "mean"
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace motley {

struct SentenceModules {
  std::string pooling = "mean";  // or "cls", "lasttoken"
  bool normalise = false;
  int64_t max_tokens = 0;  // of a text, special tokens included; 0: what the model reads
};

// Nothing without a modules.json. Error(file) for steps, or ways of pooling, that are not these.
std::optional<SentenceModules> read_sentence_modules(const std::string& folder);

// The files that say so, of vectors of so many numbers: each with its path within the model's folder, and its text.
std::vector<std::pair<std::string, std::string>> print_sentence_modules(const SentenceModules& modules, int64_t width);

// The same from the files' texts; `what` is their folder, for messages. Empty: there is no such file.
struct SentenceFiles {
  std::string modules, pooling, transformer;
};
SentenceModules parse_sentence_modules(const SentenceFiles& files, const std::string& what);
// The folder of the pooling step, within the model's: what modules.json names, if it names a plain folder. Error(file) otherwise.
std::string pooling_folder(const std::string& modules, const std::string& what);

}  // namespace motley

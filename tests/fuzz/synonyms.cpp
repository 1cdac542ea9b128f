// Any bytes as a file of synonyms: words without white space around them, each with others beside it; and any text said with them.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "io/dataset/augment.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    for (const auto& [word, others] : motley::parse_synonyms(text, "input")) {
      if (word.empty() || word != motley::trim(word) || others.empty()) std::abort();
      for (const std::string& other : others)
        if (other.empty() || other != motley::trim(other)) std::abort();
    }
  } catch (const motley::Error&) {
  }
  motley::AugmentOptions options{.deletion = 0.2, .swap = 2};
  options.copies = 2;
  const motley::Augmenter augmenter(options);
  for (int64_t copy : {0, 1})
    if (augmenter.augment(text, 1, copy).size() > size) std::abort();
  return 0;
}

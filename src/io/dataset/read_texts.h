// The texts of data files, whatever they come in, for those who count words and not records: of a conversation each message is one, of a
// pair each side.
//
//   TextsRead read = read_texts({.path = "corpus/*.txt.gz"}, [&](std::string_view text) { words.add(text); });
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/read_records.h"

namespace motley {

struct TextsRead {
  std::string description;  // "2,717 documents, plain text, documents between <|endoftext|>"
  std::vector<std::string> warnings;
};

// end_of_text: words between documents that are no text themselves. Errors are those of read_samples().
TextsRead read_texts(const DataOptions& options, std::string_view end_of_text, const std::function<void(std::string_view text)>& use,
                     const DataProgress& progress = {});

}  // namespace motley

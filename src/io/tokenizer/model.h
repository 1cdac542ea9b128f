// The heart of a tokenizer: a word in, ids out. One class per algorithm, each in its own file; all constant and usable by many threads.
//
//   std::unique_ptr<Model> model = std::make_unique<BpeModel>(...);
//   model->encode("hello", ids);     // appends
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace motley::tok {

class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of one word: what the pre-tokenizer made, valid UTF-8 (for a byte-level model the bytes themselves), not empty.
  virtual void encode(std::string_view word, std::vector<int32_t>& ids) const = 0;
  // No token contains U+2581 behind another character: then text may be cut before every run of U+2581 without changing the result,
  // which turns one long text into words that repeat.
  virtual bool independent_at_metaspace() const { return false; }
};

}  // namespace motley::tok

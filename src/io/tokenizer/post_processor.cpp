#include "io/tokenizer/post_processor.h"

#include <utility>

namespace motley::tok {

std::vector<int32_t> Template::apply(std::vector<int32_t> text) const {
  std::vector<int32_t> out;
  out.reserve(text.size() + items.size());
  for (int32_t item : items) {
    if (item == kText) {
      out.insert(out.end(), text.begin(), text.end());
    } else {
      out.push_back(item);
    }
  }
  return out;
}

std::vector<int32_t> PostProcessor::apply(std::vector<int32_t> text) const {
  for (const Template& t : templates_) text = t.apply(std::move(text));
  return text;
}

PairTemplate bert_pair(int32_t cls, int32_t sep) { return {{{cls, 0}, {PairTemplate::kFirst, 0}, {sep, 0}, {PairTemplate::kSecond, 1}, {sep, 1}}}; }

PairTemplate roberta_pair(int32_t cls, int32_t sep) {
  return {{{cls, 0}, {PairTemplate::kFirst, 0}, {sep, 0}, {sep, 0}, {PairTemplate::kSecond, 0}, {sep, 0}}};
}

}  // namespace motley::tok

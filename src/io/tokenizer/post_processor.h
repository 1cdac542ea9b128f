// Post-processing: the special tokens that a model expects around a text. A template lists ids and the place of the text's own ids;
// several apply one after another.
//
//   Template bert{{101, Template::kText, 102}};       // [CLS] text [SEP]
//   std::vector<int32_t> ids = bert.apply(text_ids);
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

namespace motley::tok {

struct Template {
  static constexpr int32_t kText = -1;
  std::vector<int32_t> items;  // ids, and kText where the text stands

  std::vector<int32_t> apply(std::vector<int32_t> text) const;
};

class PostProcessor {
 public:
  void add(Template t) { templates_.push_back(std::move(t)); }
  bool empty() const { return templates_.empty(); }
  std::vector<int32_t> apply(std::vector<int32_t> text) const;

 private:
  std::vector<Template> templates_;
};

}  // namespace motley::tok

// Post-processing: the special tokens that a model expects around a text. A template lists ids and the place of the text's own ids;
// several apply one after another. For two texts that are judged together there is a template of its own, which also says the segment of
// each token.
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

struct PairTemplate {
  static constexpr int32_t kFirst = -1, kSecond = -2;
  struct Item {
    int32_t id = kFirst;  // or kFirst, kSecond where a text stands
    int32_t type = 0;     // of the segment
  };
  std::vector<Item> items;  // empty: there is none
};

class PostProcessor {
 public:
  void add(Template t) { templates_.push_back(std::move(t)); }
  void set_pair(PairTemplate pair) { pair_ = std::move(pair); }
  bool empty() const { return templates_.empty(); }
  std::vector<int32_t> apply(std::vector<int32_t> text) const;
  const PairTemplate& pair() const { return pair_; }

 private:
  std::vector<Template> templates_;
  PairTemplate pair_;
};

// [CLS] a [SEP] b [SEP], b being the second segment.
PairTemplate bert_pair(int32_t cls, int32_t sep);
// <s> a </s></s> b </s>, all one segment.
PairTemplate roberta_pair(int32_t cls, int32_t sep);

}  // namespace motley::tok

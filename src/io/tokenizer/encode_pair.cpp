#include "io/tokenizer/encode_pair.h"

#include <algorithm>

#include "base/error.h"
#include "io/tokenizer/pipeline.h"

namespace motley {
namespace {

using tok::PairTemplate;

PairTemplate template_for_one(const tok::Pipeline& p) {
  PairTemplate t;
  for (int32_t id : p.post.apply({PairTemplate::kFirst})) t.items.push_back({id, 0});
  return t;
}

PairTemplate template_for_two(const tok::Pipeline& p) {
  if (!p.post.pair().items.empty()) return p.post.pair();
  if (p.special.cls >= 0 && p.special.sep >= 0) return tok::bert_pair(p.special.cls, p.special.sep);
  PairTemplate t = template_for_one(p);
  for (int32_t id : p.post.apply({PairTemplate::kSecond})) t.items.push_back({id, 0});
  return t;
}

// As the tokenizers library cuts pairs: the longer one down to the shorter, then both alike.
void cut(int64_t room, int64_t& first, int64_t& second) {
  if (first + second <= room) return;
  int64_t &shorter = first <= second ? first : second, &longer = first <= second ? second : first;
  if (shorter <= room / 2) {
    longer = room - shorter;
  } else {
    shorter = room / 2;
    longer = room - shorter;
  }
}

}  // namespace

EncodedText encode_whole(const Tokenizer& tokenizer, std::string_view text, std::optional<std::string_view> second, int64_t max_tokens) {
  const tok::Pipeline& p = tokenizer.pipeline();
  const PairTemplate around = second ? template_for_two(p) : template_for_one(p);
  const auto special = std::ranges::count_if(around.items, [](const PairTemplate::Item& i) { return i.id >= 0; });
  std::vector<int32_t> a = p.encode(text, false), b = second ? p.encode(*second, false) : std::vector<int32_t>{};
  EncodedText out;
  auto a_size = static_cast<int64_t>(a.size()), b_size = static_cast<int64_t>(b.size());
  if (special >= max_tokens)
    fail(ErrorKind::usage, "tokenizer", "texts of at most {} tokens leave no room beside {} special ones", max_tokens, special);
  out.cut = a_size + b_size;
  cut(max_tokens - special, a_size, b_size);
  out.cut -= a_size + b_size;
  for (const PairTemplate::Item& item : around.items) {
    const auto at = static_cast<int64_t>(out.ids.size());
    if (item.id >= 0) {
      out.ids.push_back(item.id);
    } else if (item.id == PairTemplate::kFirst) {
      out.ids.insert(out.ids.end(), a.begin(), a.begin() + a_size);
      out.first_begin = at, out.first_size = a_size;
    } else {
      out.ids.insert(out.ids.end(), b.begin(), b.begin() + b_size);
      out.second_begin = at, out.second_size = b_size;
    }
    out.types.resize(out.ids.size(), item.type);
  }
  return out;
}

}  // namespace motley

#include "case.h"
#include "quant/format.h"

namespace motley::exam {

void add_shape(std::vector<Case>& cases, Depth depth) {
  cases.push_back({"transpose matrix", Transpose{{1, 0}}, {{plain({17, 33}), normal(21)}}, exact()});
  cases.push_back({"transpose heads", Transpose{{1, 0, 2}}, {{plain({6, 5, 19}), normal(21)}}, exact()});
  cases.push_back({"slice rows", Slice{-1, 5, 40}, {{rows_of(64, {77}), normal(22)}}, exact(), 64});
  cases.push_back({"slice middle", Slice{1, 2, 3}, {{rows_of(64, {6, 11}), normal(22)}}, exact(), 64});
  cases.push_back(
      {"concat last", Concat{-1}, {{rows_of(64, {13}), normal(23)}, {rows_of(64, {1}), normal(24)}, {rows_of(64, {30}), normal(25)}}, exact(), 64});
  cases.push_back({"concat first", Concat{0}, {{plain({3, 13}), normal(23)}, {plain({2, 13}), normal(24)}}, exact()});
  if (depth == Depth::full) {
    cases.push_back({"transpose all", Transpose{{3, 1, 0, 2}}, {{plain({4, 5, 6, 7}), normal(21)}}, exact()});
    cases.push_back({"transpose nothing", Transpose{{0, 1}}, {{plain({40, 41}), normal(21)}}, exact()});
    cases.push_back({"slice ints", Slice{0, 1, 3}, {{plain({5, 2}), normal(22)}}, exact()});
  }
  for (const DtypeInfo& d : dtypes()) {
    if (!is_float(d.dtype) && !d.quantised) continue;
    if (d.dtype == Dtype::f64) continue;
    int64_t width = d.quantised ? 2 * d.block : 45;
    cases.push_back({std::string("gather ") + d.name,
                     Gather{},
                     {{plain({37, width}, d.dtype), normal(26)}, {rows_of(64, {}, Dtype::i32), uniform_int(27, 37)}},
                     exact(),
                     64});
  }
}

}  // namespace motley::exam

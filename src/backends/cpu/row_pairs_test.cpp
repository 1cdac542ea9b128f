// One row that reads two panels at a time has the bits of two that read one: processors that gain nothing by it never take that way by themselves.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "backends/cpu/isa.h"
#include "backends/cpu/layout.h"
#include "quant/format.h"

namespace motley::cpu {
namespace {

constexpr Dtype kFormats[] = {Dtype::q8_0, Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1,
                              Dtype::q2_k, Dtype::q3_k, Dtype::q4_k, Dtype::q5_k, Dtype::q6_k};
constexpr int64_t kK = 512;

struct alignas(64) Line {
  uint8_t bytes[64];
};
using Panel = std::vector<Line>;

// Values that differ from row to row and panel to panel.
std::vector<float> values(int64_t n, int seed) {
  std::vector<float> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>((i * 37 + static_cast<size_t>(seed) * 101) % 211) / 100 - 1;
  return v;
}

Panel panel_of(Dtype dtype, int seed) {
  const auto rows = values(kPanelColumns * kK, seed);
  const int64_t stride = row_bytes(dtype, kK);
  std::vector<std::byte> packed(static_cast<size_t>(kPanelColumns * stride));
  for (int64_t r = 0; r < kPanelColumns; ++r) format(dtype).pack(rows.data() + r * kK, packed.data() + r * stride, kK);
  Panel panel(static_cast<size_t>(bytes_of_panel(dtype, kK)) / sizeof(Line));
  pack_panel(dtype, packed.data(), stride, kPanelColumns, kK, reinterpret_cast<std::byte*>(panel.data()));
  return panel;
}

TEST(RowPairs, HaveTheBitsOfSinglePanels) {
  const auto x = values(kK, 9);
  for (Isa isa : usable_isas()) {
    const KernelTable& k = kernel_table(isa);
    std::vector<int8_t> a(kK);
    std::vector<float> scale(kK / 32);
    std::vector<int32_t> sum(kK / 16);
    const float* row = x.data();
    k.quantise(&row, 1, kK, a.data(), scale.data(), sum.data());
    for (Dtype dtype : kFormats) {
      SCOPED_TRACE(testing::Message() << name(isa) << " " << motley::name(dtype));
      const Panel one = panel_of(dtype, 1), two = panel_of(dtype, 2);
      const auto tile = k.int_tile[block_format(dtype)];
      auto multiply = [&](const Panel& w, const Panel* w2, bool first, int64_t ahead, float* c, float* c2) {
        tile({.a = a.data(),
              .a_scale = scale.data(),
              .a_sum = sum.data(),
              .rows = 1,
              .w = w.data()->bytes,
              .blocks = kK / 32,
              .c = c,
              .c_stride = kPanelColumns,
              .first = first,
              .ahead = ahead,
              .w2 = w2 ? w2->data()->bytes : nullptr,
              .c2 = c2});
      };
      for (bool first : {true, false}) {
        std::vector<float> alone(2 * kPanelColumns, 0.5f), paired = alone;
        multiply(one, nullptr, first, 0, alone.data(), nullptr);
        multiply(two, nullptr, first, 0, alone.data() + kPanelColumns, nullptr);
        multiply(one, &two, first, 4096, paired.data(), paired.data() + kPanelColumns);
        EXPECT_EQ(std::memcmp(alone.data(), paired.data(), alone.size() * sizeof(float)), 0);
        EXPECT_NE(std::memcmp(alone.data(), alone.data() + kPanelColumns, kPanelColumns * sizeof(float)), 0);
      }
    }
  }
}

}  // namespace
}  // namespace motley::cpu

#include "ir/type.h"

#include <gtest/gtest.h>

namespace motley {
namespace {

TEST(Type, NamedSizesKeepTheirCeilingAndBindToTheStep) {
  Type t{Dtype::f32, {{512, Sym::T}, {64}}};
  EXPECT_EQ(to_string(t), "f32[T<=512,64]");
  EXPECT_EQ(parse_type("f32[T<=512,64]"), t);
  EXPECT_EQ(bind(t.shape, {.T = 5}), (Shape{5, 64}));
  EXPECT_EQ(max_bytes(t), 512 * 64 * 4);
}

TEST(Type, BlocksCountInBytes) { EXPECT_EQ(max_bytes({Dtype::q4_k, {{3}, {512}}}), 3 * 2 * 144); }

TEST(Type, RefusesWhatIsNoType) {
  for (const char* text : {"", "f32", "f32[", "f32[x]", "f32[-1]", "f32[U<=3]", "q9[3]", "f32[1,]"}) EXPECT_FALSE(parse_type(text)) << text;
  EXPECT_EQ(parse_type("i64[]"), (Type{Dtype::i64, {}}));
}

}  // namespace
}  // namespace motley

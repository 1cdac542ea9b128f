#include "ir/text.h"

#include <gtest/gtest.h>

#include "motley/error.h"

namespace motley {
namespace {

constexpr const char* kGraph = R"(graph
%0 = input : i32[T<=512] "tokens"
%1 = state : f32[512,64] "embed \"x\".weight"
%2 = const shape=[1] values=[0.1] : f32[1] "const"
%3 = gather(%1, %0) : f32[T<=512,64] "embed" block=0
%4 = mul(%3, %2) : f32[T<=512,64] "scaled" block=0
%5 = top_k(%4) k=2 : f32[T<=512,2] ; i32[T<=512,2] "top"
%6 = rope(%3, %5.1) pairing=interleaved dims=16 scale=1.5 : f32[T<=512,64] "not verified here"
output %5.1 "ids"
)";

TEST(GraphText, PrintsBackWhatItParsed) { EXPECT_EQ(print(parse_graph(kGraph)), kGraph); }

TEST(GraphText, KeepsEveryAttributeOfEveryOp) {
  for (size_t i = 0; i < kNumOps; ++i) {
    Op op, back;
    ASSERT_TRUE(op_from_name(op_name(i), op));
    ASSERT_TRUE(op_from_name(op_name(op), back));
    EXPECT_EQ(op.index(), i);
    for (const auto& [field, value] : fields(op)) EXPECT_TRUE(parse_field(back, field, value)) << op_name(i) << " " << field << "=" << value;
    EXPECT_TRUE(op == back);
  }
}

TEST(GraphText, SpellsNamesInSnakeCase) {
  EXPECT_EQ(op_name(Op{AddRmsNorm{}}), "add_rms_norm");
  EXPECT_EQ(op_name(Op{TopK{}}), "top_k");
}

void expect_error(std::string_view text, std::string_view message) {
  try {
    parse_graph(text);
    FAIL() << "accepted: " << text;
  } catch (const Error& e) {
    EXPECT_NE(std::string_view(e.what()).find(message), std::string_view::npos) << e.what();
  }
}

TEST(GraphText, MistakesNameTheirLine) {
  expect_error("", "expected the word 'graph'");
  expect_error("graph\n%0 = nonsense : f32[1] \"x\"", "line 2: expected an op, not 'nonsense'");
  expect_error("graph\n%0 = add(%1, %1) : f32[1] \"x\"", "line 2: expected a value of an earlier line");
  expect_error("graph\n%1 = input : f32[1] \"x\"", "line 2: expected node %0");
  expect_error("graph\n%0 = input : f99[1] \"x\"", "a type such as");
  expect_error("graph\n%0 = const shape=[2] value=[1] : f32[1] \"x\"", "an attribute of const");
  expect_error("graph\n%0 = input : f32[1] \"x", "a closing quote");
  expect_error("graph\n%0 = input : f32[1] \"x\" trailing", "the end of the line");
}

}  // namespace
}  // namespace motley

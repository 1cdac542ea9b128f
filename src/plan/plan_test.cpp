#include "plan/plan.h"

#include <gtest/gtest.h>

#include "motley/error.h"

namespace motley {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

Target machine(int64_t memory) {
  Target t;
  t.memory_bytes = memory;
  t.threads = 2;
  return t;
}

// About Llama-3.2-1B in Q8_0.
constexpr ModelDemand kModel{.weight_bytes = 1314 * 1000 * 1000LL,
                             .largest_weight_bytes = 279 * 1000 * 1000LL,
                             .kv_row_elements = 16 * 2 * 512,
                             .max_positions = 131072,
                             .vocab = 128256,
                             .hidden = 2048,
                             .layers = 16};

TEST(Plan, TheContextIsAsLongAsTheModelAllowsAndMemoryHolds) {
  EXPECT_EQ(make_plan(kModel, machine(24 * kGiB), {}).context, 131072);
  Plan small = make_plan(kModel, machine(4 * kGiB), {});
  EXPECT_LT(small.context, 131072);
  EXPECT_LE(memory_bytes(kModel, small), 3 * kGiB);
  Plan twice = small;
  twice.context *= 2, twice.pages *= 2;
  EXPECT_GT(memory_bytes(kModel, twice), 3 * kGiB) << "it could have been twice as long";
}

TEST(Plan, WhatCannotFitSaysWhatWould) {
  auto message = [](int64_t memory, PlanWishes wishes) -> std::string {
    try {
      make_plan(kModel, machine(memory), wishes);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::no_fit);
      return e.what();
    }
    return "";
  };
  EXPECT_NE(message(1 * kGiB, {}).find("motley quantize"), std::string::npos);
  PlanWishes long_context;
  long_context.context = 131072;
  EXPECT_NE(message(4 * kGiB, long_context).find("smaller --ctx-size"), std::string::npos);
}

TEST(Plan, KvBytesAreExact) {
  Plan p;
  p.context = 64, p.sequences = 2, p.pages = 4, p.kv_type = Dtype::q8_0;
  EXPECT_EQ(kv_bytes(kModel, p), 128 * 16 * 2 * 512 / 32 * 34);
}

TEST(Plan, TextParsesBack) {
  Plan p = make_plan(kModel, machine(24 * kGiB), {});
  EXPECT_EQ(parse_plan(print(p), "plan.yaml"), p);
  EXPECT_EQ(parse_plan("context: 100\n", "x").pages, 4);
}

TEST(Plan, MistakesNameTheirLine) {
  auto message = [](std::string_view text) -> std::string {
    try {
      parse_plan(text, "p.yaml");
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(message("context: 8\nthread: 3\n").find("p.yaml line 2: unknown key 'thread', did you mean 'threads'?"), std::string::npos);
  EXPECT_NE(message("context: -1\n").find("line 1: 'context' should be a whole number"), std::string::npos);
  EXPECT_NE(message("context: 8\nkv_type: q4_0\n").find("should be f32, f16, bf16 or q8_0"), std::string::npos);
  EXPECT_NE(message("threads: 2\n").find("'context' is missing"), std::string::npos);
  EXPECT_NE(message("[1, 2").find("line"), std::string::npos);
  EXPECT_NE(message("- 1\n").find("key: value"), std::string::npos);
  EXPECT_NE(message("device: [1]\n").find("'device'"), std::string::npos);
}

}  // namespace
}  // namespace motley

#include "train/precision_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace motley {
namespace {

using testing::HasSubstr;
using Watches = std::map<int, BlockWatch>;

const Watches kFine = {{0, {10, 0}}, {1, {12, 0}}, {2, {9, 0}}};

TEST(PrecisionWish, OfADeviceWithoutSmallProductsIsF32AndSaysWhy) {
  Target target;
  target.isa = "avx2";
  PrecisionWish wish = precision_wish("auto", target);
  EXPECT_EQ(wish.small, Dtype::f32);
  EXPECT_THAT(wish.why, testing::AllOf(HasSubstr("precision is f32"), HasSubstr("cpu:0 (avx2) has no products of 16-bit floats")));
  EXPECT_THAT(precision_wish("f16", target).why, HasSubstr("as asked; but cpu:0"));
  EXPECT_EQ(precision_wish("adaptive", target).small, Dtype::f16);
  target.native_floats.push_back(Dtype::bf16);
  EXPECT_EQ(precision_wish("auto", target).small, Dtype::bf16);
  EXPECT_EQ(precision_wish("adaptive", target).small, Dtype::bf16);
  EXPECT_EQ(precision_wish("f16", target).why, "");
  EXPECT_ANY_THROW(precision_wish("fp8", target));
}

TEST(PrecisionControl, BeginsWithAScaleThatSuitsASum) {
  EXPECT_EQ(PrecisionControl(PrecisionMode::fixed, Dtype::f16, 512).loss_scale(), 128);
  EXPECT_EQ(PrecisionControl(PrecisionMode::fixed, Dtype::f16, 700).loss_scale(), 128);
  EXPECT_EQ(PrecisionControl(PrecisionMode::fixed, Dtype::bf16, 512).loss_scale(), 1);
  EXPECT_EQ(PrecisionControl(PrecisionMode::fixed, Dtype::f32, 512).loss_scale(), 1);
}

TEST(PrecisionControl, HalvesTheScaleOnOverflowAndDoublesItWhenCalm) {
  PrecisionControl control(PrecisionMode::fixed, Dtype::f16, 512);
  auto reaction = control.observe(1, {{0, {NAN, 0}}, {1, {1e9, 0}}, {2, {20, 0}}}, true, false);
  EXPECT_TRUE(reaction.rescaled);
  EXPECT_FALSE(reaction.changed);
  EXPECT_EQ(control.loss_scale(), 64);
  ASSERT_EQ(reaction.notes.size(), 1u);
  EXPECT_THAT(reaction.notes[0], testing::AllOf(HasSubstr("of block 1"), HasSubstr("becomes 64")));
  for (int step = 2; step <= 200; ++step) control.observe(step, kFine, true, true);
  EXPECT_EQ(control.loss_scale(), 64);
  control.observe(201, kFine, true, true);
  EXPECT_EQ(control.loss_scale(), 128);
}

// With gradients within the loss, an infinite one is answered by the scale, down to the least.
TEST(PrecisionControl, ALossMadeOfScaledGradientsIsNoSignOfARunGoneWrong) {
  PrecisionControl plain(PrecisionMode::fixed, Dtype::f16, 512), control(PrecisionMode::fixed, Dtype::f16, 512, true),
      wide(PrecisionMode::fixed, Dtype::bf16, 512, true);
  EXPECT_FALSE(plain.answers_loss() || wide.answers_loss());
  EXPECT_FALSE(plain.observe(1, {{0, {NAN, 0}}}, false, false).rescaled);
  EXPECT_TRUE(control.observe(1, {{0, {NAN, 0}}}, false, false).rescaled);
  EXPECT_EQ(control.loss_scale(), 64);
  int steps = 0;
  for (; control.answers_loss() && steps < 100; ++steps) control.observe(2 + steps, {{0, {NAN, 0}}}, false, false);
  EXPECT_EQ(steps, 30);
}

TEST(PrecisionControl, DoesNotDoubleWhereTheNextStepWouldOverflow) {
  PrecisionControl control(PrecisionMode::fixed, Dtype::f16, 512);
  for (int step = 1; step <= 500; ++step) control.observe(step, {{0, {40000, 0}}, {1, {3, 0}}}, true, true);
  EXPECT_EQ(control.loss_scale(), 128);
}

TEST(PrecisionControl, MovesTheBlockThatOverflowsAloneAndTriesItAgain) {
  PrecisionControl control(PrecisionMode::adaptive, Dtype::f16, 512);
  const Watches wild = {{0, {NAN, 0}}, {1, {1e9, 0}}, {2, {20, 0}}};
  EXPECT_FALSE(control.observe(1, wild, true, false).changed);
  auto reaction = control.observe(2, wild, true, false);
  EXPECT_TRUE(reaction.changed);
  EXPECT_EQ(control.plan().of(1), Dtype::f32);
  EXPECT_EQ(control.plan().of(0), Dtype::f16);
  EXPECT_EQ(control.loss_scale(), 32);
  EXPECT_THAT(reaction.notes.back(), HasSubstr("block 1 moves from f16 to f32"));
  int64_t step = 3;
  while (control.plan().of(1) == Dtype::f32) control.observe(step++, {{0, {5, 0}}, {2, {6, 0}}}, true, true);
  EXPECT_EQ(step, 203);
  control.observe(step++, wild, true, false), control.observe(step, wild, true, false);
  EXPECT_EQ(control.state().blocks.at(1).returns, step + 400);
}

TEST(PrecisionControl, AScaleTooLargeForTheWholeModelMovesNoBlockAtOnce) {
  PrecisionControl control(PrecisionMode::adaptive, Dtype::f16, 1);
  for (int step = 1; step <= 3; ++step) EXPECT_FALSE(control.observe(step, {{0, {NAN, 0}}, {1, {1e6, 0}}}, true, false).changed) << step;
  for (int step = 4; step <= 6; ++step) EXPECT_FALSE(control.observe(step, {{0, {1e6, 0}}, {1, {50000, 0}}}, true, false).changed) << step;
  EXPECT_EQ(control.loss_scale(), 1024);
}

TEST(PrecisionControl, WhatVanishesGetsALargerScaleOrF32) {
  PrecisionControl control(PrecisionMode::adaptive, Dtype::f16, 512);
  int64_t step = 1;
  for (; control.loss_scale() == 128 && step < 100; ++step) control.observe(step, {{0, {5, 0.3}}, {1, {6, 0}}}, true, true);
  EXPECT_EQ(control.loss_scale(), 256);
  EXPECT_LT(step, 30);
  // Block 1 bears no more.
  for (; control.plan().of(0) == Dtype::f16 && step < 200; ++step) control.observe(step, {{0, {5, 0.3}}, {1, {60000, 0}}}, true, true);
  EXPECT_EQ(control.plan().of(0), Dtype::f32);
  EXPECT_EQ(control.loss_scale(), 256);
}

TEST(PrecisionControl, NoiseMovesABlockOfBf16) {
  PrecisionControl control(PrecisionMode::adaptive, Dtype::bf16, 512);
  int64_t step = 1;
  for (; control.plan().of(0) == Dtype::bf16 && step < 100; ++step) control.observe(step, {{0, {5, 0, 0.1}}, {1, {6, 0, 0.002}}}, true, true);
  EXPECT_EQ(step, 11);
  EXPECT_EQ(control.plan().of(1), Dtype::bf16);
  EXPECT_EQ(control.loss_scale(), 1);
}

TEST(PrecisionControl, ALossThatIsNoNumberMovesEveryBlock) {
  PrecisionControl control(PrecisionMode::adaptive, Dtype::f16, 512);
  EXPECT_TRUE(control.observe(1, {{0, {NAN, 0}}, {1, {NAN, 0}}}, false, false).changed);
  for (int block : {0, 1}) EXPECT_EQ(control.plan().of(block), Dtype::f32);
  PrecisionControl fixed(PrecisionMode::fixed, Dtype::f16, 512);
  EXPECT_FALSE(fixed.observe(1, {{0, {NAN, 0}}}, false, false).changed);
}

TEST(PrecisionControl, GoesOnFromWhatACheckpointKept) {
  PrecisionControl control(PrecisionMode::adaptive, Dtype::f16, 512), other(PrecisionMode::adaptive, Dtype::f16, 512);
  const Watches wild = {{0, {NAN, 0}}, {1, {1e9, 0}}, {2, {20, 0.1}}};
  for (int step = 1; step <= 2; ++step) control.observe(step, wild, true, false);
  for (int step = 3; step <= 20; ++step) control.observe(step, {{0, {1.0 / 3, 0.01}}, {2, {6, 0.02}}}, true, true);
  other.restore(precision_state(Json::parse(to_json(control.state()).dump()), "run.json"));
  EXPECT_EQ(other.state().blocks, control.state().blocks);
  EXPECT_EQ(other.plan().blocks, control.plan().blocks);
  for (int step = 21; step <= 400; ++step) {
    control.observe(step, kFine, true, true), other.observe(step, kFine, true, true);
    EXPECT_EQ(to_json(control.state()), to_json(other.state())) << step;
  }
}

}  // namespace
}  // namespace motley

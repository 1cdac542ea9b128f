#include "train/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "motley/error.h"

namespace motley {
namespace {

std::string refusal(const char* text) {
  try {
    parse_recipe(text, "r.yaml");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(TrainingRecipe, PrintsAndReadsBackEveryField) {
  TrainingRecipe r;
  r.model = "models/a: b", r.data = "d.txt", r.learning_rate = 0.1 + 0.2, r.steps = 12345678901, r.output = "#x", r.merge = true;
  TrainingRecipe again = parse_recipe(print(r), "r.yaml");
  EXPECT_EQ(print(again), print(r));
  EXPECT_EQ(again.learning_rate, r.learning_rate);
  EXPECT_EQ(again.model, r.model);
  EXPECT_TRUE(again.merge);
  EXPECT_TRUE(differences(r, again).empty());
}

TEST(TrainingRecipe, SaysWhichLineIsWrong) {
  EXPECT_THAT(refusal("model: a\nlerning-rate: 1\n"),
              testing::AllOf(testing::HasSubstr("r.yaml line 2"), testing::HasSubstr("did you mean 'learning-rate'?")));
  EXPECT_THAT(refusal("steps: many"), testing::HasSubstr("'steps' should be a number, not 'many'"));
  EXPECT_THAT(refusal("merge: 3"), testing::HasSubstr("'merge' should be true or false, not '3'"));
  EXPECT_THAT(refusal("- a"), testing::HasSubstr("'key: value'"));
  EXPECT_THAT(refusal("a: [b"), testing::HasSubstr("line"));
}

TEST(TrainingRecipe, AFieldIsOneValueAndThereOnce) {
  EXPECT_THAT(refusal("data: [a, b]"), testing::HasSubstr("'data' should be one value, not a list"));
  EXPECT_THAT(refusal("data: {a: b}"), testing::HasSubstr("'data' should be one value, not a group of keys"));
  EXPECT_THAT(refusal("seed: 1\nseed: 2"), testing::HasSubstr("line 2: 'seed' is there twice"));
  EXPECT_EQ(refusal("data:\n"), "");
}

TEST(TrainingRecipe, EveryNumberHasItsRange) {
  const auto words = [](auto&& change) -> std::string {
    TrainingRecipe r;
    change(r);
    try {
      check_numbers(r);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(words([](TrainingRecipe&) {}), "") << "the defaults are within";
  EXPECT_THAT(words([](TrainingRecipe& r) { r.epochs = 0; }), testing::HasSubstr("--epochs should be above 0 and at most 1e+06, not 0"));
  EXPECT_THAT(words([](TrainingRecipe& r) { r.weight_decay = NAN; }), testing::HasSubstr("--weight-decay should be at least 0, not nan"));
  EXPECT_THAT(words([](TrainingRecipe& r) { r.lora_alpha = INFINITY; }), testing::HasSubstr("--lora-alpha should be a finite number, not inf"));
  EXPECT_THAT(words([](TrainingRecipe& r) { r.steps = -1; }), testing::HasSubstr("--steps should be at least 0"));
}

TEST(TrainingRecipe, TellsWhatChangesTheResult) {
  TrainingRecipe before, now;
  now.batch = "32", now.threads = 7, now.merge = true;
  EXPECT_THAT(differences(before, now), testing::ElementsAre("batch was '16' and is '32'"));
}

}  // namespace
}  // namespace motley

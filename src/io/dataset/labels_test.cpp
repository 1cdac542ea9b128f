#include "io/dataset/labels.h"

#include <gtest/gtest.h>

namespace motley {
namespace {

LabelTable::Numbers numbers(LabelKind kind, const std::vector<std::vector<std::string>>& labels, std::vector<std::string> known = {}) {
  LabelTable table(kind, std::move(known));
  for (const auto& l : labels) EXPECT_EQ(table.add(l), "");
  return table.finish("data");
}
using Floats = std::vector<float>;
using Names = std::vector<std::string>;

TEST(Labels, ClassesAreInAStableOrder) {
  auto names = numbers(LabelKind::classes, {{"pos"}, {"neg"}, {"pos"}});
  EXPECT_EQ(names.classes, (Names{"neg", "pos"}));
  EXPECT_EQ(names.values, (Floats{1, 0, 1}));
  EXPECT_EQ(names.words, "2 classes: neg, pos");
  auto whole = numbers(LabelKind::automatic, {{"10"}, {"9"}, {"-1"}});  // by value, not as text
  EXPECT_EQ(whole.classes, (Names{"-1", "9", "10"}));
  EXPECT_EQ(whole.values, (Floats{2, 1, 0}));
}

TEST(Labels, AFractionMakesThemValues) {
  auto values = numbers(LabelKind::automatic, {{"1"}, {"2.5"}, {"1"}});
  EXPECT_EQ(values.values, (Floats{1, 2.5f, 1}));
  EXPECT_TRUE(values.classes.empty());
  EXPECT_EQ(numbers(LabelKind::values, {{"3"}}).values, Floats{3});
  for (const char* bad : {"three", "nan", "inf", "", "1e999"}) EXPECT_NE(LabelTable(LabelKind::values, {}).add({bad}), "") << bad;
}

TEST(Labels, SeveralAreAPlaceForEachClass) {
  auto several = numbers(LabelKind::several, {{"b", "a"}, {}, {"c"}});
  EXPECT_EQ(several.classes, (Names{"a", "b", "c"}));
  EXPECT_EQ(several.width, 3);
  EXPECT_EQ(several.values, (Floats{1, 1, 0, 0, 0, 0, 0, 0, 1}));
}

TEST(Labels, KnownClassesKeepTheirOrderAndTakeIndicesToo) {
  auto known = numbers(LabelKind::classes, {{"neg"}, {"1"}, {"0"}}, {"pos", "neg"});
  EXPECT_EQ(known.classes, (Names{"pos", "neg"}));
  EXPECT_EQ(known.values, (Floats{1, 1, 0}));
  LabelTable table(LabelKind::classes, {"pos", "neg"});
  EXPECT_EQ(table.add({"other"}), "the label 'other' is none of the classes pos, neg");
  EXPECT_NE(table.add({"2"}), "");
  LabelTable digits(LabelKind::classes, {"1", "2"});
  EXPECT_NE(digits.add({"0"}), "");  // numbers that are names are no indices
}

}  // namespace
}  // namespace motley

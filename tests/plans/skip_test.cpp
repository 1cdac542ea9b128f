// Promise (ii) for passes: any optimising pass, and each rewrite by name, can be left out and the answer does not change: logits within the
// bound, and the same greedy token at each step where the two best logits are further apart than twice the bound.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <iostream>

#include "passes/pipeline.h"
#include "run_model.h"

namespace motley {
namespace {

class Skip : public testing::TestWithParam<std::string> {};

// float sums of a different order, through a few layers of these small models.
constexpr float kBound = 2e-4f;

std::vector<std::string> everything_skippable() {
  std::vector<std::string> out;
  for (const Pass& p : graph_passes()) {
    if (!p.optimising) continue;
    out.emplace_back(p.name);
    for (const char* r : p.rewrites) out.push_back(std::string(p.name) + "." + r);
  }
  return out;
}

float gap(std::vector<float> row) {
  std::ranges::partial_sort(row, row.begin() + 2, std::greater<>());
  return row[0] - row[1];
}

TEST_P(Skip, LeavingAPassOutChangesNoAnswer) {
  OpenModel model = open_tiny(GetParam(), {});
  auto prompt = some_prompt(model, 12, 7);
  Trace all = run_prompts(model, {prompt}, 24)[0];
  int below = 0;
  for (const std::string& skip : everything_skippable()) {
    OpenModel other = open_tiny(GetParam(), {.skip = {skip}});
    Trace without = run_prompts(other, {prompt}, 24)[0];
    for (size_t i = 0; i < all.logits.size(); ++i) {
      float scale = 1;
      for (float v : all.logits[i]) scale = std::max(scale, std::abs(v));
      float worst = 0;
      for (size_t v = 0; v < all.logits[i].size(); ++v) worst = std::max(worst, std::abs(all.logits[i][v] - without.logits[i][v]));
      ASSERT_LE(worst, kBound * scale) << "without " << skip << ", position " << i;
      size_t generated = i + 1 - prompt.size();
      if (i + 1 < prompt.size()) continue;
      if (gap(all.logits[i]) <= 2 * kBound * scale) {
        ++below;
        break;  // from here on the texts may differ
      }
      ASSERT_EQ(all.tokens[generated], without.tokens[generated]) << "without " << skip;
    }
  }
  RecordProperty("steps_below_the_gap", below);
  if (below) std::cout << GetParam() << ": " << below << " texts met a step whose best two logits are closer than twice the bound\n";
}

INSTANTIATE_TEST_SUITE_P(Models, Skip, testing::ValuesIn(tiny_models()), [](const auto& p) {
  std::string name = p.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace motley

// A weight is packed by several threads at once, each reading its part. What load() lends may be a mapping whose pages vanish, so the bytes
// must come through read_part(), whole and in their places.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "api/devices.h"
#include "control/session.h"
#include "nn/shapes.h"
#include "quant/recipe.h"

namespace motley {
namespace {

std::vector<float> logits_of(const ModelSource& source, int threads) {
  Plan plan;
  plan.context = 64, plan.pages = 4, plan.page_tokens = 16, plan.batch_tokens = 4, plan.sequences = 1, plan.kv_type = Dtype::f32;
  Session session(source, plan, open_device("cpu", {.threads = threads}), SessionOptions{});
  StepInputs step;
  step.tokens = {5, 7, 11, 13}, step.positions = {0, 1, 2, 3}, step.seq = {0, 0, 0, 0}, step.slots = {0, 1, 2, 3}, step.rows = {3};
  step.tables.assign(static_cast<size_t>(session.limits().blocks), 0);
  std::vector<float> logits(static_cast<size_t>(session.limits().vocab));
  session.run(step, logits);
  return logits;
}

TEST(Loading, PartsReadByManyThreadsArriveInTheirPlaces) {
  ModelConfig config = *find_shape("smollm2-135m");
  config.layers = 1;
  config.vocab = 16384;  // an embedding of 38 MB: ten parts
  ModelSource made = random_model("small", config, *find_recipe("f32"), 1);

  ModelSource lent = made;
  auto parts = std::make_shared<std::atomic<int>>(0);
  lent.load = [made](const std::string& state) {
    Tensor real = made.load(state);
    auto gone = std::make_shared<Tensor>(Tensor::zeros(real.dtype(), real.shape()));
    return Tensor::borrow(real.dtype(), real.shape(), gone->bytes(), gone);
  };
  lent.read_part = [made, parts](const std::string& state, uint64_t from, std::span<std::byte> to) {
    Tensor real = made.load(state);
    std::this_thread::yield();
    std::memcpy(to.data(), real.bytes() + from, to.size());
    ++*parts;
    return true;
  };
  std::vector<float> expected = logits_of(made, 1);
  EXPECT_NE(*std::max_element(expected.begin(), expected.end()), 0.0f);
  EXPECT_EQ(expected, logits_of(lent, 4));
  EXPECT_GE(*parts, 17);
}

}  // namespace
}  // namespace motley

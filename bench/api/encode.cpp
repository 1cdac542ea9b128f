// What classifying one text costs: a shape of nn/shapes.h with made-up weights and a head of two labels, milliseconds of a step by median and
// minimum, and the products' share of the machine's measured multiply-add peak.
//
//   build/bench/bench/api_encode [SHAPE] [TOKENS] [THREADS] [TYPE] [ROUNDS]     (minilm-l6 32 2 f32 200)
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "backends/cpu/device.h"
#include "control/encode_session.h"
#include "nn/heads.h"
#include "nn/shapes.h"
#include "ops/def.h"
#include "quant/format.h"
#include "runtime/probe.h"

namespace {

using namespace motley;

double operations_of(const Program& program, const Sizes& sizes) {
  double sum = 0;
  for (const Step& s : program.steps) {
    Types in, out;
    for (int b : s.in) in.push_back(program.buffers[static_cast<size_t>(b)].type);
    for (int b : s.out) out.push_back(program.buffers[static_cast<size_t>(b)].type);
    if (std::holds_alternative<Matmul>(s.op) || std::holds_alternative<FusedMatmul>(s.op) || std::holds_alternative<Attention>(s.op))
      sum += cost_of({s.op, in, out, sizes, static_cast<double>(sizes.T)}).flops;
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string shape = argc > 1 ? argv[1] : "minilm-l6", type = argc > 4 ? argv[4] : "f32";
  const int tokens = argc > 2 ? std::atoi(argv[2]) : 32, threads = argc > 3 ? std::atoi(argv[3]) : 2, rounds = argc > 5 ? std::atoi(argv[5]) : 200;
  auto config = find_shape(shape);
  auto recipe = find_recipe(type);
  if (!config || !recipe || tokens < 1 || threads < 1 || rounds < 1) return 2;
  auto device = make_cpu_device({.threads = threads});
  const double peak = probe_multiply_add(*device, default_activation(parse_dtype(type).value_or(Dtype::f32)), 5);
  config = with_task(*config, Task::classification, {"no", "yes"});
  EncodeSession session(random_model(shape, *config, *recipe, 1), {.tokens = std::max(512, tokens), .texts = 1}, std::move(device), {});
  Sample text;
  for (int t = 0; t < tokens; ++t) text.tokens.push_back(static_cast<int32_t>((t * 104729) % config->vocab));
  std::vector<double> seconds;
  for (int i = 0; i < rounds + 10; ++i) {
    auto start = std::chrono::steady_clock::now();
    session.run({&text, 1});
    if (i >= 10) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2], operations = operations_of(session.program(), {.T = tokens, .S = 1, .R = 1});
  fmt::print(
      "{{\"bench\":\"api/encode\",\"shape\":\"{}\",\"type\":\"{}\",\"tokens\":{},\"threads\":{},\"median_ms\":{:.3f},\"min_ms\":{:.3f},"
      "\"gflop\":{:.3f},\"peak_gflops\":{:.1f},\"fraction_of_peak\":{:.3f},\"steps\":{}}}\n",
      shape, type, tokens, threads, 1e3 * median, 1e3 * seconds[0], operations / 1e9, peak / 1e9, operations / peak / median,
      session.program().steps.size());
}

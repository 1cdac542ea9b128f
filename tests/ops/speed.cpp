#include "speed.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "backends/cpu/device.h"
#include "ops/def.h"
#include "run.h"

namespace motley::exam {
namespace {

// Values that cost nothing to make: the time of making a gigabyte of normal numbers would be all one sees.
double cheap(int64_t i) { return static_cast<double>((i * 2654435761u >> 7) % 255) / 127.0 - 1.0; }

std::vector<Case> speed_cases() {
  std::vector<Case> cases;
  for (Dtype d : {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::q8_0, Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1, Dtype::q2_k, Dtype::q3_k,
                  Dtype::q4_k, Dtype::q5_k, Dtype::q6_k})
    for (int64_t rows : {1, 4, 16, 128, 512}) {
      ActivationFormat a = is_quantised(d) ? ActivationFormat::q8_32 : ActivationFormat::f32;
      cases.push_back({fmt::format("matmul {} T={}", name(d), rows),
                       Matmul{true, a},
                       {{rows_of(rows, {2048}), cheap}, {plain({8192, 2048}, d), cheap}},
                       exact(),
                       rows});
    }
  for (int64_t rows : {1, 128}) {
    cases.push_back({fmt::format("rms_norm T={}", rows), RmsNorm{1e-5f, 0}, {{rows_of(rows, {2048}), cheap}, {plain({2048}), cheap}}, exact(), rows});
    int64_t context = 512, page = 32, blocks = context / page;
    cases.push_back({fmt::format("paged_attention f16 T={}", rows),
                     PagedAttention{.scale = 0.125f},
                     {{rows_of(rows, {32, 64}), cheap},
                      {plain({blocks, 8, page, 64}, Dtype::f16), cheap},
                      {plain({blocks, 8, page, 64}, Dtype::f16), cheap},
                      {rows_of(rows, {}, Dtype::i32), [=](int64_t t) { return static_cast<double>(context - rows + t); }},
                      {rows_of(rows, {}, Dtype::i32), [](int64_t) { return 0.0; }},
                      {plain({1, blocks}, Dtype::i32), [](int64_t i) { return static_cast<double>(i); }}},
                     exact(),
                     rows});
  }
  // Learning, at the shapes of GPT-2 with 1,024 tokens: y = x w', dx = dy w, dw = dy' x, and attention in four sequences of 256.
  constexpr int64_t kTokens = 1024;
  for (auto [n, k] : {std::pair<int64_t, int64_t>{768, 768}, {2304, 768}, {3072, 768}, {768, 3072}, {50257, 768}}) {
    std::string shape = fmt::format("{}x{}x{}", kTokens, n, k);
    cases.push_back({"matmul learn " + shape, Matmul{true}, {{plain({kTokens, k}), cheap}, {plain({n, k}), cheap}}, exact(), 0});
    cases.push_back({"matmul back " + shape, Matmul{false}, {{plain({kTokens, n}), cheap}, {plain({n, k}), cheap}}, exact(), 0});
    cases.push_back({"outer_sum " + shape, OuterSum{}, {{plain({kTokens, n}), cheap}, {plain({kTokens, k}), cheap}}, exact(), 0});
  }
  CaseInput heads{plain({kTokens, 12, 64}), cheap};
  CaseInput positions{plain({kTokens}, Dtype::i32), [](int64_t t) { return static_cast<double>(t % 256); }};
  CaseInput seq{plain({kTokens}, Dtype::i32), [](int64_t t) { return static_cast<double>(t / 256); }};
  CaseInput lse{plain({kTokens, 12}), [](int64_t) { return 6.0; }};
  cases.push_back({"attention 4x256", Attention{.scale = 0.125f}, {heads, heads, heads, positions, seq}, exact(), 0});
  cases.push_back({"attention_grad 4x256", AttentionGrad{.scale = 0.125f}, {heads, heads, heads, positions, seq, heads, lse, heads}, exact(), 0});
  cases.push_back({"cross_entropy",
                   CrossEntropy{},
                   {{plain({kTokens, 50257}), cheap}, {plain({kTokens}, Dtype::i32), [](int64_t t) { return static_cast<double>(t); }}},
                   exact(),
                   0});
  cases.push_back({"cross_entropy_grad",
                   CrossEntropyGrad{},
                   {{plain({kTokens, 50257}), cheap},
                    {plain({kTokens}, Dtype::i32), [](int64_t t) { return static_cast<double>(t); }},
                    {plain({kTokens}), [](int64_t) { return 11.0; }},
                    {plain({1}), [](int64_t) { return 1.0; }}},
                   exact(),
                   0});
  cases.push_back({"head_loss 1024x50257x768",
                   HeadLoss{.x_gradient = true, .w_gradient = true},
                   {{plain({kTokens, 768}), cheap},
                    {plain({50257, 768}), cheap},
                    {plain({kTokens}, Dtype::i32), [](int64_t t) { return static_cast<double>(t); }}},
                   exact(),
                   0});
  // Back through a frozen weight in blocks.
  for (Dtype d : {Dtype::q8_0, Dtype::q4_0, Dtype::q4_k, Dtype::q6_k})
    for (int64_t rows : {16, 512})
      cases.push_back({fmt::format("matmul back {} T={}", name(d), rows),
                       Matmul{false},
                       {{rows_of(rows, {8192}), cheap}, {plain({8192, 2048}, d), cheap}},
                       exact(),
                       rows});
  return cases;
}

double seconds(Ready& r) {
  auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  r.run();
  double best = 1e30, all = 0;
  for (int i = 0; i < 3 || (all < 0.4 && i < 1000); ++i) {
    double from = now();
    r.run();
    double took = now() - from;
    best = std::min(best, took);
    all += took;
  }
  return best;
}

}  // namespace

void measure_speed(const std::string& filter, int threads, const std::string& isa) {
  auto serving = make_cpu_device({.threads = threads, .isa = isa}), learning = make_cpu_device({.threads = threads, .isa = isa, .packed = false});
  for (const Case& c : speed_cases()) {
    if (c.name.find(filter) == std::string::npos) continue;
    auto& device = c.rows ? serving : learning;  // weights that learn stay plain
    Ready r = make_ready(*device, c, c.rows, 0);
    double s = seconds(r);
    Types in;
    for (const CaseInput& i : c.in) in.push_back(i.type);
    Types out = infer_types(c.op, in);
    bool segments = std::holds_alternative<Attention>(c.op) || std::holds_alternative<AttentionGrad>(c.op);
    Cost cost = cost_of({c.op, in, out, {.T = c.rows}, segments ? 128.5 : 512});  // causal, in sequences of 256
    fmt::print(
        "{{\"case\": \"{}\", \"kernel\": \"{}\", \"isa\": \"{}\", \"threads\": {}, \"seconds\": {:.3e}, \"bytes\": {:.0f}, \"flops\": {:.0f}, "
        "\"gb_s\": {:.2f}, \"gflop_s\": {:.1f}}}\n",
        c.name, r.kernel, device->target().isa, device->target().threads, s, cost.bytes_read + cost.bytes_written, cost.flops,
        (cost.bytes_read + cost.bytes_written) / s * 1e-9, cost.flops / s * 1e-9);
    std::fflush(stdout);
  }
}

}  // namespace motley::exam

// One token's products of a whole model, without the model: every weight of a Llama-3.2-1B shape is read once per step, as in decode, and
// compared with the read bandwidth probed just before and after. Values are arbitrary bytes made valid; time does not depend on them.
//
//   backends_cpu_decode [TYPE [THREADS [TOKENS]]]      q8_0, all cores, 1
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "backends/cpu/device.h"
#include "base/cores.h"
#include "base/error.h"
#include "base/text.h"
#include "quant/format.h"
#include "runtime/probe.h"

namespace {

using namespace motley;

struct Product {
  const char* name;
  int64_t n, k;
};

// One block of packed random numbers, repeated.
WeightSource repeated(Dtype dtype) {
  constexpr int64_t kElements = 4096;
  std::vector<float> values(kElements);
  for (int64_t i = 0; i < kElements; ++i) values[static_cast<size_t>(i)] = static_cast<float>((i * 37 % 255) - 127) / 1270.0f;
  auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(row_bytes(dtype, kElements)));
  format(dtype).pack(values.data(), bytes->data(), kElements);
  return {.read = [bytes](uint64_t offset, std::span<std::byte> to) {
    for (size_t done = 0; done < to.size();) {
      size_t from = (offset + done) % bytes->size(), n = std::min(to.size() - done, bytes->size() - from);
      std::memcpy(to.data() + done, bytes->data() + from, n);
      done += n;
    }
  }};
}

// Steps of one product each; all read the same activations and write to the same place, with a barrier between them as in a model.
class Chain {
 public:
  Chain(Device& device, Dtype dtype, int64_t tokens) : device_(device), dtype_(dtype), tokens_(tokens) { program_.min_T = program_.max_T = tokens; }

  void add(const std::string& name, const Product& p) {
    Op op = Matmul{true, default_activation(dtype_)};
    Type weight{dtype_, {{p.n}, {p.k}}}, x{Dtype::f32, {{tokens_}, {p.k}}}, y{Dtype::f32, {{tokens_}, {p.n}}};
    const Target& target = device_.target();
    std::string layout(target.weight_layout(weight, op, target));
    device_.upload(name, weight, layout, repeated(dtype_));

    std::vector<std::string_view> layouts = {kPlainLayout, layout};
    std::vector<Type> in = {x, weight}, out = {y};
    NodeView node{op, in, layouts, out};
    KernelChoice choice = choose_kernel(target, node);
    if (!choice.kernel) fail(ErrorKind::runtime, "bench", "no kernel multiplies {}", to_string(weight));
    int64_t scratch = choice.kernel->scratch_bytes ? choice.kernel->scratch_bytes(node, target) : 0;
    int x_buffer = push({Space::constant, static_cast<int64_t>(program_.constants.size()), x});
    std::vector<float> values(static_cast<size_t>(tokens_ * p.k));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 17.0f - 0.5f;
    program_.constants.push_back({x, std::move(values)});
    int w_buffer = push({Space::state, static_cast<int64_t>(program_.states.size()), weight});
    program_.states.push_back({name, weight, layout, false});
    int y_buffer = push({Space::arena, 0, y});
    scratch_ = std::max(scratch_, scratch);
    out_bytes_ = std::max(out_bytes_, (max_bytes(y) + 63) / 64 * 64);
    program_.steps.push_back({choice.kernel->name, op, {x_buffer, w_buffer}, {y_buffer}, 0, scratch, true, name, -1});
    bytes_ += static_cast<double>(max_bytes(weight));
    flops_ += 2.0 * static_cast<double>(tokens_ * p.n * p.k);
  }

  std::unique_ptr<Executable> prepare() {
    for (Step& s : program_.steps) s.scratch = s.scratch_bytes > 0 ? out_bytes_ : -1;
    program_.arena_bytes = out_bytes_ + scratch_;
    return device_.prepare(program_);
  }
  double bytes() const { return bytes_; }
  double flops() const { return flops_; }

 private:
  int push(Buffer b) {
    program_.buffers.push_back(std::move(b));
    return static_cast<int>(program_.buffers.size()) - 1;
  }

  Device& device_;
  Dtype dtype_;
  int64_t tokens_;
  Program program_;
  int64_t scratch_ = 0, out_bytes_ = 0;
  double bytes_ = 0, flops_ = 0;
};

int run(Dtype dtype, int threads, int64_t tokens) {
  auto device = make_cpu_device({.threads = threads});
  Chain chain(*device, dtype, tokens);
  constexpr Product kLayer[] = {{"q", 2048, 2048},    {"k", 512, 2048},   {"v", 512, 2048},    {"o", 2048, 2048},
                                {"gate", 8192, 2048}, {"up", 8192, 2048}, {"down", 2048, 8192}};
  for (int layer = 0; layer < 16; ++layer)
    for (const Product& p : kLayer) chain.add(fmt::format("{}.{}", layer, p.name), p);
  if (tokens == 1) chain.add("head", {"head", 128256, 2048});
  auto step = chain.prepare();
  // In turn, because the machine drifts: the best of each is compared.
  double best = 1e30, read = 0;
  for (int round = 0; round < 6; ++round) {
    read = std::max(read, probe_read_bandwidth(*device, int64_t{1} << 30, 1).bytes_per_second);
    for (int i = 0; i < 4; ++i) {
      auto from = std::chrono::steady_clock::now();
      step->run({.T = tokens}, {}, {});
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count());
    }
  }
  double operations = probe_multiply_add(*device, default_activation(dtype));
  fmt::print(
      "{{\"device\": \"{}\", \"isa\": \"{}\", \"threads\": {}, \"type\": \"{}\", \"tokens\": {}, \"bytes\": {:.0f}, \"flops\": {:.0f}, \"seconds\": "
      "{:.5f}, \"gb_s\": {:.2f}, \"read_limit_gb_s\": {:.2f}, "
      "\"fraction_of_read\": {:.3f}, \"gop_s\": {:.1f}, \"operation_limit_gop_s\": {:.1f}, \"fraction_of_operations\": {:.3f}}}\n",
      device->target().description, device->target().isa, device->target().threads, name(dtype), tokens, chain.bytes(), chain.flops(), best,
      chain.bytes() / best * 1e-9, read * 1e-9, chain.bytes() / best / read, chain.flops() / best * 1e-9, operations * 1e-9,
      chain.flops() / best / operations);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto dtype = parse_dtype(argc > 1 ? argv[1] : "q8_0");
  auto threads = argc > 2 ? parse_int(argv[2]) : default_threads(), tokens = argc > 3 ? parse_int(argv[3]) : 1;
  if (!dtype || !threads || *threads < 1 || !tokens || *tokens < 1) {
    fmt::print(stderr, "usage: backends_cpu_decode [TYPE [THREADS [TOKENS]]]\n");
    return 2;
  }
  try {
    return run(*dtype, static_cast<int>(*threads), *tokens);
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.kind());
  }
}

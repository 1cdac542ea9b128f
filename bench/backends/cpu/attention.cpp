// Attention of one sequence over a paged cache, without the model: as many layers as fill 256 MiB (fewer when they compute long), each read
// once per step, compared with the read bandwidth probed between the steps and with the multiply-adds of floats. The tokens are the last of
// the positions.
//
//   backends_cpu_attention [HEADS KV_HEADS D [POSITIONS [TYPE [TOKENS [THREADS]]]]]      32 8 64 8192 f16 1, all cores
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "backends/cpu/device.h"
#include "base/cores.h"
#include "base/error.h"
#include "base/text.h"
#include "quant/format.h"
#include "runtime/probe.h"

namespace {

using namespace motley;

constexpr int64_t kPage = 32;

struct Question {
  int64_t heads = 32, kv_heads = 8, d = 64, positions = 8192;
  Dtype kv = Dtype::f16;
  int64_t tokens = 1;
};

WeightSource repeated(Dtype dtype, float scale) {
  constexpr int64_t kElements = 4096;
  std::vector<float> values(kElements);
  for (int64_t i = 0; i < kElements; ++i) values[static_cast<size_t>(i)] = scale * static_cast<float>((i * 37 % 255) - 127);
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

int push(Program& program, Buffer b) {
  program.buffers.push_back(std::move(b));
  return static_cast<int>(program.buffers.size()) - 1;
}

int input(Program& program, const char* name, std::vector<Dim> dims) {
  program.inputs.push_back({name, Type{Dtype::i32, std::move(dims)}});
  return push(program, {Space::input, static_cast<int64_t>(program.inputs.size()) - 1, program.inputs.back().type});
}

Program attention_of(Device& device, const Question& s, int64_t layers) {
  int64_t blocks = (s.positions + kPage - 1) / kPage;
  Program program;
  program.min_T = program.max_T = s.tokens;
  Type q{Dtype::f32, {{s.tokens}, {s.heads}, {s.d}}}, cache{s.kv, {{blocks}, {s.kv_heads}, {kPage}, {s.d}}};
  std::vector<float> values(static_cast<size_t>(s.tokens * s.heads * s.d));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 17.0f - 0.5f;
  program.constants.push_back({q, std::move(values)});
  std::vector<int> in = {
      push(program, {Space::constant, 0, q}),   0, 0, input(program, "positions", {{s.tokens}}), input(program, "seq", {{s.tokens}}),
      input(program, "tables", {{1}, {blocks}})};
  int out = push(program, {Space::arena, 0, q});
  int64_t out_bytes = (max_bytes(q) + 63) / 64 * 64;
  Op op = PagedAttention{.scale = 1 / std::sqrt(static_cast<float>(s.d))};
  std::vector<Type> types = {q, cache, cache};
  for (int i = 3; i < 6; ++i) types.push_back(program.buffers[static_cast<size_t>(in[static_cast<size_t>(i)])].type);
  std::vector<std::string_view> layouts(6, kPlainLayout);
  std::vector<Type> results = {q};
  NodeView node{op, types, layouts, results};
  KernelChoice choice = choose_kernel(device.target(), node);
  if (!choice.kernel) fail(ErrorKind::runtime, "bench", "no kernel attends to {}", to_string(cache));
  int64_t scratch = choice.kernel->scratch_bytes ? choice.kernel->scratch_bytes(node, device.target()) : 0;
  program.arena_bytes = out_bytes + scratch;
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (size_t i : {1, 2}) {
      std::string name = fmt::format("{}.{}", layer, i == 1 ? "k" : "v");
      device.upload(name, cache, kPlainLayout, repeated(s.kv, 0.01f));
      in[i] = push(program, {Space::state, static_cast<int64_t>(program.states.size()), cache});
      program.states.push_back({name, cache, std::string(kPlainLayout), false});
    }
    program.steps.push_back({choice.kernel->name, op, in, {out}, out_bytes, scratch, true, "attention", -1});
  }
  return program;
}

int run(const Question& s, int threads) {
  auto device = make_cpu_device({.threads = threads});
  double seen = static_cast<double>(s.positions) - static_cast<double>(s.tokens - 1) / 2;  // positions, of a token in the middle
  double layer_bytes = 2.0 * static_cast<double>(s.positions * s.kv_heads * row_bytes(s.kv, s.d));
  double layer_flops = 4 * seen * static_cast<double>(s.tokens * s.heads * s.d);
  auto layers = static_cast<int64_t>(std::max(1.0, std::min((256 << 20) / layer_bytes, 1e10 / layer_flops)));
  Program program = attention_of(*device, s, layers);
  auto step = device->prepare(program);
  std::vector<int32_t> positions(static_cast<size_t>(s.tokens)), seq(positions.size()), table(static_cast<size_t>((s.positions + kPage - 1) / kPage));
  std::iota(positions.begin(), positions.end(), static_cast<int32_t>(s.positions - s.tokens));
  std::iota(table.begin(), table.end(), 0);
  std::vector<std::span<const int32_t>> inputs = {positions, seq, table};
  // In turn, because the machine drifts: the best of each is compared.
  double best = 1e30, read = 0;
  for (int round = 0; round < 6; ++round) {
    read = std::max(read, probe_read_bandwidth(*device, int64_t{1} << 28, 1).bytes_per_second);
    for (int i = 0; i < 4; ++i) {
      auto from = std::chrono::steady_clock::now();
      step->run({.T = s.tokens, .S = 1}, inputs, {});
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count());
    }
  }
  double bytes = layer_bytes * static_cast<double>(layers), operations = probe_multiply_add(*device, ActivationFormat::f32);
  double flops = layer_flops * static_cast<double>(layers);
  fmt::print(
      "{{\"device\": \"{}\", \"isa\": \"{}\", \"threads\": {}, \"type\": \"{}\", \"heads\": {}, \"kv_heads\": {}, \"d\": {}, \"positions\": {}, "
      "\"tokens\": {}, \"layers\": {}, \"bytes\": {:.0f}, \"flops\": {:.0f}, \"seconds\": {:.5f}, \"gb_s\": {:.2f}, \"read_limit_gb_s\": {:.2f}, "
      "\"fraction_of_read\": {:.3f}, \"gop_s\": {:.1f}, \"operation_limit_gop_s\": {:.1f}, \"fraction_of_operations\": {:.3f}}}\n",
      device->target().description, device->target().isa, device->target().threads, name(s.kv), s.heads, s.kv_heads, s.d, s.positions, s.tokens,
      layers, bytes, flops, best, bytes / best * 1e-9, read * 1e-9, bytes / best / read, flops / best * 1e-9, operations * 1e-9,
      flops / best / operations);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto number = [&](int i, int64_t otherwise) { return argc > i ? parse_int(argv[i]).value_or(0) : otherwise; };
  auto kv = parse_dtype(argc > 5 ? argv[5] : "f16");
  Question s{number(1, 32), number(2, 8), number(3, 64), number(4, 8192), kv.value_or(Dtype::f16), number(6, 1)};
  int64_t threads = number(7, default_threads());
  if (!kv || std::min({s.heads, s.kv_heads, s.d, s.tokens, threads, s.positions - s.tokens + 1}) < 1 || s.heads % s.kv_heads) {
    fmt::print(stderr, "usage: backends_cpu_attention [HEADS KV_HEADS D [POSITIONS [TYPE [TOKENS [THREADS]]]]]\n");
    return 2;
  }
  try {
    return run(s, static_cast<int>(threads));
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.kind());
  }
}

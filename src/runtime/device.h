// The run half's view of a device: it holds states (weights, KV pools) under their names, and executes Programs on them.
// A backend implements these two classes; everything above uses only them.
//
//   std::unique_ptr<Device> cpu = make_cpu_device({.threads = 2});
//   cpu->upload("lm_head.weight", type, "plain", source);
//   cpu->create("layers.0.k_cache", type);
//   auto exec = cpu->prepare(program);                   // resolves kernels and states once
//   exec->run({.T = 5, .S = 1, .R = 1}, inputs, outputs);  // blocks until done
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "program/program.h"
#include "target/target.h"
#include "tensor/tensor.h"

namespace motley {

// Where a weight's bytes come from, in the checkpoint's plain row-major layout. read() copies a range; whole, when not null, is the
// tensor in memory that `owner` keeps, never a file's mapping, which a device may use in place when no packing is needed.
struct WeightSource {
  std::function<void(uint64_t offset, std::span<std::byte> to)> read;  // called from several threads at once
  const std::byte* whole = nullptr;
  std::shared_ptr<const void> owner = nullptr;  // keeps the bytes alive while the device uses them
};

class Executable {
 public:
  virtual ~Executable() = default;
  // One step. inputs[i] holds the Program's i-th input (i32, as many elements as its type has at these sizes); outputs[i] receives the
  // i-th output (f32). Thread-compatible: one run at a time per Device.
  virtual void run(const Sizes& sizes, std::span<const std::span<const int32_t>> inputs, std::span<const std::span<float>> outputs) = 0;
};

// How a bandwidth probe reads: interleaved streams, each with lines prefetched so many bytes ahead (0: not).
struct ReadPattern {
  int streams = 1;
  int64_t ahead = 0;
};

// What a step leaves out, to find out what binds it: the arithmetic of products and attention, which then only read what they would compute
// with; or the reading from memory, as products find one panel of their weight and attention one page of its cache in place of all, which
// stay in the processor's own cache.
enum class Omit { nothing, arithmetic, loads };

class Device {
 public:
  virtual ~Device() = default;
  virtual const Target& target() const = 0;

  // States. create() makes a zeroed one; upload() makes one from plain bytes, packing it into `layout`. Names are unique; a second call
  // with a name replaces the state (no Executable may be running). Error(no_fit) when memory is short.
  virtual void create(const std::string& name, const Type& type) = 0;
  virtual void upload(const std::string& name, const Type& type, std::string_view layout, const WeightSource& source) = 0;
  // The plain bytes of a state, as many as its type has: learned weights and moments for a checkpoint. Error(usage) for one that is packed.
  virtual void download(const std::string& name, std::span<std::byte> to) = 0;
  virtual int64_t state_bytes() const = 0;  // resident bytes of all states, packing included

  virtual std::unique_ptr<Executable> prepare(const Program& program) = 0;

  // What the device reaches with nothing in the way, measured now on all its threads; runtime/probe.h asks and picks the best. Bytes per
  // second of each pattern, over `bytes` of fresh memory; operations per second (a multiply-add is two) for products with such activations.
  virtual std::vector<double> probe_reads(std::span<const ReadPattern> patterns, int64_t bytes) = 0;
  virtual double probe_multiply_adds(ActivationFormat format) = 0;
  // From the next run on; results are meaningless until it is told `nothing` again.
  virtual void omit(Omit what) = 0;
};

}  // namespace motley

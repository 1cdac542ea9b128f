#include "backends/cpu/device.h"

#include <algorithm>
#include <map>

#include "backends/cpu/executable.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/probe.h"
#include "backends/cpu/state.h"
#include "backends/cpu/target.h"
#include "base/cores.h"
#include "base/error.h"

namespace motley {
namespace cpu {
namespace {

std::vector<int> cpus_to_pin(const CpuOptions& options, int threads) {
  std::vector<int> cpus = options.pin ? usable_cpus() : std::vector<int>{};
  if (static_cast<int>(cpus.size()) < threads) return {};  // more threads than processors: nothing to pin to
  cpus.resize(static_cast<size_t>(threads));
  return cpus;
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(const CpuOptions& options)
      : target_(cpu_target({.threads = options.threads, .isa = options.isa, .packed = options.packed})),
        pool_({.threads = target_.threads, .pin_to = cpus_to_pin(options, target_.threads)}),
        memory_limit_(options.memory_limit > 0 ? options.memory_limit : target_.memory_bytes),
        shared_{pool_, kernel_table(choose_isa(target_.isa)), states_} {
    for (int i = 0; i < target_.threads; ++i) shared_.worker_memory.emplace_back(kWorkerBytes);
  }

  const Target& target() const override { return target_; }

  void create(const std::string& name, const Type& type) override {
    const int64_t bytes = max_bytes(type);
    HostPiece memory = make_room(name, bytes);
    if (memory.data)
      std::fill_n(memory.data, bytes, std::byte{0});
    else
      memory = blocks_.take(bytes);
    put(name, zeroed_state(type, std::move(memory)));
  }

  void upload(const std::string& name, const Type& type, std::string_view layout, const WeightSource& source) override {
    const int64_t bytes = cpu::state_bytes(type, layout);
    HostPiece memory = make_room(name, bytes);
    if (is_lent(layout, source))
      memory = {};
    else if (!memory.data)
      memory = blocks_.take(bytes);
    put(name, load_state(name, type, layout, source, std::move(memory), pool_));
  }

  void download(const std::string& name, std::span<std::byte> to) override {
    auto it = states_.find(name);
    if (it == states_.end()) fail(ErrorKind::usage, "download", "there is no state '{}'", name);
    const CpuState& s = it->second;
    if (s.layout != kPlainLayout) fail(ErrorKind::usage, "download", "state '{}' is packed as {}; only plain ones can be read", name, s.layout);
    if (static_cast<int64_t>(to.size()) != s.bytes)
      fail(ErrorKind::usage, "download", "state '{}' has {} bytes, there is room for {}", name, s.bytes, to.size());
    std::copy_n(s.data, to.size(), to.data());
  }

  int64_t state_bytes() const override { return bytes_; }

  std::unique_ptr<Executable> prepare(const Program& program) override { return prepare_program(program, shared_); }

  std::vector<double> probe_reads(std::span<const ReadPattern> patterns, int64_t bytes) override {
    return cpu::probe_reads(shared_.kernels, pool_, patterns, bytes);
  }
  double probe_multiply_adds(ActivationFormat format) override { return cpu::probe_multiply_adds(shared_.kernels, pool_, format); }

  void omit(Omit what) override {
    KernelTable& k = shared_.kernels = kernel_table(choose_isa(target_.isa));
    k.one_panel = what == Omit::loads;
    if (what != Omit::arithmetic) return;
    std::ranges::copy(k.read_int_tile, k.int_tile);
    std::ranges::copy(k.read_float_tile, k.float_tile);
    k.attend = k.read_attend;
  }

 private:
  // The old state of that name goes first, so that replacing needs no memory for both. Its memory comes back if it is of the same size.
  HostPiece make_room(const std::string& name, int64_t bytes) {
    HostPiece memory;
    if (auto it = states_.find(name); it != states_.end()) {
      bytes_ -= it->second.bytes;
      if (it->second.bytes == bytes) memory = std::move(it->second.memory);
      states_.erase(it);
    }
    if (bytes_ + bytes > memory_limit_)
      fail(ErrorKind::no_fit, "cpu", "'{}' needs {} MiB, and {} of {} MiB are taken; use a smaller context or a smaller weight type", name,
           bytes >> 20, bytes_ >> 20, memory_limit_ >> 20);
    return memory;
  }
  void put(const std::string& name, CpuState state) {
    bytes_ += state.bytes;
    states_.insert_or_assign(name, std::move(state));
  }

  Target target_;
  ThreadPool pool_;
  int64_t memory_limit_, bytes_ = 0;
  HostBlocks blocks_;
  StateMap states_;
  Shared shared_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Device> make_cpu_device(const CpuOptions& options) { return std::make_unique<cpu::CpuDevice>(options); }

}  // namespace motley

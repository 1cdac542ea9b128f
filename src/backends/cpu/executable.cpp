#include "backends/cpu/executable.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "runtime/bind.h"

namespace motley::cpu {
namespace {

struct PreparedStep {
  const Op* op;
  void (*run)(const Launch&, Worker&);
  std::vector<const Array*> in, out;
  int64_t scratch;
  bool barrier;
};

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(const Program& program, Shared& shared) : program_(program), shared_(shared) {
    check_program(program_);
    if (shared_.arena.size() < program_.arena_bytes) shared_.arena = HostMemory(program_.arena_bytes);
    for (const auto& c : program_.constants) constants_.push_back(fill_constant(c));
    find_states();
    bind_ranks();
    for (const Step& s : program_.steps) prepare_step(s);
  }

  void run(const Sizes& sizes, std::span<const std::span<const int32_t>> inputs, std::span<const std::span<float>> outputs) override {
    check_run(program_, sizes, inputs, outputs);
    bind_arrays(sizes, inputs);
    uint32_t last_use = shared_.use;
    shared_.pool.run([&](int index, int workers) {
      Worker worker(shared_.pool, shared_.queues.data(), index, workers, shared_.use, shared_.worker_memory[static_cast<size_t>(index)].data());
      for (const PreparedStep& s : steps_) {
        if (s.barrier) worker.barrier();
        s.run({*s.op, s.in, s.out, s.scratch >= 0 ? shared_.arena.data() + s.scratch : nullptr, shared_.kernels}, worker);
      }
      worker.barrier();
      copy_outputs(outputs, worker);
      if (index == 0) last_use = worker.use();
    });
    shared_.use = last_use;
  }

 private:
  static HostMemory fill_constant(const ProgramConstant& c) {
    int64_t n = max_elements(c.type.shape);
    HostMemory m(n * 4);
    auto* to = reinterpret_cast<float*>(m.data());
    for (int64_t i = 0; i < n; ++i) to[i] = c.values[c.values.size() == 1 ? 0 : static_cast<size_t>(i)];
    return m;
  }

  void find_states() {
    for (const ProgramState& s : program_.states) {
      auto it = shared_.states.find(s.name);
      if (it == shared_.states.end())
        fail(ErrorKind::usage, "prepare", "the Program reads state '{}', which was neither uploaded nor created", s.name);
      if (it->second.type != s.type || it->second.layout != s.layout)
        fail(ErrorKind::usage, "prepare", "state '{}' is {} in layout {}, the Program wants {} in layout {}", s.name, to_string(it->second.type),
             it->second.layout, to_string(s.type), s.layout);
      if (s.changes && it->second.lent) fail(ErrorKind::usage, "prepare", "state '{}' changes but is a lent weight's", s.name);
      states_.push_back(s.name);
    }
  }

  // What of a buffer does not depend on the step's sizes.
  void bind_ranks() {
    arrays_.resize(program_.buffers.size());
    for (size_t i = 0; i < arrays_.size(); ++i) {
      const Buffer& b = program_.buffers[i];
      check(b.type.rank() <= kMaxRank, "a buffer has more axes than kernels take");
      arrays_[i].dtype = b.type.dtype;
      arrays_[i].rank = b.type.rank();
      if (b.space == Space::state) arrays_[i].layout = program_.states[static_cast<size_t>(b.at)].layout;
    }
  }

  void prepare_step(const Step& s) {
    const CpuKernel* kernel = find_kernel(s.kernel, s.op.index());
    if (!kernel) fail(ErrorKind::usage, "prepare", "step '{}' wants kernel '{}', which this device does not have", s.name, s.kernel);
    PreparedStep p{&s.op, kernel->run, {}, {}, s.scratch_bytes > 0 ? s.scratch : -1, s.barrier};
    for (int b : s.in) p.in.push_back(&arrays_[static_cast<size_t>(b)]);
    for (int b : s.out) p.out.push_back(&arrays_[static_cast<size_t>(b)]);
    steps_.push_back(std::move(p));
  }

  void bind_arrays(const Sizes& sizes, std::span<const std::span<const int32_t>> inputs) {
    std::vector<CpuState*> states;
    for (const std::string& name : states_) {
      auto it = shared_.states.find(name);
      check(it != shared_.states.end(), "a prepared Program's state is still there");
      states.push_back(&it->second);
    }
    for (size_t i = 0; i < arrays_.size(); ++i) {
      const Buffer& b = program_.buffers[i];
      Array& a = arrays_[i];
      for (size_t d = 0; d < b.type.shape.size(); ++d) a.dims[d] = sizes.of(b.type.shape[d]);
      auto at = static_cast<size_t>(b.at);
      switch (b.space) {
        case Space::arena:
          a.data = shared_.arena.data() + b.at;
          break;
        case Space::input:
          a.data = reinterpret_cast<std::byte*>(const_cast<int32_t*>(inputs[at].data()));
          break;  // kernels do not write inputs
        case Space::state:
          a.data = states[at]->data;
          break;
        case Space::constant:
          a.data = constants_[at].data();
          break;
      }
    }
  }

  void copy_outputs(std::span<const std::span<float>> outputs, Worker& worker) {
    constexpr int64_t kRun = 16 << 10;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const float* from = arrays_[static_cast<size_t>(program_.outputs[i].buffer)].f32();
      auto n = static_cast<int64_t>(outputs[i].size());
      worker.split((n + kRun - 1) / kRun, 1, [&](int64_t begin, int64_t end) {
        std::copy(from + begin * kRun, from + std::min(end * kRun, n), outputs[i].begin() + begin * kRun);
      });
    }
  }

  const Program program_;
  Shared& shared_;
  std::vector<HostMemory> constants_;
  std::vector<std::string> states_;
  std::vector<Array> arrays_;  // by buffer
  std::vector<PreparedStep> steps_;
};

}  // namespace

std::unique_ptr<Executable> prepare_program(const Program& program, Shared& shared) { return std::make_unique<CpuExecutable>(program, shared); }

}  // namespace motley::cpu

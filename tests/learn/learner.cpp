#include "learner.h"

#include <cstring>

#include "backends/cpu/device.h"
#include "passes/pipeline.h"

namespace motley {
namespace {

class ReferenceLearner : public Learner {
 public:
  ReferenceLearner(const Graph& graph, const StateLoader& load) : interpreter_(graph, load) {}

  std::map<std::string, std::vector<double>> step(const Inputs& inputs) override {
    std::map<std::string, std::vector<double>> out;
    for (auto& [name, value] : interpreter_.run({}, inputs)) out[name] = std::move(value.data);
    return out;
  }
  std::vector<double> state(const std::string& name) override { return interpreter_.changed(name).data; }

 private:
  Interpreter interpreter_;
};

class CpuLearner : public Learner {
 public:
  CpuLearner(const Graph& graph, const StateLoader& load, int threads, bool packed)
      : device_(make_cpu_device({.threads = threads, .packed = packed})) {
    program_ = compile(graph, device_->target(), {}).programs[0];
    for (const ProgramState& s : program_.states) {
      Tensor t = load(s.name);
      if (t.empty()) {
        device_->create(s.name, s.type);
        continue;
      }
      device_->upload(s.name, s.type, s.layout,
                      {.read = [&](uint64_t offset, std::span<std::byte> to) { std::memcpy(to.data(), t.bytes() + offset, to.size()); }});
    }
    executable_ = device_->prepare(program_);
  }

  std::map<std::string, std::vector<double>> step(const Inputs& inputs) override {
    std::vector<std::span<const int32_t>> in;
    for (const ProgramInput& i : program_.inputs) in.emplace_back(inputs.at(i.name));
    std::vector<std::vector<float>> values;
    std::vector<std::span<float>> out;
    for (const ProgramOutput& o : program_.outputs)
      values.emplace_back(static_cast<size_t>(max_elements(program_.buffers[static_cast<size_t>(o.buffer)].type.shape)));
    for (auto& v : values) out.emplace_back(v);
    executable_->run({}, in, out);
    std::map<std::string, std::vector<double>> by_name;
    for (size_t i = 0; i < values.size(); ++i) by_name[program_.outputs[i].name] = {values[i].begin(), values[i].end()};
    return by_name;
  }

  std::vector<double> state(const std::string& name) override {
    for (const ProgramState& s : program_.states) {
      if (s.name != name) continue;
      std::vector<float> values(static_cast<size_t>(max_elements(s.type.shape)));
      device_->download(name, std::as_writable_bytes(std::span(values)));
      return {values.begin(), values.end()};
    }
    return {};
  }

 private:
  std::unique_ptr<Device> device_;
  Program program_;
  std::unique_ptr<Executable> executable_;
};

}  // namespace

std::unique_ptr<Learner> learn_by_reference(const Graph& graph, const StateLoader& load) { return std::make_unique<ReferenceLearner>(graph, load); }
std::unique_ptr<Learner> learn_on_cpu(const Graph& graph, const StateLoader& load, int threads, bool packed) {
  return std::make_unique<CpuLearner>(graph, load, threads, packed);
}

}  // namespace motley

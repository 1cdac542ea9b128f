// write_adapter MODEL METHOD FOLDER: an adapter of random values for a model, written as training would, so that another program can be asked
// about it (tools/interop/peft_check.py).
#include <fmt/core.h>

#include <string_view>

#include "base/random.h"
#include "control/peft.h"
#include "motley/error.h"
#include "nn/families.h"

using namespace motley;

namespace {

Adapter adapter_of(std::string_view method) {
  if (method == "lora") return {.targets = {"all-linear"}, .rank = 3, .alpha = 5};
  if (method == "ia3") return {.method = AdapterMethod::ia3};
  if (method == "prefix") return {.method = AdapterMethod::prefix, .tokens = 4};
  return {.method = AdapterMethod::bias};
}

Tensor random_value(const Graph& graph, const std::string& state) {
  for (const Node& n : graph.nodes) {
    if (!std::holds_alternative<State>(n.op) || n.name != state) continue;
    Tensor t = Tensor::zeros(Dtype::f32, bind(n.out[0].shape, {}));
    const float middle = state.ends_with("ia3_l") ? 1 : 0;
    const uint64_t stream = std::hash<std::string>()(state);
    for (size_t i = 0; auto& v : t.mutable_data<float>()) v = middle + 0.3f * philox_normal(5, stream, i++);
    return t;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return fmt::print(stderr, "usage: write_adapter MODEL lora|ia3|prefix|bias FOLDER\n"), 2;
  try {
    ModelSource source = model_from_checkpoint(std::make_shared<const Checkpoint>(Checkpoint::open(argv[1])));
    Builder b({.mode = BuildMode::learn, .tokens = 8}, source.types, source.name);
    build_model(b, source.config);
    const Adapter adapter = adapter_of(argv[2]);
    const Graph graph = adapt(b.take(), adapter);
    write_peft(argv[3], graph, adapter, {.base_model = argv[1], .input_first = source.config.input_first, .config = &source.config},
               [&](const std::string& state) { return random_value(graph, state); });
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.kind());
  }
}

// A model with an adapter: beside its weights, or in them.
#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/peft.h"
#include "io/json.h"
#include "nn/convert.h"
#include "nn/families.h"
#include "nn/heads.h"
#include "quant/format.h"

namespace motley {
namespace {

constexpr uint64_t kMaxConfigBytes = 64 << 20;

std::string key_of(std::string_view module, std::string_view what) { return fmt::format("{}{}.{}", kPeftPrefix, module, what); }

// A value of the adapter, its rows in the order of the model's file.
Tensor value_for(const PeftAdapter& adapter, const ModelConfig& config, const std::string& state) {
  const Tensor& value = adapter.states.at(state);
  std::string_view module = state;
  const bool own = !is_adapter_state(state);
  if (!own && !state.ends_with(".lora_B.weight") && !(state.ends_with(".ia3_l") && value.dim(0) != 1)) return value;
  if (!own) module.remove_prefix(kPeftPrefix.size());
  for (std::string_view suffix : {".lora_B.weight", ".ia3_l", ".weight", ".bias"})
    if (module.ends_with(suffix)) {
      module.remove_suffix(suffix.size());
      break;
    }
  return arrange_rows(config, fmt::format("{}.weight", module), value, CheckpointFormat::hf, config.format);
}

// Every value has its place in the graph and every place its value.
void expect_fit(const PeftAdapter& adapter, const Graph& graph, const std::string& model) {
  size_t found = 0;
  for (const Node& n : graph.nodes) {
    if (!std::holds_alternative<State>(n.op)) continue;
    auto it = adapter.states.find(n.name);
    if (it == adapter.states.end()) {
      if (is_adapter_state(n.name)) fail(ErrorKind::file, "adapter", "{} has no tensor '{}', which {} needs", adapter.path, n.name, model);
      continue;
    }
    ++found;
    if (fixed(it->second.shape()) != n.out[0].shape)
      fail(ErrorKind::file, "adapter", "{}: tensor '{}' has shape {}, {} wants [{}]; was it made for another model?", adapter.path, n.name,
           to_string(it->second.shape()), model, to_string(n.out[0].shape));
  }
  if (found == adapter.states.size()) return;
  for (const auto& entry : adapter.states)
    if (std::ranges::none_of(graph.nodes, [&](const Node& n) { return n.name == entry.first; }))
      fail(ErrorKind::file, "adapter", "{}: {} has no place for tensor '{}'; was it made for another model?", adapter.path, model,
           printable(entry.first));
}

Tensor as_floats(const Tensor& weight) {
  Tensor out = Tensor::zeros(Dtype::f32, weight.shape());
  format(weight.dtype()).unpack(weight.bytes(), out.mutable_data<float>().data(), weight.size());
  return out;
}

[[noreturn]] void misfit(const PeftAdapter& adapter, const std::string& state, const Tensor& weight) {
  fail(ErrorKind::file, "adapter", "{} does not fit '{}', which has shape {}; was it made for another model?", adapter.path, state,
       to_string(weight.shape()));
}

// W + scale B A, or its transpose where matrices are stored [in, out].
void add_lora(const PeftAdapter& adapter, const ModelConfig& config, const std::string& state, Tensor& weight) {
  const std::string module(module_of(state));
  const Tensor &a = adapter.states.at(key_of(module, "lora_A.weight")), b = value_for(adapter, config, key_of(module, "lora_B.weight"));
  const int64_t rank = a.dim(0), in = a.dim(1), out = b.dim(0);
  const bool turned = config.input_first;
  if (weight.shape() != (turned ? Shape{in, out} : Shape{out, in})) misfit(adapter, state, weight);
  const auto scale = static_cast<float>(lora_scale(adapter.adapter, module, rank));
  const float *left = turned ? a.data<float>().data() : b.data<float>().data(), *right = turned ? b.data<float>().data() : a.data<float>().data();
  auto values = weight.mutable_data<float>();
  const int64_t rows = weight.dim(0), columns = weight.dim(1);
  std::vector<float> change(static_cast<size_t>(columns));
  for (int64_t i = 0; i < rows; ++i) {
    std::ranges::fill(change, 0.0f);
    for (int64_t r = 0; r < rank; ++r) {
      const float factor = turned ? left[r * rows + i] : left[i * rank + r];
      for (int64_t j = 0; j < columns; ++j) change[static_cast<size_t>(j)] += factor * (turned ? right[j * rank + r] : right[r * columns + j]);
    }
    float* row = values.data() + i * columns;
    for (int64_t j = 0; j < columns; ++j) row[j] += scale * change[static_cast<size_t>(j)];
  }
}

// Rows or columns of W times l; of a bias, which belongs to the output, its elements.
void scale_by_ia3(const PeftAdapter& adapter, const ModelConfig& config, const std::string& state, Tensor& weight) {
  const Tensor l = value_for(adapter, config, key_of(module_of(state), "ia3_l"));
  const bool by_input = l.dim(1) != 1, matrix = weight.shape().size() == 2;
  if (!matrix && by_input) return;
  const int64_t rows = weight.dim(0), columns = matrix ? weight.dim(1) : 1;
  const bool by_column = matrix && by_input != config.input_first;
  if (l.size() != (by_column ? columns : rows)) misfit(adapter, state, weight);
  auto values = weight.mutable_data<float>();
  auto factors = l.data<float>();
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) values[static_cast<size_t>(i * columns + j)] *= factors[static_cast<size_t>(by_column ? j : i)];
}

}  // namespace

ModelSource adapted(const ModelSource& model, std::shared_ptr<const PeftAdapter> adapter) {
  ModelSource out = model;
  if (adapter->adapter.method == AdapterMethod::prefix) {
    if (model.config.pairing != RopePairing::half)
      fail(ErrorKind::usage, "adapter", "{}: a prefix holds keys in the order of Hugging Face files, and this GGUF file has another; use the folder",
           adapter->path);
    out.virtual_tokens = adapter->adapter.tokens;
  }
  auto has = [adapter](const std::string& state) { return adapter->states.contains(state); };
  out.types = [=, inner = model.types](const std::string& state) -> std::optional<Type> {
    if (!has(state)) return inner(state);
    return Type{Dtype::f32, fixed(adapter->states.at(state).shape())};
  };
  out.load = [=, inner = model.load, config = model.config](const std::string& state) {
    return has(state) ? value_for(*adapter, config, state) : inner(state);
  };
  if (model.read_part)
    out.read_part = [=, inner = model.read_part](const std::string& state, uint64_t from, std::span<std::byte> to) {
      return !has(state) && inner(state, from, to);
    };
  out.drop = [=, inner = model.drop](const std::string& state) {
    if (!has(state)) inner(state);
  };
  out.rewrite = [=, name = model.name, inner = model.rewrite](const Graph& graph) {
    Graph g = adapt(inner ? inner(graph) : graph, adapter->adapter);
    expect_fit(*adapter, g, name);
    return g;
  };
  return out;
}

bool merges(const PeftAdapter& adapter, const std::string& state) {
  const std::string_view module = module_of(state);
  return adapter.states.contains(state) || (adapter.states.contains(key_of(module, "lora_B.weight")) && state.ends_with(".weight")) ||
         adapter.states.contains(key_of(module, "ia3_l"));
}

ModelConfig with_head_of(const PeftAdapter& adapter, const ModelConfig& config) {
  const std::string path = adapter.path + "/config.json";
  if (!file_exists(path)) return config;
  ModelConfig head = config;
  read_head(parse_json(read_file(path, kMaxConfigBytes), path), family_of(config), path, head);
  return has_labels(head.task) ? with_task(config, head.task, head.labels) : config;
}

void expect_mergeable(AdapterMethod m, const std::string& adapter) {
  if (m == AdapterMethod::prefix)
    fail(ErrorKind::usage, "merge", "{} is a prefix: keys and values that no weight of the model can take in; run it with --adapter", adapter);
  if (m == AdapterMethod::bottleneck)
    fail(ErrorKind::usage, "merge", "{} holds bottlenecks with an activation inside, which no weight of the model can take in; run it with --adapter",
         adapter);
}

Tensor merged_weight(const PeftAdapter& adapter, const ModelConfig& config, const std::string& state, const Tensor& weight) {
  expect_mergeable(adapter.adapter.method, adapter.path);
  if (adapter.states.contains(state)) {
    Tensor value = value_for(adapter, config, state);
    if (value.shape() != weight.shape()) misfit(adapter, state, weight);
    return value;
  }
  Tensor out = as_floats(weight);
  if (!merges(adapter, state)) return out;
  if (adapter.adapter.method == AdapterMethod::lora) add_lora(adapter, config, state, out);
  if (adapter.adapter.method == AdapterMethod::ia3) scale_by_ia3(adapter, config, state, out);
  return out;
}

}  // namespace motley

// An Adapter to adapter_config.json and adapter_model.safetensors, with the keys that `peft` knows since 0.8 (0.6 and 0.7 refuse use_rslora, and
// with it the file).
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "control/peft.h"
#include "io/safetensors_writer.h"
#include "nn/convert.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson map_of(const auto& values) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, value] : values) json[name] = value;
  return json;
}

void describe_lora(OrderedJson& json, const Adapter& a, const PeftDescription& d) {
  json["peft_type"] = "LORA";
  json["r"] = a.rank;
  json["lora_alpha"] =
      a.alpha == static_cast<double>(static_cast<int64_t>(a.alpha)) ? OrderedJson(static_cast<int64_t>(a.alpha)) : OrderedJson(a.alpha);
  json["lora_dropout"] = a.dropout;
  json["use_rslora"] = a.rank_stabilised;
  json["bias"] = a.biases ? "all" : "none";
  json["fan_in_fan_out"] = d.input_first;
  json["init_lora_weights"] = true;
  json["rank_pattern"] = map_of(a.ranks);
  json["alpha_pattern"] = map_of(a.alphas);
  json["target_modules"] = a.targets;
}

void describe_prefix(OrderedJson& json, const Adapter& a, const Graph& adapted) {
  int64_t heads = 0, row = 0, columns = 0;
  for (const Node& n : adapted.nodes) {
    if (const auto* attention = std::get_if<Attention>(&n.op); attention && heads == 0) {
      heads = adapted.type(n.in[1]).dim(1).n;
      row = heads * adapted.type(n.in[1]).dim(2).n;
    }
    if (n.name == kPrefixState) columns = n.out[0].dim(1).n;
  }
  check(row > 0 && columns > 0, "a graph with a prefix has attention");
  json["peft_type"] = "PREFIX_TUNING";
  json["num_virtual_tokens"] = a.tokens;
  json["num_transformer_submodules"] = 1;
  json["num_layers"] = columns / (2 * row);
  json["num_attention_heads"] = heads;
  json["token_dim"] = row;
  json["encoder_hidden_size"] = row;
  json["prefix_projection"] = false;
}

std::string config_text(const Graph& adapted, const Adapter& adapter, const PeftDescription& d) {
  constexpr const char* kActivations[] = {"silu", "gelu", "gelu_tanh", "relu"};
  OrderedJson json = OrderedJson::object();
  json["auto_mapping"] = nullptr;
  json["base_model_name_or_path"] = d.base_model;
  json["inference_mode"] = true;
  json["revision"] = nullptr;
  json["task_type"] = d.task;
  switch (adapter.method) {
    case AdapterMethod::lora:
    case AdapterMethod::bias:
      describe_lora(json, adapter, d);
      break;
    case AdapterMethod::ia3:
      json["peft_type"] = "IA3";
      json["fan_in_fan_out"] = d.input_first;
      json["init_ia3_weights"] = true;
      json["target_modules"] = adapter.targets;
      json["feedforward_modules"] = adapter.feed_forward;
      break;
    case AdapterMethod::prefix:
      describe_prefix(json, adapter, adapted);
      break;
    case AdapterMethod::bottleneck:
      json["peft_type"] = "BOTTLENECK";
      json["bottleneck_size"] = adapter.width;
      json["non_linearity"] = kActivations[static_cast<size_t>(adapter.activation)];
      json["target_modules"] = adapter.targets;
      break;
  }
  if (adapter.method != AdapterMethod::prefix)
    json["modules_to_save"] = adapter.saved_modules.empty() ? OrderedJson(nullptr) : OrderedJson(adapter.saved_modules);
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

// One tensor of the file: the value of a state, or zeros.
struct Entry {
  std::string key, state;
  Shape shape;
};

std::vector<Entry> entries_of(const Graph& adapted, const Adapter& adapter) {
  std::vector<Entry> entries;
  auto learns = adapter_learns(adapter, adapted);
  for (const Node& n : adapted.nodes) {
    if (!std::holds_alternative<State>(n.op) || !learns(n.name)) continue;
    std::string key = n.name;
    if (!is_adapter_state(n.name)) {
      // `peft` wraps the modules it adapts, so their own tensors lie one level deeper.
      const size_t dot = n.name.rfind('.');
      const bool wrapped = names_module(adapter.targets, n.name.substr(0, dot));
      key = fmt::format("{}{}{}{}", kPeftPrefix, n.name.substr(0, dot), wrapped ? ".base_layer" : "", n.name.substr(dot));
    }
    entries.push_back({std::move(key), n.name, bind(n.out[0].shape, {})});
  }
  return entries;
}

// The row order of Hugging Face files, whichever the model's own file has.
Tensor for_file(const Entry& entry, const Tensor& value, const ModelConfig* config) {
  std::string_view module = entry.state;
  const bool own = !is_adapter_state(module);
  const bool by_output = own || module.ends_with(".lora_B.weight") || (module.ends_with(".ia3_l") && value.dim(0) != 1);
  if (!config || config->format == CheckpointFormat::hf || !by_output) return value;
  if (!own) module.remove_prefix(kPeftPrefix.size());
  for (std::string_view suffix : {".lora_B.weight", ".ia3_l", ".weight", ".bias"})
    if (module.ends_with(suffix)) {
      module.remove_suffix(suffix.size());
      break;
    }
  return arrange_rows(*config, fmt::format("{}.weight", module), value, config->format, CheckpointFormat::hf);
}

}  // namespace

void expect_storable(const Adapter& adapter, const ModelConfig& config) {
  if (adapter.method == AdapterMethod::prefix && config.pairing != RopePairing::half)
    fail(ErrorKind::usage, "adapter", "a prefix learned on this GGUF file has its keys in that file's order; learn it on the Hugging Face folder");
}

void write_peft(const std::string& folder, const Graph& adapted, const Adapter& adapter, const PeftDescription& description,
                const std::function<Tensor(const std::string& state)>& load) {
  if (description.config) expect_storable(adapter, *description.config);
  Adapter named = with_modules(adapter, adapted);
  std::vector<Entry> zeros;
  if (adapter.method == AdapterMethod::bias) {
    const LinearModule m = linear_modules(adapted).at(0);
    named.targets = {m.name};
    named.rank = 1;
    named.biases = true;
    zeros = {{fmt::format("{}{}.lora_A.weight", kPeftPrefix, m.name), "", {1, m.in}},
             {fmt::format("{}{}.lora_B.weight", kPeftPrefix, m.name), "", {m.out, 1}}};
  }
  std::vector<Entry> entries = entries_of(adapted, named);
  entries.insert(entries.end(), zeros.begin(), zeros.end());

  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorKind::runtime, "adapter", "cannot create {}: {}", folder, error.message());
  SafetensorsWriter values(folder + "/adapter_model.safetensors");
  values.set_metadata("format", "pt");
  for (const Entry& e : entries) values.declare(e.key, Dtype::f32, e.shape);
  for (const Entry& e : entries) {
    Tensor value = e.state.empty() ? Tensor::zeros(Dtype::f32, e.shape) : for_file(e, load(e.state), description.config);
    check(value.dtype() == Dtype::f32 && value.shape() == e.shape, "what learned is f32 and has the graph's shape");
    values.write(e.key, {value.bytes(), value.size_bytes()});
  }
  values.commit();
  AtomicFile config(folder + "/adapter_config.json");
  config.write(config_text(adapted, named, description));
  config.commit();
}

}  // namespace motley

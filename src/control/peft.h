// Adapters on disk, as the `peft` package writes and reads them: a folder with adapter_config.json (what is adapted, and how) and
// adapter_model.safetensors (the values). Folders come from strangers: shapes are checked against each other here, and against the model when it is
// adapted.
//
//   auto adapter = std::make_shared<const PeftAdapter>(read_peft("lora-out"));
//   ModelSource tuned = adapted(model_from_checkpoint(checkpoint), adapter);      // runs beside the weights as they are
//   Tensor merged = merged_weight(*adapter, config, name, weight);                // or goes into them
//
//   write_peft("lora-out", graph, adapter, {.base_model = "models/SmolLM2-135M"}, [&](const std::string& state) { return value_of(state); });
//
// Bottlenecks are unknown to `peft`; their folders look alike, with peft_type "BOTTLENECK". An adapter of biases is written as a LoRA of rank 1
// that changes nothing, with "bias": "all", which `peft` reads.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "control/model_source.h"
#include "io/json_fwd.h"
#include "io/safetensors.h"
#include "passes/adapt.h"

namespace motley {

struct PeftAdapter {
  std::string path;  // for messages
  Adapter adapter;   // targets are whole names of modules, where the method has modules
  std::string base_model;
  std::map<std::string, Tensor> states;  // f32, by the adapted graph's state names: new ones, and the model's own that learned
};

// Error(file) naming the file and the key or tensor that does not fit; for what is not supported, its name and what to do.
PeftAdapter read_peft(const std::string& folder);
// The two files' contents by themselves.
PeftAdapter parse_peft(const Json& config, const SafetensorsFile& tensors, const std::string& path);

struct PeftDescription {
  std::string base_model = {};     // what "base_model_name_or_path" says
  std::string task = "CAUSAL_LM";  // or "SEQ_CLS", "TOKEN_CLS", ...
  bool input_first = false;        // ModelConfig's: the model's matrices are [in, out]
  // Of the model and its form on disk: rows of values are stored in the order that Hugging Face files have.
  const ModelConfig* config = nullptr;
};

// Error(usage) where what learns on this file could not be stored as the package has it.
void expect_storable(const Adapter& adapter, const ModelConfig& config);

// Writes every state of the adapted graph that learns. The folder is made where it is missing; files in it are replaced one by one, each whole.
void write_peft(const std::string& folder, const Graph& adapted, const Adapter& adapter, const PeftDescription& description,
                const std::function<Tensor(const std::string& state)>& load);

// The model with the adapter in its graph, its values beside the model's own. Error(file) when the model has other shapes.
ModelSource adapted(const ModelSource& model, std::shared_ptr<const PeftAdapter> adapter);

// The configuration with the labels that the config.json of the adapter's folder names, if it has one: those of a head that is stored with it.
ModelConfig with_head_of(const PeftAdapter& adapter, const ModelConfig& config);

// Whether merging changes this state of the model.
bool merges(const PeftAdapter& adapter, const std::string& state);
// The weight with what the adapter adds to it, if anything, f32. The weight is float or quantised (its values are taken as they are); the order of
// its rows is the one that `config` says its checkpoint has. Error(usage) for methods that cannot be merged, saying why.
Tensor merged_weight(const PeftAdapter& adapter, const ModelConfig& config, const std::string& state, const Tensor& weight);
void expect_mergeable(AdapterMethod method, const std::string& adapter);  // adapter: for messages

}  // namespace motley

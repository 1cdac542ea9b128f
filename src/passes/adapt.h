// Parameter-efficient tuning as a rewrite of a model's graph: beside or behind the products of chosen modules come small new states, which learn
// while the model's own stay as they are. It works on the graph that learns and on the graph that serves, and the new states have the names
// under which the `peft` package stores them, so saving an adapter is only a write (control/peft.h).
//
//   Adapter adapter{.method = AdapterMethod::lora, .rank = 16, .alpha = 32};          // targets: the usual ones of the model
//   Graph graph = adapt(model, adapter, {.learns = true});                            // with dropout
//   Graph step = add_updates(autodiff(graph, {.learns = adapter_learns(adapter, graph)}), {});
//
// A module is a product with a weight of its own: "model.layers.0.self_attn.q_proj", the state's name without ".weight".
//
//   lora        y + (scale x A') B', scale = alpha / rank, or alpha / sqrt(rank) when rank-stabilised. Hu et al. 2022; Kalajdzievski 2023
//   ia3         y l, or (x l) W' for feed-forward modules. Liu et al. 2022
//   bottleneck  y + act(y D' + d) U' + u behind the last product of attention and of the feed-forward. Houlsby et al. 2019
//   prefix      learned keys and values in every layer. Li & Liang 2021
//   bias        nothing new: the model's own biases learn. Ben Zaken et al. 2022
//
// A prefix of P lives in tokens: whoever feeds the graph begins every sequence with the ids vocab, vocab + 1, ... vocab + P - 1 (targets
// ignored). What these tokens compute is thrown away; their keys and values are the learned rows. So positions count as in `peft`, learning and
// serving share one meaning, and no kernel knows about it.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "tensor/tensor.h"

namespace motley {

enum class AdapterMethod : uint8_t { lora, ia3, prefix, bottleneck, bias };

struct Adapter {
  AdapterMethod method = AdapterMethod::lora;
  // Modules by the end of their names, as PEFT's target_modules: "q_proj" or "self_attn.q_proj" or all of it. "all-linear": every matrix of the
  // layers. Empty: the usual ones of the method.
  std::vector<std::string> targets = {};
  std::vector<std::string> feed_forward = {};  // ia3: those of the targets whose input is multiplied
  int64_t rank = 8;                            // lora
  double alpha = 8;
  bool rank_stabilised = false;
  std::map<std::string, int64_t> ranks = {};  // of modules that differ, named as the targets are
  std::map<std::string, double> alphas = {};
  float dropout = 0;   // lora: of what goes into A
  int64_t width = 64;  // bottleneck
  Activation activation = Activation::relu;
  int64_t tokens = 16;  // prefix
  bool biases = false;  // lora: the model's biases learn too
  // Modules that learn as a whole and are stored with the adapter: a new head.
  std::vector<std::string> saved_modules = {};
};

struct AdaptOptions {
  bool learns = false;  // dropout exists
};

// Error(usage) naming a target that no module of the graph has, with the modules there are.
Graph adapt(const Graph& graph, const Adapter& adapter, const AdaptOptions& options = {});

// The adapter with its targets as whole names of the graph's modules: what it says in a file.
Adapter with_modules(const Adapter& adapter, const Graph& graph);

// Which states of the adapted graph learn. The function may outlive both arguments.
std::function<bool(std::string_view state)> adapter_learns(const Adapter& adapter, const Graph& adapted);

// What a new state of an adapter begins with, so that the model begins as it was (a prefix: near it). Any seed; the same for the same seed and name.
Tensor adapter_start(const std::string& state, const Type& type, uint64_t seed);

// The products that have a weight of their own, in the graph's order.
struct LinearModule {
  std::string name;
  int64_t in = 0, out = 0;
  int block = -1;
};
std::vector<LinearModule> linear_modules(const Graph& graph);

// ---- names
inline constexpr std::string_view kPeftPrefix = "base_model.model.";
inline constexpr std::string_view kPrefixState = "prompt_embeddings";  // f32 [tokens, layers * 2 * kv heads * head]: key, value of layer 0, ...
bool is_adapter_state(std::string_view state);
// Whether `name` is one of `patterns` or ends with a dot and one of them.
bool names_module(const std::vector<std::string>& patterns, std::string_view name);
std::string_view module_of(std::string_view state);  // without ".weight", ".bias", ...
double lora_scale(const Adapter& adapter, std::string_view module, int64_t rank);

}  // namespace motley

#include "passes/adapt.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"
#include "ops/builder.h"
#include "passes/adapt_prefix.h"

namespace motley {
namespace {

constexpr std::string_view kAllLinear = "all-linear", kWeight = ".weight", kBias = ".bias";

// A product with a weight of its own, and where its output is complete: the product itself or the addition of its bias.
struct Module : LinearModule {
  int32_t product = -1, output = -1;
};

// A state, or what a cast made of it.
const Node* state_behind(const Graph& graph, Value v) {
  const Node* n = &graph.node(v);
  if (std::holds_alternative<Cast>(n->op)) n = &graph.node(n->in[0]);
  return std::holds_alternative<State>(n->op) ? n : nullptr;
}

std::vector<Module> modules_of(const Graph& graph) {
  std::vector<Module> modules;
  std::map<int32_t, size_t> by_product;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    const auto at = static_cast<int32_t>(i);
    if (std::holds_alternative<Matmul>(n.op)) {
      const Node* weight = state_behind(graph, n.in[1]);
      if (!weight || !weight->name.ends_with(kWeight)) continue;
      by_product[at] = modules.size();
      std::string name = weight->name.substr(0, weight->name.size() - kWeight.size());
      modules.push_back({{std::move(name), graph.type(n.in[0]).dim(-1).n, n.out[0].dim(-1).n, n.block}, at, at});
    } else if (std::holds_alternative<Add>(n.op)) {
      for (size_t side : {0, 1}) {
        auto product = by_product.find(n.in[side].node);
        const Node* bias = state_behind(graph, n.in[1 - side]);
        if (product == by_product.end() || !bias) continue;
        if (Module& m = modules[product->second]; bias->name == m.name + std::string(kBias)) m.output = at;
      }
    }
  }
  return modules;
}

// The first row of which the model has every name is what a method adapts unless told otherwise: attention's queries and values for LoRA, keys,
// values and the feed-forward's second product for IA3, the last products of both parts for a bottleneck. PEFT's own choices where it has one.
using Names = std::vector<std::string>;
const std::vector<Names>& usual_targets(AdapterMethod method) {
  static const std::vector<Names> lora = {{"q_proj", "v_proj"}, {"c_attn"},         {"query_key_value"}, {"qkv_proj"},
                                          {"query", "value"},   {"q_lin", "v_lin"}, {"q", "v"}};
  static const std::vector<Names> ia3 = {{"k_proj", "v_proj", "down_proj"},
                                         {"c_attn", "mlp.c_proj"},
                                         {"query_key_value", "dense_4h_to_h"},
                                         {"qkv_proj", "down_proj"},
                                         {"key", "value", "output.dense"},
                                         {"k_proj", "v_proj"},
                                         {"k", "v", "wo"}};
  static const std::vector<Names> bottleneck = {{"o_proj", "down_proj"}, {"attn.c_proj", "mlp.c_proj"}, {"attention.dense", "dense_4h_to_h"},
                                                {"output.dense"},        {"out_lin", "lin2"},           {"o_proj"}};
  static const std::vector<Names> none;
  return method == AdapterMethod::lora ? lora : method == AdapterMethod::ia3 ? ia3 : method == AdapterMethod::bottleneck ? bottleneck : none;
}
// Of those, where IA3 multiplies the input.
const Names kUsualFeedForward = {"down_proj", "mlp.c_proj", "dense_4h_to_h", "output.dense", "wo"};

bool any_module(const std::vector<Module>& modules, const std::string& pattern) {
  return std::ranges::any_of(modules, [&](const Module& m) { return names_module({pattern}, m.name); });
}

// The last words of the modules' names, each once.
std::string module_kinds(const std::vector<Module>& modules) {
  std::set<std::string> kinds;
  for (const Module& m : modules) kinds.insert(m.name.substr(m.name.rfind('.') + 1));
  std::string all;
  for (const std::string& k : kinds) all += (all.empty() ? "" : ", ") + k;
  return all;
}

Names chosen_targets(const Adapter& adapter, const std::vector<Module>& modules) {
  if (!adapter.targets.empty()) return adapter.targets;
  for (const Names& names : usual_targets(adapter.method))
    if (std::ranges::all_of(names, [&](const std::string& n) { return any_module(modules, n); })) return names;
  fail(ErrorKind::usage, "adapter", "this model has none of the modules that are usually adapted; choose among: {}", module_kinds(modules));
}

std::vector<Module> adapted_modules(const Adapter& adapter, const Graph& graph) {
  const std::vector<Module> modules = modules_of(graph);
  const Names targets = chosen_targets(adapter, modules);
  const bool all = targets == Names{std::string(kAllLinear)};
  std::vector<Module> chosen;
  for (const std::string& t : targets)
    if (!all && !any_module(modules, t))
      fail(ErrorKind::usage, "adapter", "no module of this model is called '{}'; there are: {}", printable(t), module_kinds(modules));
  for (const Module& m : modules)
    if (all ? m.block >= 0 : names_module(targets, m.name)) chosen.push_back(m);
  return chosen;
}

template <class T>
T of_module(const std::map<std::string, T>& exceptions, std::string_view module, T usual) {
  for (const auto& [pattern, value] : exceptions)
    if (names_module({pattern}, module)) return value;
  return usual;
}

std::string state_name(const Module& m, std::string_view what) { return fmt::format("{}{}.{}", kPeftPrefix, m.name, what); }

int64_t next_dropout_stream(const Graph& graph) {
  int64_t next = 0;
  for (const Node& n : graph.nodes)
    if (const auto* d = std::get_if<Dropout>(&n.op)) next = std::max(next, d->stream + 1);
  return next;
}

// Puts one method's ops around the modules while the graph is rebuilt.
class Adapting {
 public:
  Adapting(const Graph& graph, const Adapter& adapter, const AdaptOptions& options)
      : graph_(graph), adapter_(adapter), options_(options), next_stream_(next_dropout_stream(graph)) {
    for (const Module& m : adapted_modules(adapter, graph)) by_product_[m.product] = by_output_[m.output] = m;
  }

  Graph run() {
    return rebuild(graph_, [&](Graph& to, const Node& node, int32_t old) -> std::vector<Value> {
      const bool product = by_product_.contains(old), output = by_output_.contains(old);
      if (!product && !output) return copy_node(to, node);
      const Module& m = product ? by_product_[old] : by_output_[old];
      Node n = node;
      if (product && scales_input(m)) n.in[0] = scaled(to, m, n.in[0], {{1}, {m.in}});
      Value y = copy_node(to, n)[0];
      if (product && adapter_.method == AdapterMethod::lora) y = with_lora(to, m, n.in[0], y);
      if (output && adapter_.method == AdapterMethod::ia3 && !scales_input(m)) y = scaled(to, m, y, {{m.out}, {1}});
      if (output && adapter_.method == AdapterMethod::bottleneck) y = with_bottleneck(to, m, y);
      return {y};
    });
  }

 private:
  bool scales_input(const Module& m) const {
    if (adapter_.method != AdapterMethod::ia3) return false;
    return names_module(adapter_.targets.empty() ? kUsualFeedForward : adapter_.feed_forward, m.name);
  }

  // f(builder) -> Value, with nodes named after the module.
  template <class F>
  Value grow(Graph& to, const Module& m, F&& f) {
    Builder b(std::move(to));
    b.set_origin(fmt::format("{}.adapter", m.name), m.block);
    Value v = f(b);
    to = b.release();
    return v;
  }

  Value scaled(Graph& to, const Module& m, Value x, const Dims& stored) {
    return grow(to, m, [&](Builder& b) {
      Value l = b.step_state(state_name(m, "ia3_l"), {Dtype::f32, stored});
      return b.mul(x, b.reshape(l, {b.type(x).dim(-1)}));
    });
  }

  Value with_lora(Graph& to, const Module& m, Value x, Value y) {
    return grow(to, m, [&](Builder& b) {
      const int64_t rank = of_module(adapter_.ranks, m.name, adapter_.rank);
      if (rank < 1 || rank > std::max(m.in, m.out))
        fail(ErrorKind::usage, "adapter", "a rank of {} does not suit {} with {} inputs and {} outputs", rank, m.name, m.in, m.out);
      Value a = b.step_state(state_name(m, "lora_A.weight"), {Dtype::f32, {{rank}, {m.in}}});
      Value w = b.step_state(state_name(m, "lora_B.weight"), {Dtype::f32, {{m.out}, {rank}}});
      if (options_.learns && adapter_.dropout > 0) {
        Value key = b.step_input("dropout_key", {Dtype::i32, {{4}}});
        x = b.emit(Dropout{adapter_.dropout, next_stream_++}, {x, key});
      }
      // Scaled where it is small.
      Value inner = b.matmul(x, a);
      inner = b.mul(inner, b.scalar(static_cast<float>(lora_scale(adapter_, m.name, rank))));
      return b.add(y, b.matmul(inner, w));
    });
  }

  Value with_bottleneck(Graph& to, const Module& m, Value y) {
    return grow(to, m, [&](Builder& b) {
      const int64_t width = adapter_.width;
      if (width < 1) fail(ErrorKind::usage, "adapter", "a bottleneck of width {} passes nothing", width);
      auto state = [&](const char* what, const Dims& shape) { return b.step_state(state_name(m, what), {Dtype::f32, shape}); };
      Value down = state("bottleneck_down.weight", {{width}, {m.out}}), down_bias = state("bottleneck_down.bias", {{width}});
      Value up = state("bottleneck_up.weight", {{m.out}, {width}}), up_bias = state("bottleneck_up.bias", {{m.out}});
      Value inner = b.act(adapter_.activation, b.add(b.matmul(y, down), down_bias));
      return b.add(y, b.add(b.matmul(inner, up), up_bias));
    });
  }

  const Graph& graph_;
  const Adapter& adapter_;
  const AdaptOptions& options_;
  std::map<int32_t, Module> by_product_, by_output_;  // by node of the old graph
  int64_t next_stream_;
};

bool has_biases(const Graph& graph) {
  return std::ranges::any_of(graph.nodes, [](const Node& n) { return std::holds_alternative<State>(n.op) && n.name.ends_with(kBias); });
}

}  // namespace

Graph adapt(const Graph& graph, const Adapter& adapter, const AdaptOptions& options) {
  switch (adapter.method) {
    case AdapterMethod::prefix:
      return with_prefix(graph, adapter.tokens);
    case AdapterMethod::bias:
      if (!has_biases(graph)) fail(ErrorKind::usage, "adapter", "this model has no biases that could learn; choose another method, such as lora");
      return graph;
    default:
      return Adapting(graph, adapter, options).run();
  }
}

Adapter with_modules(const Adapter& adapter, const Graph& graph) {
  Adapter out = adapter;
  if (adapter.method == AdapterMethod::prefix || adapter.method == AdapterMethod::bias) return out;
  if (adapter.targets.empty()) out.feed_forward = kUsualFeedForward;
  out.targets.clear();
  std::vector<std::string> feed_forward;
  for (const Module& m : adapted_modules(adapter, graph)) {
    out.targets.push_back(m.name);
    if (adapter.method == AdapterMethod::ia3 && names_module(out.feed_forward, m.name)) feed_forward.push_back(m.name);
  }
  out.feed_forward = std::move(feed_forward);
  return out;
}

std::function<bool(std::string_view)> adapter_learns(const Adapter& adapter, const Graph& adapted) {
  std::set<std::string, std::less<>> names;
  for (const Node& n : adapted.nodes) {
    if (!std::holds_alternative<State>(n.op)) continue;
    const bool bias = n.name.ends_with(kBias) && (adapter.method == AdapterMethod::bias || adapter.biases);
    const bool saved = names_module(adapter.saved_modules, module_of(n.name));
    if (is_adapter_state(n.name) || bias || saved) names.insert(n.name);
  }
  return [names](std::string_view state) { return names.contains(state); };
}

Tensor adapter_start(const std::string& state, const Type& type, uint64_t seed) {
  Tensor t = Tensor::zeros(Dtype::f32, bind(type.shape, {}));
  auto values = t.mutable_data<float>();
  uint64_t stream = 14695981039346656037ull;  // FNV-1a of the name
  for (char c : state) stream = (stream ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  auto normal = [&](float deviation) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = deviation * philox_normal(seed, stream, i);
  };
  if (state.ends_with(".lora_A.weight")) {  // uniform within 1 / sqrt(inputs), as PEFT begins
    const float most = 1 / std::sqrt(static_cast<float>(type.dim(-1).n));
    for (size_t i = 0; i < values.size(); ++i) values[i] = most * (2 * philox_uniform(seed, stream, i) - 1);
  } else if (state.ends_with(".ia3_l")) {
    std::ranges::fill(values, 1.0f);
  } else if (state.ends_with(".bottleneck_down.weight") || state == kPrefixState) {
    normal(0.02f);
  }
  return t;
}

std::vector<LinearModule> linear_modules(const Graph& graph) {
  std::vector<LinearModule> out;
  for (const Module& m : modules_of(graph)) out.push_back(m);
  return out;
}

bool is_adapter_state(std::string_view state) { return state.starts_with(kPeftPrefix) || state == kPrefixState; }

std::string_view module_of(std::string_view state) { return state.substr(0, state.rfind('.')); }

bool names_module(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](std::string_view p) {
    return name == p || (name.size() > p.size() && name.ends_with(p) && name[name.size() - p.size() - 1] == '.');
  });
}

double lora_scale(const Adapter& adapter, std::string_view module, int64_t rank) {
  const double alpha = of_module(adapter.alphas, module, adapter.alpha);
  return alpha / (adapter.rank_stabilised ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank));
}

}  // namespace motley

#include "passes/adapt_prefix.h"

#include <set>

#include "base/error.h"
#include "ir/text.h"
#include "ops/builder.h"
#include "passes/adapt.h"

namespace motley {
namespace {

// What keys and values go into: attention over the batch, or a cache.
bool takes_keys(const Node& n) { return std::holds_alternative<Attention>(n.op) || std::holds_alternative<CacheAppend>(n.op); }
bool is_cache_of_values(const Graph& graph, const Node& n) { return graph.node(n.in[0]).name.ends_with("v_cache"); }

struct Layout {
  int64_t vocab = 0, layers = 0, heads = 0, head_dim = 0;
  int64_t row() const { return heads * head_dim; }
};

Layout layout_of(const Graph& graph) {
  Layout l;
  std::set<int> blocks;
  auto rows = [&](const Node& n, Value v) {
    const Type& t = graph.type(v);
    if (l.layers == 0 && blocks.empty()) l.heads = t.dim(1).n, l.head_dim = t.dim(2).n;
    if (t.dim(1).n != l.heads || t.dim(2).n != l.head_dim || n.block < 0)
      fail(ErrorKind::usage, "adapter", "a prefix wants the same keys and values in every layer; \"{}\" has {}", n.name, to_string(t));
    blocks.insert(n.block);
  };
  for (const Node& n : graph.nodes) {
    if (const auto* attention = std::get_if<Attention>(&n.op)) {
      if (!attention->causal) fail(ErrorKind::usage, "adapter", "a prefix goes before what a model continues; this model reads both ways");
      rows(n, n.in[1]), rows(n, n.in[2]);
    } else if (std::holds_alternative<CacheAppend>(n.op)) {
      rows(n, n.in[1]);
    } else if (std::holds_alternative<Gather>(n.op) && graph.node(n.in[1]).name == "tokens") {
      l.vocab = graph.type(n.in[0]).dim(0).n;
    }
  }
  l.layers = static_cast<int64_t>(blocks.size());
  if (l.layers == 0 || l.vocab == 0) fail(ErrorKind::usage, "adapter", "a prefix needs a model of tokens with attention, which this graph is not");
  if (*blocks.rbegin() != l.layers - 1) fail(ErrorKind::usage, "adapter", "a prefix wants attention in every layer");
  // Ids pass through f32, which holds whole numbers up to 2^24.
  if (l.vocab >= int64_t{1} << 23) fail(ErrorKind::usage, "adapter", "a vocabulary of {} is too large for a prefix", l.vocab);
  return l;
}

class Prefixing {
 public:
  Prefixing(const Graph& graph, int64_t tokens) : graph_(graph), tokens_(tokens), layout_(layout_of(graph)) {}

  Graph run() {
    return rebuild(graph_, [&](Graph& to, const Node& node, int32_t) -> std::vector<Value> {
      const bool ids = std::holds_alternative<Input>(node.op) && node.name == "tokens";
      if (!ids && !takes_keys(node)) return copy_node(to, node);
      Node n = node;
      Builder b(std::move(to));
      if (ids) {
        b.set_origin("prefix", -1);
        Value known = begin(b, b.step_input(n.name, n.out[0]));
        to = b.release();
        return {known};
      }
      b.set_origin(n.name + ".prefix", n.block);
      if (std::holds_alternative<Attention>(n.op)) {
        n.in[1] = replaced(b, n.in[1], 2 * n.block);
        n.in[2] = replaced(b, n.in[2], 2 * n.block + 1);
      } else {
        n.in[1] = replaced(b, n.in[1], 2 * n.block + is_cache_of_values(b.graph(), n));
      }
      to = b.release();
      return copy_node(to, n);
    });
  }

 private:
  // Of the step's ids: those the model knows (0 in place of virtual ones), and for each token whether it is virtual and which row is its.
  Value begin(Builder& b, Value tokens) {
    table_ = b.step_state(std::string(kPrefixState), {Dtype::f32, {{tokens_}, {2 * layout_.layers * layout_.row()}}});
    Value id = b.emit(Cast{Dtype::f32}, {tokens}), first = b.scalar(static_cast<float>(layout_.vocab));
    Value flag = b.emit(Less{}, {b.scalar(static_cast<float>(layout_.vocab) - 0.5f), id}), rest = b.sub(b.scalar(1), flag);
    Value offset = b.emit(Maximum{}, {b.sub(id, first), b.scalar(0)});
    row_ = b.emit(Cast{Dtype::i32}, {offset});
    const Dims each = {b.type(id).dim(0), {1}, {1}};
    virtual_ = b.reshape(flag, each);
    real_ = b.reshape(rest, each);
    Value known = b.mul(id, rest);
    return b.emit(Cast{Dtype::i32}, {known});
  }

  // Keys or values [T, H, D] with the learned rows where a token is virtual; `part` counts keys and values of all layers. One factor is 0 and
  // the other 1, so every row keeps its bits.
  Value replaced(Builder& b, Value x, int64_t part) {
    Value rows = b.gather(b.slice(table_, -1, part * layout_.row(), layout_.row()), row_);
    Value learned = b.mul(b.reshape(rows, b.type(x).shape), virtual_), own = b.mul(x, real_);
    return b.add(own, learned);
  }

  const Graph& graph_;
  int64_t tokens_;
  Layout layout_;
  Value table_, row_, virtual_, real_;
};

}  // namespace

Graph with_prefix(const Graph& graph, int64_t tokens) {
  if (tokens < 1) fail(ErrorKind::usage, "adapter", "a prefix of {} tokens is none", tokens);
  return Prefixing(graph, tokens).run();
}

}  // namespace motley

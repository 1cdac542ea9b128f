// Products with a quantised weight get the activation format that goes with it (quant/activation.h), so every device forms the same
// integer dot products. Products with a float weight keep f32 activations.
#include "passes/pass.h"

namespace motley {
namespace {

// A product that passes a gradient back through a quantised weight reads it as [K, N], whose integers do not line up: its activations stay f32.
template <class Product>
void set_format(Node& node, const Graph& graph) {
  auto* p = std::get_if<Product>(&node.op);
  if (!p) return;
  bool rows = true;
  if constexpr (requires { p->transpose_w; }) rows = p->transpose_w;
  p->activation = rows && is_quantised(graph.type(node.in[1]).dtype) ? ActivationFormat::q8_32 : ActivationFormat::f32;
}

}  // namespace

Graph quantize(const Graph& graph, const PassContext&) {
  return rebuild(graph, [](Graph& to, const Node& n, int32_t) {
    Node node = n;
    set_format<Matmul>(node, to);
    set_format<ExpertMatmul>(node, to);
    return copy_node(to, node);
  });
}

}  // namespace motley

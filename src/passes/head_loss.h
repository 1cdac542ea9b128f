// The head's product, its soft cap and the cross-entropy become one op (HeadLoss), so that no tensor of all tokens times the vocabulary is kept.
// It is done before autodiff, because the op forms its gradients while the logits are there:
//
//   Graph learning = autodiff(fuse_head_loss(graph), {});
//
// It does not apply where somebody else reads the logits (an output, a second loss), where the head has a bias, or
// where its product was given quantised activations already. A quantised head multiplies f32 activations here.
#pragma once
#include <functional>

#include "ir/graph.h"

namespace motley {

// accepts: whether the op may be, from its inputs' types; null: always.
Graph fuse_head_loss(const Graph& graph, const std::function<bool(const Node& node, const Graph& graph)>& accepts = {});

}  // namespace motley

// Adversarial training: the loss is computed a second time with the embedded tokens moved where it grows fastest, and both losses are learned.
//
//   Graph learning = autodiff(adversarial(graph, {.kind = Adversary::fgm, .epsilon = 1}), {});
//
// With e the embedding's output of one sample (all of its tokens together) and g the loss's gradient to it, the loss becomes L(e) + L(e + r):
//
//   fgm   r = epsilon g / |g|                                        Miyato et al. 2017, equation 5 (Goodfellow et al. 2015)
//   pgd   r = 0, then `steps` times r <- r + a g(e + r) / |g(e + r)|, and where |r| > epsilon shortened to it; a = 2.5 epsilon / steps
//         Madry et al. 2018, in the norm of fgm
//
// r is a constant to the gradients that are learned from: autodiff forms no second derivatives. Lengths are those of single samples, so however a
// batch is split, r is the same. The second forward part draws the dropout masks of the first, and only the first changes running statistics.
// What two differentiations compute alike, simplify merges: a step costs about twice as much with fgm, steps + 1 times as much with pgd.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "ir/graph.h"

namespace motley {

enum class Adversary : uint8_t { none, fgm, pgd };
std::string_view to_string(Adversary kind);
std::optional<Adversary> parse_adversary(std::string_view name);

struct AdversarialOptions {
  Adversary kind = Adversary::none;
  double epsilon = 1;  // the length of r, in units of the embedding
  int64_t steps = 3;   // of pgd
  bool scaled =
      false;  // g is that of the loss times the input "loss_scale" (passes/autodiff.h), so that in 16 bits it does not vanish: r is the same
};

// Of a graph with an output "loss" and packed samples (inputs "seq" and "positions"). The output "weight" stays that of one loss. Error(usage)
// when no embedding of "tokens" leads to the loss, or for options that cannot be.
Graph adversarial(const Graph& graph, const AdversarialOptions& options);

}  // namespace motley

// Rotary frequencies as a model was trained or stretched: the angle of pair i at position p is p * frequency[i].
//
//   Rotary rotary(b, config);
//   Value q = rotary.turn(q, layer);
#pragma once
#include <vector>

#include "ir/graph.h"
#include "nn/config.h"

namespace motley {

class Builder;

// dims / 2 frequencies for a session of at most `context` positions. transformers chooses anew for every forward pass by its longest
// sequence; a graph is built once, so the session's context decides, and a KV cache never mixes two choices.
std::vector<double> rope_frequencies(const RopeConfig& rope, int64_t context);

// The tables of a model in its graph, one for layers that see everything and, where it differs, one for layers with a window.
class Rotary {
 public:
  Rotary(Builder& b, const ModelConfig& c);
  Value turn(Value x, int64_t layer) const;  // x [T, H, D]

 private:
  Builder& b_;
  const ModelConfig& c_;
  Value full_, window_;
};

// What YaRN's paper multiplies sine and cosine by (as the square root of its temperature).
double yarn_attention_factor(double factor, double scale = 1);

}  // namespace motley

// A Plan holds the decisions made before anything is compiled: which device computes, with how many threads, and how large the step and
// the KV pool are. It is one of the three values that cross stages; its text is a small YAML file a person can edit and replay:
//
//   device: cpu:0
//   threads: 2
//   context: 4096          # tokens the longest sequence may have
//   sequences: 1           # at the same time
//   batch_tokens: 512      # most tokens of one step
//   rows: 1                # most rows of logits of one step
//   page_tokens: 32
//   pages: 128             # of the KV pool, per layer
//   kv_type: f16
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "target/target.h"
#include "tensor/dtype.h"

namespace motley {

struct Plan {
  std::string device = "cpu:0";
  int threads = 1;
  int64_t context = 0, sequences = 1, batch_tokens = 512, rows = 1, page_tokens = 32, pages = 0;
  Dtype kv_type = Dtype::f16;
  bool operator==(const Plan&) const = default;

  int64_t blocks() const { return (context + page_tokens - 1) / page_tokens; }
};

// What a model asks of a device.
struct ModelDemand {
  int64_t weight_bytes = 0;  // as stored
  int64_t largest_weight_bytes = 0;
  int64_t kv_row_elements = 0;  // elements of keys and values that one token adds, over all layers
  int64_t max_positions = 0;
  int64_t vocab = 0, hidden = 0, layers = 0;
};

// What the user asked for; the rest is chosen.
struct PlanWishes {
  std::optional<int64_t> context, sequences, batch_tokens, rows;
  std::optional<Dtype> kv_type;
  int64_t reserve_bytes = int64_t{1} << 30;  // left free on the device
};

int64_t kv_bytes(const ModelDemand& demand, const Plan& plan);
// Weights, KV pool and working memory of a step, estimated from above.
int64_t memory_bytes(const ModelDemand& demand, const Plan& plan);

// The context is as long as the model allows and memory holds. Error(no_fit) with the plan and the smallest change that would fit.
Plan make_plan(const ModelDemand& demand, const Target& target, const PlanWishes& wishes);

std::string print(const Plan& plan);
// Error(usage) naming the line for an unknown key, a value out of range, or text that is not YAML.
Plan parse_plan(std::string_view text, std::string_view what);

}  // namespace motley

// What a checkpoint says about its model, in the field's words, whichever of the two forms it came in. Every number in a ModelConfig has
// been checked against a range and against the others, so model code uses them as they are.
//
//   ModelConfig config = read_config(Checkpoint::open(path));   // from config.json or GGUF metadata
//   config.context = 8192;                                      // positions that this session will use at most
//   build_model(builder, config);                               // families.h
//
// Some facts are not the model's but the file's: which elements of a head turn together, whether a norm stores w or w + 1, in which
// order a matrix lies. They are attributes here (see "how the checkpoint stores it") and weights are never rearranged when they are loaded.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "ir/op.h"
#include "nn/task.h"

namespace motley {

// Which vector stands for a text.
enum class Pooling : uint8_t {
  mean,    // of all its tokens
  first,   // that of [CLS]
  last,    // of models that read from left to right
  pooler,  // BERT's own: tanh(dense(first))
};

enum class RecurrentCell : uint8_t { gru, lstm };

enum class RopeScaling : uint8_t {
  none,
  linear,    // every frequency divided by `factor` (Chen et al. 2023)
  dynamic,   // the base grows with the context beyond max_positions (NTK-aware)
  llama3,    // long waves divided by `factor`, short ones kept, a ramp between
  yarn,      // Peng et al. 2023
  longrope,  // Ding et al. 2024: a divisor per frequency, one set for contexts up to original_positions and one beyond
  divisors,  // a divisor per frequency, whatever the context: how GGUF stores llama3
};

// Rotary position embedding (Su et al. 2021): which frequencies, and how they were stretched for contexts longer than trained.
struct RopeConfig {
  double theta = 10000;
  int64_t dims = 0;  // of each head, from its front; the rest does not turn
  RopeScaling scaling = RopeScaling::none;
  double factor = 1;
  int64_t original_positions = 0;                // context before stretching
  int64_t max_positions = 0;                     // of the model, for dynamic
  double low_frequency = 1, high_frequency = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;          // yarn
  bool truncate = true;                          // yarn: the ramp begins and ends at whole dimensions
  double attention_factor = 1;                   // yarn, longrope: multiplies sine and cosine
  std::vector<double> divisors, long_divisors;   // dims / 2 each: longrope, divisors
  bool operator==(const RopeConfig&) const = default;
};

// A model whose decoder attends to what its encoder has read. Layers, heads and ff of ModelConfig are the decoder's, these the encoder's.
struct Seq2SeqConfig {
  int64_t layers = 0, heads = 0, ff = 0;
  bool scaled_embedding = false;      // Marian: embeddings are multiplied by the root of their size
  bool gated = false;                 // T5 v1.1: the feed-forward has a gate
  int64_t buckets = 0, farthest = 0;  // T5: kinds of distances, and from which on all are one
  std::optional<int64_t> pad;         // what other programs fill batches with
  int64_t start = 0;                  // stands before every answer
  bool operator==(const Seq2SeqConfig&) const = default;
};

struct ModelConfig {
  std::string family;  // a row of the family table
  std::string name;    // what the checkpoint calls itself; may be empty

  int64_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0, ff = 0, vocab = 0;
  int64_t max_positions = 0;
  int64_t context = 0;  // positions the graph is built for; 0: max_positions. It chooses between short and long rotary factors
  float norm_eps = 1e-5f;
  Activation activation = Activation::silu;
  bool qkv_bias = false, output_bias = false, ff_bias = false;  // output: the product after attention
  bool tied = false;                                            // the head is the embedding
  bool parallel_residual = false;                               // attention and feed-forward read the same input (GPT-NeoX)

  Task task = Task::language_model;
  std::vector<std::string> labels;      // of tasks that have some (task.h), by number
  Pooling pooling = Pooling::mean;      // of embeddings
  bool normalise = false;               // embeddings have length one
  float dropout = 0, head_dropout = 0;  // while learning: of what layers add, and before the last layer

  // ---- encoders: BERT and its kin
  bool causal = true;          // a token sees what stands before it alone
  int64_t token_types = 0;     // kinds of segments that tokens are marked with; 0: none
  int64_t first_position = 0;  // the position of a text's first token (RoBERTa: 2)

  Seq2SeqConfig seq2seq;

  // ---- small classifiers
  RecurrentCell cell = RecurrentCell::gru;
  bool bidirectional = false, batch_norm = false;
  std::vector<int64_t> kernel_sizes;  // tokens that a convolution sees, a group of `ff` filters for each

  RopeConfig rope;
  std::optional<RopeConfig> window_rope;           // of layers with a window, where it is another (Gemma 3)
  std::vector<int64_t> windows;                    // by layer: positions seen, 0 all
  double attention_scale = 0;                      // of q.k; by default 1 / sqrt(head_dim)
  float attention_softcap = 0, logit_softcap = 0;  // 0: none

  int64_t experts = 0, experts_used = 0, expert_ff = 0;
  bool normalise_experts = true;    // weights of the chosen experts sum to one
  std::vector<bool> expert_layers;  // by layer, empty without experts; the other layers are dense

  std::optional<int64_t> bos;
  std::vector<int64_t> eos;  // any of them ends a text

  // ---- how the checkpoint stores it
  CheckpointFormat format = CheckpointFormat::hf;
  RopePairing pairing = RopePairing::half;
  float norm_offset = 0;     // Gemma in Hugging Face files: the norm multiplies by 1 + w
  bool input_first = false;  // GPT-2 in Hugging Face files: matrices are [in, out]
  bool qkv_by_head = false;  // GPT-NeoX in Hugging Face files: rows of the fused matrix go head by head, q k v within each

  int64_t window(int64_t layer) const { return windows[static_cast<size_t>(layer)]; }
  bool has_experts(int64_t layer) const { return !expert_layers.empty() && expert_layers[static_cast<size_t>(layer)]; }
  int64_t built_context() const { return context > 0 ? context : max_positions; }
  int64_t num_labels() const { return static_cast<int64_t>(labels.size()); }
  int64_t longest_text() const {  // in tokens
    const int64_t most = max_positions - first_position;
    return context > 0 && context < most ? context : most;
  }
  bool operator==(const ModelConfig&) const = default;
};

// Error(file) naming the key, its value and what was expected; of an unknown architecture, the nearest supported one and all of them.
ModelConfig read_config(const Checkpoint& checkpoint);
// Of a config.json alone; what: its path, or other words for messages.
ModelConfig read_config(const Json& config, const std::string& what);

// The ranges and the agreement of all fields; what read_config ends with. For configurations made by hand.
void check_config(const ModelConfig& config, const std::string& what);

}  // namespace motley

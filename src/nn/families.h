// The family table: one row per model family, with what differs between families as data. The rows are written beside their models
// (llama.cpp, gemma3.cpp, ...); adding a family is its file and a line in families.cpp.
//
//   const Family& family = family_of(config);
//   Builder b(limits, weights.types());
//   build_model(b, config);            // outputs "logits" f32 [R, vocab]
//   Graph graph = b.take();
//
// Graph states carry the names of Hugging Face checkpoints whichever form the weights are in: "model.layers.0.self_attn.q_proj.weight".
#pragma once
#include <functional>
#include <span>
#include <string_view>

#include "nn/config.h"
#include "nn/config_sink.h"
#include "nn/config_source.h"
#include "ops/builder.h"

namespace motley {

// A Hugging Face name and what GGUF calls it; "{}" stands for the layer's number. Without ".weight" and ".bias", which both share.
struct NamePair {
  std::string_view hf, gguf;
};

// How the same weights lie differently in the two forms, besides their names.
enum class FormatDifference : uint8_t {
  none,
  rotary_rows,    // GGUF: the rows of q and k are reordered so that neighbours turn together
  norm_plus_one,  // GGUF stores what the norm multiplies by, Hugging Face that minus one
  transposed,     // Hugging Face: matrices of the layers are [in, out]
  qkv_by_head,    // Hugging Face: rows of the fused q, k, v go head by head; GGUF: all of q, then k, then v
};

// What transformers' configuration classes assume where config.json is silent. Zero: the key has to be there.
struct HfDefaults {
  double norm_eps = 1e-6, theta = 10000, partial_rotary = 1;
  Activation activation = Activation::silu;
  bool tied = false, qkv_bias = false, output_bias = false, ff_bias = false;
  int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0, max_positions = 0;
};

enum class FamilyKind : uint8_t {
  decoder,     // continues texts; with another last layer it classifies or embeds them
  encoder,     // reads texts whole
  classifier,  // small, made to classify texts; trained here and read by nobody else
  seq2seq,     // an encoder reads a text, a decoder writes another
};

struct Family {
  std::string_view name;
  std::span<const std::string_view> model_types;  // config.json's "model_type"; the first is written
  std::string_view architecture;                  // its "architectures", of the usual task
  std::string_view gguf;                          // general.architecture; empty where GGUF files of it are not read
  std::string_view weights_prefix;                // of Hugging Face tensor names, which some files leave out
  void (*build)(Builder& b, const ModelConfig& c);
  // What the common reading and writing (config_hf.cpp, config_gguf.cpp, convert_config.cpp) do not cover; called after it. The GGUF
  // ones may be null; their keys are without the architecture in front.
  void (*read_hf)(const ConfigSource& source, ModelConfig& c);
  void (*write_hf)(const ModelConfig& c, ConfigSink& sink);
  void (*read_gguf)(const ConfigSource& source, ModelConfig& c) = nullptr;
  void (*write_gguf)(const ModelConfig& c, ConfigSink& sink) = nullptr;
  std::span<const NamePair> names;    // tensors of this family beside the common ones (names.h)
  std::span<const NamePair> aliases;  // keys that this family's config.json spells its own way: {common, own}
  FormatDifference difference = FormatDifference::none;
  bool layer_norm = false;  // with biases, and as many key-value heads as heads: the families before Llama
  int64_t full_every = 0;   // of GGUF files with a window: every how many layers one sees everything
  HfDefaults defaults = {};
  FamilyKind kind = FamilyKind::decoder;
  bool grid = false;  // it works on whole sequences of one size (Builder::grid)
  // Of kind seq2seq, whose `build` is the decoder (with the encoder before it where one step is both): what the encoder's step leaves for it.
  void (*read_source)(Builder& b, const ModelConfig& c) = nullptr;
};

std::span<const Family* const> families();
const Family* find_family(std::string_view name);
const Family& family_of(const ModelConfig& config);

// By config.json's model_type (or, where that is missing, its architecture); by GGUF's general.architecture, of which "llama" covers
// Mixtral too. Error(file) naming the nearest supported one and all of them.
const Family& find_hf_family(std::string_view model_type, std::string_view architecture, const std::string& what);
const Family& find_gguf_family(std::string_view architecture, bool has_experts, const std::string& what);

// The graph of one step: tokens in, "logits" out, or "embedding" of models that embed.
void build_model(Builder& b, const ModelConfig& config);
// Of models with an encoder: the step that reads sources, in mode embed. It has no output; the keys and values that the decoder attends to are
// in its caches.
void build_source_reader(Builder& b, const ModelConfig& config);
bool reads_sources(const ModelConfig& config);
// The mode in which a model answers: it continues texts from a cache, or takes them whole.
BuildMode run_mode(const ModelConfig& config);

// ---- readings that several families share
// Windows by layer: where the file lists "layer_types" those called sliding, otherwise those for which `slides(layer)` holds.
std::vector<int64_t> hf_windows(const ConfigSource& source, const ModelConfig& c, int64_t window, const std::function<bool(int64_t)>& slides);
bool has_windows(const ModelConfig& c);
bool has_mixed_windows(const ModelConfig& c);  // in some layers only
// "sliding_window", and which layers have it where by_layer.
void hf_write_windows(const ModelConfig& c, bool by_layer, ConfigSink& sink);

}  // namespace motley

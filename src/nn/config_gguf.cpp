// GGUF metadata. Its keys are the same in every family but for the architecture's name in front; what other readers know about a family
// without a key for it is in the family's read_gguf.
#include "nn/config_gguf.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "io/gguf.h"
#include "nn/families.h"
#include "nn/rope.h"

namespace motley {
namespace {

class GgufSource final : public ConfigSource {
 public:
  explicit GgufSource(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint), file_(*checkpoint.gguf()), architecture_(file_.string("general.architecture")), what_(checkpoint.path()) {}

  std::optional<int64_t> find_int(const std::string& key) const override { return file_.find_int(spelled(key)); }
  std::optional<double> find_double(const std::string& key) const override { return file_.find_double(spelled(key)); }
  std::optional<bool> find_bool(const std::string& key) const override { return file_.find_bool(spelled(key)); }
  std::optional<std::string> find_string(const std::string& key) const override {
    auto found = file_.find_string(spelled(key));
    return found ? std::optional<std::string>(*found) : std::nullopt;
  }
  std::optional<std::vector<double>> find_doubles(const std::string& key) const override {
    auto found = file_.find_floats(spelled(key));
    return found ? std::optional<std::vector<double>>({found->begin(), found->end()}) : std::nullopt;
  }
  std::optional<std::vector<int64_t>> find_ints(const std::string& key) const override { return file_.find_ints(spelled(key)); }
  std::optional<std::vector<std::string>> find_strings(const std::string& key) const override {
    auto found = file_.find_strings(spelled(key));
    return found ? std::optional<std::vector<std::string>>({found->begin(), found->end()}) : std::nullopt;
  }
  std::optional<std::vector<bool>> find_bools(const std::string& key) const override { return file_.find_bools(spelled(key)); }
  bool has_tensor(const std::string& name) const override { return checkpoint_.has(name); }
  bool is_list(const std::string& key) const override {
    const GgufEntry* entry = file_.find(spelled(key));
    return entry && entry->type == GgufType::array;
  }
  bool is_null(const std::string&) const override { return false; }  // the format has no null
  std::string spelled(const std::string& key) const override { return key.find("tokenizer.") == 0 ? key : architecture_ + "." + key; }
  const std::string& what() const override { return what_; }
  const std::string& architecture() const { return architecture_; }

  // Some files give sizes layer by layer. Models that truly differ by layer are none of ours, so all entries have to agree.
  int64_t same_in_all_layers(const std::string& key, IntRange range, std::optional<int64_t> otherwise) const {
    if (!is_list(key)) return otherwise ? integer(key, range, *otherwise) : integer(key, range);
    auto list = *find_ints(key);
    for (int64_t n : list)
      if (n != list[0] || n < range.low || n > range.high)
        refuse(key, fmt::format("a list with {}", n), fmt::format("the same number from {} to {} in every layer", range.low, range.high));
    if (list.empty()) refuse(key, "an empty list", "a number");
    return list[0];
  }

 private:
  const Checkpoint& checkpoint_;
  const GgufFile& file_;
  std::string architecture_, what_;
};

std::vector<double> read_divisors(const Checkpoint& checkpoint, const char* name) {
  const CheckpointTensor* found = checkpoint.find(name);
  if (found->dtype != Dtype::f32 || found->shape.size() != 1 || found->shape[0] > kMaxHeadDim)
    fail(ErrorKind::file, "config", "{}: tensor '{}' is {} {}, expected one row of F32 rotary factors", checkpoint.path(), name, found->type_name,
         to_string(found->shape));
  std::vector<float> values(static_cast<size_t>(found->shape[0]));
  checkpoint.read(name, std::as_writable_bytes(std::span(values)));
  return {values.begin(), values.end()};
}

RopeConfig read_rope(const GgufSource& source, const Checkpoint& checkpoint, const ModelConfig& c) {
  constexpr NumberRange kFactor = {1e-6, 1e6};
  RopeConfig rope;
  rope.theta = source.number("rope.freq_base", {1.0001, 1e15}, 10000);
  rope.dims = source.integer("rope.dimension_count", {0, kMaxHeadDim}, c.head_dim);
  rope.max_positions = c.max_positions;
  rope.original_positions = source.integer("rope.scaling.original_context_length", {2, kMaxPositions}, std::max<int64_t>(c.max_positions, 2));
  const double attention = source.number("rope.scaling.attn_factor", kFactor, 1);
  if (checkpoint.has("rope_factors_short.weight") && checkpoint.has("rope_factors_long.weight")) {
    rope.scaling = RopeScaling::longrope;
    rope.divisors = read_divisors(checkpoint, "rope_factors_short.weight");
    rope.long_divisors = read_divisors(checkpoint, "rope_factors_long.weight");
    rope.factor = static_cast<double>(c.max_positions) / static_cast<double>(rope.original_positions);
    double computed = rope.factor <= 1 ? 1 : std::sqrt(1 + std::log(rope.factor) / std::log(static_cast<double>(rope.original_positions)));
    rope.attention_factor = source.find_double("rope.scaling.attn_factor") ? attention : computed;
    return rope;
  }
  if (checkpoint.has("rope_freqs.weight")) {
    rope.scaling = RopeScaling::divisors;
    rope.divisors = read_divisors(checkpoint, "rope_freqs.weight");
    return rope;
  }
  rope.factor = source.number("rope.scaling.factor", kFactor, source.number("rope.scale_linear", kFactor, 1));
  std::string type = source.find_string("rope.scaling.type").value_or(rope.factor == 1 ? "none" : "linear");
  if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::yarn;
    rope.beta_fast = source.number("rope.scaling.yarn_beta_fast", kFactor, 32);
    rope.beta_slow = source.number("rope.scaling.yarn_beta_slow", kFactor, 1);
    rope.attention_factor = attention * yarn_attention_factor(rope.factor);
  } else if (type != "none") {
    source.refuse("rope.scaling.type", type, "none, linear or yarn (longrope comes with tensors of factors)");
  }
  return rope;
}

// Where the file says which layers have the window it names, as it says; otherwise all but every full_every-th (0: all).
std::vector<int64_t> read_windows(const GgufSource& source, const ModelConfig& c, int64_t full_every) {
  const int64_t window = source.integer("attention.sliding_window", {0, kMaxPositions}, 0);
  const std::string pattern = "attention.sliding_window_pattern";
  std::vector<bool> slides;
  if (source.is_list(pattern)) {
    slides = source.find_bools(pattern).value_or(std::vector<bool>{});
    if (static_cast<int64_t>(slides.size()) < c.layers)
      source.refuse(pattern, fmt::format("a list of {}", slides.size()), fmt::format("one entry for each of the {} layers", c.layers));
  } else {
    full_every = source.integer(pattern, {0, kMaxLayers}, full_every);
    for (int64_t layer = 0; layer < c.layers; ++layer) slides.push_back(full_every == 0 || (layer + 1) % full_every != 0);
  }
  std::vector<int64_t> windows;
  for (int64_t layer = 0; layer < c.layers; ++layer) windows.push_back(slides[static_cast<size_t>(layer)] ? window : 0);
  return windows;
}

// 2^32 - 1 stands for "none" in some files.
std::optional<int64_t> token_id(const GgufSource& source, const char* key) {
  auto id = source.find_int(key);
  return id && *id >= 0 && *id <= kMaxId ? id : std::nullopt;
}

void read_common(const GgufSource& source, const Checkpoint& checkpoint, ModelConfig& c) {
  c.layers = source.integer("block_count", {1, kMaxLayers});
  c.hidden = source.integer("embedding_length", {1, kMaxWidth});
  c.heads = source.same_in_all_layers("attention.head_count", {1, kMaxHeads}, {});
  c.kv_heads = source.same_in_all_layers("attention.head_count_kv", {1, kMaxHeads}, c.heads);
  c.ff = source.same_in_all_layers("feed_forward_length", {1, kMaxWidth}, {});
  c.max_positions = source.integer("context_length", {1, kMaxPositions});
  if (!source.find_int("attention.key_length") && c.hidden % c.heads != 0)
    source.refuse("attention.head_count", fmt::format("{}", c.heads), fmt::format("a divisor of the {} channels", c.hidden));
  c.head_dim = source.integer("attention.key_length", {1, kMaxHeadDim}, std::max<int64_t>(c.hidden / c.heads, 1));
  if (int64_t values = source.integer("attention.value_length", {1, kMaxHeadDim}, c.head_dim); values != c.head_dim)
    source.refuse("attention.value_length", fmt::format("{}", values), fmt::format("the same as attention.key_length ({})", c.head_dim));
  // Tables are padded in some files, so the embedding says how many tokens there are.
  const CheckpointTensor* table = checkpoint.find("token_embd.weight");
  if (!table || table->shape.size() != 2)
    fail(ErrorKind::file, "config", "{}: expected a matrix 'token_embd.weight' among the tensors", source.what());
  c.vocab = table->shape[0];
  const char* eps = source.find_double("attention.layer_norm_rms_epsilon") ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  c.norm_eps = static_cast<float>(source.number(eps, {1e-12, 1}));
  c.tied = !source.has_tensor("output.weight");
  c.qkv_bias = source.has_tensor("blk.0.attn_q.bias") || source.has_tensor("blk.0.attn_qkv.bias");
  c.output_bias = source.has_tensor("blk.0.attn_output.bias");
  c.ff_bias = source.has_tensor("blk.0.ffn_down.bias");
  c.attention_scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
  c.experts = source.integer("expert_count", {0, kMaxExperts}, 0);
  c.experts_used = source.integer("expert_used_count", {0, kMaxExperts}, 0);
  c.rope = read_rope(source, checkpoint, c);
  c.bos = token_id(source, "tokenizer.ggml.bos_token_id");
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (auto id = token_id(source, key); id && std::find(c.eos.begin(), c.eos.end(), *id) == c.eos.end()) c.eos.push_back(*id);
}

}  // namespace

ModelConfig read_gguf_config(const Checkpoint& checkpoint) {
  check(checkpoint.gguf() != nullptr, "GGUF metadata is read from GGUF files");
  GgufSource source(checkpoint);
  const bool has_experts = source.find_int("expert_count").value_or(0) > 0;
  const Family& family = find_gguf_family(source.architecture(), has_experts, source.what());
  ModelConfig c;
  c.family = family.name;
  c.name = checkpoint.gguf()->find_string("general.name").value_or("");
  c.format = CheckpointFormat::gguf;
  c.activation = family.defaults.activation;
  c.pooling = Pooling::last;  // these are all decoders
  if (family.difference == FormatDifference::rotary_rows) c.pairing = RopePairing::interleaved;
  read_common(source, checkpoint, c);
  c.windows = read_windows(source, c, family.full_every);
  if (family.read_gguf) family.read_gguf(source, c);
  check_config(c, source.what());
  return c;
}

}  // namespace motley

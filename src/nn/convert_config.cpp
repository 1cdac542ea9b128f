#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "io/gguf_writer.h"
#include "io/json.h"
#include "ir/text.h"
#include "nn/convert.h"
#include "nn/families.h"
#include "nn/heads.h"
#include "nn/rope.h"

namespace motley {
namespace {

// The name that config.json has for an activation.
const char* hf_activation(Activation a) {
  switch (a) {
    case Activation::silu:
      return "silu";
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_pytorch_tanh";
    case Activation::relu:
      return "relu";
  }
  return "";
}

// GGUF keeps only the divisors of Llama 3's scaling. The parameters that give them, if there are any: its factor is the largest divisor,
// the two bounds have been 1 and 4 in every release, and the original context is a power of two.
std::optional<RopeConfig> recognise_llama3(const RopeConfig& rope, int64_t max_positions) {
  RopeConfig plain = rope, guess = rope;
  plain.scaling = RopeScaling::none;
  guess.scaling = RopeScaling::llama3;
  guess.factor = rope.divisors.empty() ? 1 : *std::max_element(rope.divisors.begin(), rope.divisors.end());
  guess.divisors.clear();
  const auto unscaled = rope_frequencies(plain, max_positions);
  for (guess.original_positions = 64; guess.original_positions <= max_positions; guess.original_positions *= 2) {
    const auto scaled = rope_frequencies(guess, max_positions);
    bool equal = true;
    for (size_t i = 0; i < scaled.size(); ++i) equal = equal && std::abs(unscaled[i] / scaled[i] / rope.divisors[i] - 1) < 1e-5;
    if (equal) return guess;
  }
  return std::nullopt;
}

Json hf_rope_scaling(const RopeConfig& rope, const ModelConfig& c) {
  switch (rope.scaling) {
    case RopeScaling::none:
      return nullptr;
    case RopeScaling::linear:
      return {{"rope_type", "linear"}, {"factor", rope.factor}};
    case RopeScaling::dynamic:
      return {{"rope_type", "dynamic"}, {"factor", rope.factor}};
    case RopeScaling::llama3:
      return {{"rope_type", "llama3"},
              {"factor", rope.factor},
              {"low_freq_factor", rope.low_frequency},
              {"high_freq_factor", rope.high_frequency},
              {"original_max_position_embeddings", rope.original_positions}};
    case RopeScaling::yarn:
      return {{"rope_type", "yarn"},
              {"factor", rope.factor},
              {"beta_fast", rope.beta_fast},
              {"beta_slow", rope.beta_slow},
              {"truncate", rope.truncate},
              {"attention_factor", rope.attention_factor},
              {"original_max_position_embeddings", rope.original_positions}};
    case RopeScaling::longrope:
      return {{"rope_type", "longrope"},
              {"factor", rope.factor},
              {"short_factor", rope.divisors},
              {"long_factor", rope.long_divisors},
              {"attention_factor", rope.attention_factor},
              {"original_max_position_embeddings", rope.original_positions}};
    case RopeScaling::divisors:
      if (auto known = recognise_llama3(rope, c.max_positions)) return hf_rope_scaling(*known, c);
      // One set of divisors for every context is longrope with both sets alike.
      return {{"rope_type", "longrope"},      {"factor", 1.0},           {"short_factor", rope.divisors},
              {"long_factor", rope.divisors}, {"attention_factor", 1.0}, {"original_max_position_embeddings", std::max<int64_t>(c.max_positions, 2)}};
  }
  return nullptr;
}

Json to_json(const ConfigValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

[[noreturn]] void refuse(const ModelConfig& c, const std::string& why) {
  fail(ErrorKind::usage, "convert", "this {} model cannot be written as GGUF: {}", c.family, why);
}

void gguf_rope(const ModelConfig& c, const std::string& prefix, ConfigSink& out) {
  const RopeConfig& rope = c.rope;
  if (rope.dims == 0) return;
  if (family_of(c).difference == FormatDifference::rotary_rows && rope.dims != c.head_dim)
    refuse(c, fmt::format("only {} of the {} elements of a head turn, and this architecture's rows are reordered for all", rope.dims, c.head_dim));
  out.set(prefix + "rope.dimension_count", rope.dims);
  out.set(prefix + "rope.freq_base", rope.theta);
  switch (rope.scaling) {
    case RopeScaling::none:
    case RopeScaling::dynamic:  // has no effect within the context length that is written
    case RopeScaling::llama3:
    case RopeScaling::divisors:
      break;
    case RopeScaling::linear:
      out.set(prefix + "rope.scaling.type", "linear");
      out.set(prefix + "rope.scaling.factor", rope.factor);
      break;
    case RopeScaling::yarn:
      if (!rope.truncate) refuse(c, "its YaRN ramp does not begin at a whole dimension ('truncate' is false)");
      out.set(prefix + "rope.scaling.type", "yarn");
      out.set(prefix + "rope.scaling.factor", rope.factor);
      out.set(prefix + "rope.scaling.original_context_length", rope.original_positions);
      out.set(prefix + "rope.scaling.yarn_beta_fast", rope.beta_fast);
      out.set(prefix + "rope.scaling.yarn_beta_slow", rope.beta_slow);
      out.set(prefix + "rope.scaling.attn_factor", rope.attention_factor / yarn_attention_factor(rope.factor));
      break;
    case RopeScaling::longrope:
      out.set(prefix + "rope.scaling.original_context_length", rope.original_positions);
      out.set(prefix + "rope.scaling.attn_factor", rope.attention_factor);
      break;
  }
}

void gguf_windows(const ModelConfig& c, int64_t full_every, const std::string& prefix, ConfigSink& out) {
  const int64_t window = *std::max_element(c.windows.begin(), c.windows.end());
  if (window == 0) return;
  out.set(prefix + "attention.sliding_window", window);
  std::vector<bool> slides;
  bool usual = true;
  for (size_t layer = 0; layer < c.windows.size(); ++layer) {
    slides.push_back(c.windows[layer] > 0);
    usual = usual && slides.back() == (full_every == 0 || (static_cast<int64_t>(layer) + 1) % full_every != 0);
    if (c.windows[layer] != 0 && c.windows[layer] != window) refuse(c, "its layers have windows of several sizes");
  }
  if (!usual) out.set(prefix + "attention.sliding_window_pattern", slides);
}

}  // namespace

std::string hf_config_text(const ModelConfig& c, std::string_view stored) {
  const Family& family = family_of(c);
  ConfigSink sink;
  auto common = [&](std::string key, ConfigValue value) {
    for (const NamePair& alias : family.aliases)
      if (alias.hf == key) key = alias.gguf;
    sink.set(key, std::move(value));
  };
  sink.set("architectures", std::vector<std::string>{hf_architecture(family, c.task)});
  sink.set("model_type", std::string(family.model_types[0]));
  sink.set("torch_dtype", std::string(stored));
  common("num_hidden_layers", c.layers);
  common("hidden_size", c.hidden);
  common("intermediate_size", c.ff);
  common("vocab_size", c.vocab);
  common("max_position_embeddings", c.max_positions);
  if (family.kind != FamilyKind::classifier) {
    common("num_attention_heads", c.heads);
    common("rms_norm_eps", shortest_decimal(c.norm_eps));
    common("hidden_act", std::string(hf_activation(c.activation)));
    common("tie_word_embeddings", c.tied);
    common("bos_token_id", c.bos ? ConfigValue(*c.bos) : ConfigValue(nullptr));
    common("eos_token_id", c.eos.empty() ? ConfigValue(nullptr) : c.eos.size() == 1 ? ConfigValue(c.eos[0]) : ConfigValue(c.eos));
  }
  if (!family.layer_norm) {
    common("num_key_value_heads", c.kv_heads);
    common("head_dim", c.head_dim);
  }
  if (c.rope.dims > 0) {
    common("rope_theta", c.rope.theta);
    if (c.rope.dims != c.head_dim || family.defaults.partial_rotary != 1)
      common("partial_rotary_factor", static_cast<double>(c.rope.dims) / static_cast<double>(c.head_dim));
  }
  family.write_hf(c, sink);

  Json json = Json::object();
  for (const ConfigEntry& entry : sink.entries()) json[entry.key] = to_json(entry.value);
  if (c.rope.dims > 0) json["rope_scaling"] = hf_rope_scaling(c.rope, c);
  write_head(c, json);
  return json.dump(2) + "\n";
}

std::vector<ConfigEntry> gguf_metadata(const ModelConfig& c) {
  const Family& family = family_of(c);
  if (family.gguf.empty()) refuse(c, "this program knows no GGUF files of it");
  if (c.task != Task::language_model) refuse(c, fmt::format("its last layer is for '{}'", task_name(c.task)));
  if (c.activation != family.defaults.activation)
    refuse(c, fmt::format("its activation is {}, and GGUF has no word for it but the family's own", hf_activation(c.activation)));
  ConfigSink out;
  const std::string prefix = fmt::format("{}.", family.gguf);
  out.set("general.architecture", std::string(family.gguf));
  if (!c.name.empty()) out.set("general.name", c.name);
  out.set(prefix + "block_count", c.layers);
  out.set(prefix + "context_length", c.max_positions);
  out.set(prefix + "embedding_length", c.hidden);
  out.set(prefix + "feed_forward_length", c.ff);
  out.set(prefix + "vocab_size", c.vocab);
  out.set(prefix + "attention.head_count", c.heads);
  out.set(prefix + "attention.head_count_kv", c.kv_heads);
  out.set(prefix + (family.layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"), static_cast<double>(c.norm_eps));
  if (!family.layer_norm) {
    out.set(prefix + "attention.key_length", c.head_dim);
    out.set(prefix + "attention.value_length", c.head_dim);
  }
  gguf_rope(c, prefix, out);
  gguf_windows(c, family.full_every, prefix, out);
  if (c.experts > 0) {
    out.set(prefix + "expert_count", c.experts);
    out.set(prefix + "expert_used_count", c.experts_used);
    out.set(prefix + "expert_feed_forward_length", c.expert_ff);
  }
  if (family.write_gguf) {
    ConfigSink own;
    family.write_gguf(c, own);
    for (const ConfigEntry& entry : own.entries()) out.set(prefix + entry.key, entry.value);
  } else if (std::abs(c.attention_scale * std::sqrt(static_cast<double>(c.head_dim)) - 1) > 1e-6) {
    refuse(c, fmt::format("its scores are scaled by {} and not by 1 / sqrt({})", c.attention_scale, c.head_dim));
  }
  if (c.bos) out.set("tokenizer.ggml.bos_token_id", *c.bos);
  const char* ends[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
  for (size_t i = 0; i < std::min(c.eos.size(), std::size(ends)); ++i) out.set(ends[i], c.eos[i]);
  return {out.entries().begin(), out.entries().end()};
}

void write_metadata(std::span<const ConfigEntry> metadata, GgufWriter& writer) {
  for (const auto& [key, value] : metadata) {
    if (const auto* text = std::get_if<std::string>(&value)) writer.set_string(key, *text);
    if (const auto* flag = std::get_if<bool>(&value)) writer.set_bool(key, *flag);
    if (const auto* number = std::get_if<int64_t>(&value)) writer.set_u32(key, static_cast<uint32_t>(*number));
    if (const auto* real = std::get_if<double>(&value)) writer.set_f32(key, static_cast<float>(*real));
    if (const auto* flags = std::get_if<std::vector<bool>>(&value)) writer.set_bools(key, *flags);
  }
}

}  // namespace motley

#include "nn/names.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace motley {
namespace {

constexpr NamePair kCommonNames[] = {{"model.embed_tokens", "token_embd"},
                                     {"model.norm", "output_norm"},
                                     {"lm_head", "output"},
                                     {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
                                     {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
                                     {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
                                     {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
                                     {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
                                     {"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
                                     {"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
                                     {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"}};

// What stands for "{}" when name follows the pattern (empty for a pattern without), or nothing.
std::optional<std::string_view> match(std::string_view pattern, std::string_view name) {
  size_t hole = pattern.find("{}");
  if (hole == std::string_view::npos) return pattern == name ? std::optional(std::string_view()) : std::nullopt;
  std::string_view before = pattern.substr(0, hole), after = pattern.substr(hole + 2);
  if (name.size() <= before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after)) return std::nullopt;
  std::string_view number = name.substr(before.size(), name.size() - before.size() - after.size());
  bool digits = std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::optional(number) : std::nullopt;
}

std::string fill(std::string_view pattern, std::string_view number) {
  std::string name(pattern);
  if (size_t hole = name.find("{}"); hole != std::string::npos) name.replace(hole, 2, number);
  return name;
}

std::optional<std::string> translate(const Family& family, std::string_view name, std::string_view NamePair::*from, std::string_view NamePair::*to) {
  std::string_view suffix;
  for (std::string_view s : {".weight", ".bias"})
    if (name.ends_with(s)) suffix = s;
  name.remove_suffix(suffix.size());
  for (std::span<const NamePair> table : {family.names, std::span<const NamePair>(kCommonNames)})
    for (const NamePair& pair : table)
      if (auto number = match(pair.*from, name)) return fill(pair.*to, *number).append(suffix);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> gguf_name(const Family& family, std::string_view state) {
  return translate(family, state, &NamePair::hf, &NamePair::gguf);
}
std::optional<std::string> hf_name(const Family& family, std::string_view gguf) { return translate(family, gguf, &NamePair::gguf, &NamePair::hf); }

std::vector<std::string> hf_candidates(const Family& family, std::string_view state) {
  std::vector<std::string> names = {std::string(state)};
  if (!family.weights_prefix.empty() && state.starts_with(family.weights_prefix)) names.emplace_back(state.substr(family.weights_prefix.size()));
  if (family.weights_prefix == "model.") {
    names.push_back(fmt::format("language_model.{}", state));
    if (state.starts_with("model.")) names.push_back(fmt::format("model.language_model.{}", state.substr(6)));
  }
  // The first files of BERT call a norm's weights as its paper does; some files keep a tied bias beside the matrix.
  for (auto [now, then] : {std::pair("LayerNorm.weight", "LayerNorm.gamma"), std::pair("LayerNorm.bias", "LayerNorm.beta"),
                           std::pair("cls.predictions.bias", "cls.predictions.decoder.bias"), std::pair("lm_head.bias", "lm_head.decoder.bias")})
    for (size_t i = 0, known = names.size(); i < known && state.ends_with(now); ++i)
      names.push_back(names[i].substr(0, names[i].size() - std::strlen(now)) + then);
  // transformers 5 gives Mixtral's router the name it has elsewhere.
  if (size_t at = state.find("block_sparse_moe.gate."); at != std::string_view::npos) names.push_back(std::string(state).replace(at, 16, "mlp"));
  return names;
}

std::optional<ExpertState> expert_state(std::string_view state) {
  constexpr std::string_view kMark = ".experts.";
  size_t at = state.find(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view owner = state.substr(0, at), last = state.substr(at + kMark.size());
  ExpertState found;
  if (last == "w1.weight" || last == "gate_proj.weight") {
    found.part = ExpertState::gate;
  } else if (last == "w3.weight" || last == "up_proj.weight") {
    found.part = ExpertState::up;
  } else if (last == "w2.weight" || last == "down_proj.weight") {
    found.part = ExpertState::down;
  } else {
    return std::nullopt;
  }
  found.before = fmt::format("{}{}", owner, kMark);
  found.after = fmt::format(".{}", last);
  found.fused = fmt::format("{}.mlp.experts.{}", owner.substr(0, owner.rfind('.')), found.part == ExpertState::down ? "down_proj" : "gate_up_proj");
  return found;
}

}  // namespace motley

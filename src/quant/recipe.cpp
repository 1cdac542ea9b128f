#include "quant/recipe.h"

#include <array>

#include "base/text.h"

namespace motley {
namespace {

constexpr std::array kRecipes = {
    Recipe{"f32", Dtype::f32, Mixture::pure},     Recipe{"f16", Dtype::f16, Mixture::pure},       Recipe{"bf16", Dtype::bf16, Mixture::pure},
    Recipe{"q8_0", Dtype::q8_0, Mixture::pure},   Recipe{"q4_0", Dtype::q4_0, Mixture::head},     Recipe{"q4_1", Dtype::q4_1, Mixture::head},
    Recipe{"q5_0", Dtype::q5_0, Mixture::head},   Recipe{"q5_1", Dtype::q5_1, Mixture::head},     Recipe{"q2_k", Dtype::q2_k, Mixture::medium},
    Recipe{"q3_k", Dtype::q3_k, Mixture::medium}, Recipe{"q3_k_m", Dtype::q3_k, Mixture::medium}, Recipe{"q3_k_s", Dtype::q3_k, Mixture::head},
    Recipe{"q4_k", Dtype::q4_k, Mixture::medium}, Recipe{"q4_k_m", Dtype::q4_k, Mixture::medium}, Recipe{"q4_k_s", Dtype::q4_k, Mixture::small},
    Recipe{"q5_k", Dtype::q5_k, Mixture::medium}, Recipe{"q5_k_m", Dtype::q5_k, Mixture::medium}, Recipe{"q5_k_s", Dtype::q5_k, Mixture::head},
    Recipe{"q6_k", Dtype::q6_k, Mixture::pure},
};

// The first and last eighth of the layers and every third between.
bool more_bits(int64_t layer, int64_t layers) {
  int64_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

Dtype fitting(Dtype wanted, int64_t row) {
  if (row % info(wanted).block == 0) return wanted;
  Dtype smaller = wanted;
  switch (wanted) {
    case Dtype::q2_k:
    case Dtype::q3_k:
      smaller = Dtype::q4_0;
      break;
    case Dtype::q4_k:
      smaller = Dtype::q5_0;
      break;
    case Dtype::q5_k:
      smaller = Dtype::q5_1;
      break;
    case Dtype::q6_k:
      smaller = Dtype::q8_0;
      break;
    default:
      return Dtype::f16;
  }
  return row % info(smaller).block == 0 ? smaller : Dtype::f16;
}

Dtype mixed(const Recipe& r, const RecipeTensor& t) {
  if (r.mixture == Mixture::pure) return r.base;
  if (t.head) return Dtype::q6_k;
  if (r.mixture == Mixture::head) return r.base;
  auto is = [&](std::string_view part) { return t.state.find(part) != t.state.npos; };
  bool values = is("v_proj"), fused = is("qkv") || is("query_key_value") || is("c_attn"),
       down = is("down_proj") || is("fc_out") || is("dense_4h_to_h") || is("mlp.c_proj");
  bool early = t.layer < t.layers / 8;
  if (r.mixture == Mixture::small) {
    if (values && t.layer < 4) return Dtype::q5_k;
    return down && early ? Dtype::q5_k : r.base;
  }
  switch (r.base) {
    case Dtype::q2_k:
      if (values) return Dtype::q3_k;
      return down || is("o_proj") ? Dtype::q3_k : r.base;
    case Dtype::q3_k:
      if (values) return t.layer < 2 ? Dtype::q5_k : Dtype::q4_k;
      if (down) return t.layer < t.layers / 16 ? Dtype::q5_k : more_bits(t.layer, t.layers) ? Dtype::q4_k : r.base;
      return is("o_proj") || fused ? Dtype::q4_k : r.base;
    case Dtype::q4_k:
      if (fused) return Dtype::q5_k;
      return (values || down) && more_bits(t.layer, t.layers) ? Dtype::q6_k : r.base;
    default:  // q5_k
      return (values || down || fused) && more_bits(t.layer, t.layers) ? Dtype::q6_k : r.base;
  }
}

}  // namespace

Dtype Recipe::type_of(const RecipeTensor& t) const {
  if (t.shape.size() < 2) return Dtype::f32;
  // A router decides between experts: too small to gain from fewer bits, and everything depends on it.
  if (is_quantised(base) && (t.state.ends_with("mlp.gate.weight") || t.state.ends_with("block_sparse_moe.gate.weight"))) return Dtype::f32;
  return fitting(mixed(*this, t), t.shape.back());
}

std::optional<Recipe> find_recipe(std::string_view name, bool pure) {
  std::string lower = lower_ascii(name);
  for (Recipe r : kRecipes)
    if (lower == r.name) {
      if (pure) r.mixture = Mixture::pure;
      return r;
    }
  return std::nullopt;
}

std::vector<std::string_view> recipe_names() {
  std::vector<std::string_view> out;
  for (const Recipe& r : kRecipes) out.push_back(r.name);
  return out;
}

}  // namespace motley

// Which storage type each weight of a model gets when a user asks for one word: "q8_0", "q4_k_m", "bf16". The mixtures are those of the
// GGUF world, so files of one name have the same size everywhere: the head keeps more bits than the rest, the K mixtures give more to
// attention values and to the second half of the feed-forward, vectors stay in f32.
//
//   auto recipe = find_recipe("q4_k_m");
//   Dtype type = recipe->type_of({"model.layers.0.mlp.down_proj.weight", {2048, 8192}, 0, 16});
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/tensor.h"

namespace motley {

struct RecipeTensor {
  std::string_view state;  // Hugging Face name
  Shape shape;
  int64_t layer = -1, layers = 0;
  bool head = false;  // the head, or an embedding that is also the head
};

enum class Mixture : uint8_t { pure, head, small, medium };

struct Recipe {
  std::string_view name;  // "q4_k_m"
  Dtype base;
  Mixture mixture;

  // Where rows are not whole blocks of the chosen type, the nearest larger type with blocks of 32, or f16 when even that does not divide.
  Dtype type_of(const RecipeTensor& tensor) const;
};

std::optional<Recipe> find_recipe(std::string_view name, bool pure = false);  // case does not matter
std::vector<std::string_view> recipe_names();

}  // namespace motley

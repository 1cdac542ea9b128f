// What learns where an adapter does in place of the model: a new one by the recipe's fields, or one from a folder that goes on learning. The model's
// weights stay as they are stored, quantised ones too, and have neither gradients nor moments.
//
//   Tuning tuning = make_tuning(recipe, source, config, plain_graph);
//   Graph graph = adapt(plain_graph, tuning.adapter, {.learns = true});
//   ... train, and write_tuned(folder, tuning, ...)
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "control/peft.h"
#include "train/recipe.h"

namespace motley {

// The adapter's folder to go on from, where the recipe's `adapter` is one and not a method's name.
std::optional<std::string> adapter_folder(const TrainingRecipe& recipe);

// The method that the recipe names or the folder holds. Error(usage) for a name that is neither, and for what cannot be done with it: merging
// a prefix, a prefix before what is classified, a rank beside a folder that has one.
AdapterMethod adapter_method(const TrainingRecipe& recipe, bool labelled);

struct Tuning {
  Adapter adapter;    // targets are whole names of modules
  Graph graph;        // of a small step, adapted
  std::string words;  // for the user: what it is and how much learns

  // Whether a state of the model itself learns: a bias, or a part of a saved module. It is f32 then.
  bool learns_whole(std::string_view state) const;
};

// plain: the graph of a small step of the model, without adapter.
Tuning make_tuning(const TrainingRecipe& recipe, const ModelSource& source, const ModelConfig& config, const Graph& plain);

// The adapter's files. Returns the states whose values are in them bit for bit under their own names.
std::set<std::string> write_tuned(const std::string& folder, const Tuning& tuning, const std::string& base_model, const ModelConfig& config,
                                  const std::function<Tensor(const std::string& state)>& read);

// How much larger than for a new model of its size (pre-training) or smaller the rate is that suits a method.
double usual_rate_factor(AdapterMethod method);

}  // namespace motley

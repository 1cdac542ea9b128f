#include "train/optimizer.h"

namespace motley {

Op optimizer_of(const TrainingRecipe& r, bool learned_before) {
  constexpr std::string_view kNames[] = {"adamw", "adam", "adafactor", "lion", "sgd", "momentum"};
  const double beta2 = r.beta2 > 0 ? r.beta2 : r.optimizer == "lion" ? 0.99 : learned_before ? 0.999 : 0.95;
  switch (choice_of("optimizer", r.optimizer, kNames)) {
    case 0:
    case 1:
      return Adamw{.beta1 = r.beta1, .beta2 = beta2, .eps = r.epsilon, .decay = r.weight_decay, .decoupled = r.optimizer == "adamw"};
    case 2:
      return Adafactor{.decay = r.weight_decay};
    case 3:
      return Lion{.beta1 = r.beta1, .beta2 = beta2, .decay = r.weight_decay};
    case 4:
      return Sgd{.decay = r.weight_decay};
    default:
      return SgdMomentum{.momentum = r.momentum, .decay = r.weight_decay};
  }
}

}  // namespace motley

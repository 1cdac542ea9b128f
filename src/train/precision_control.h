// Which precision each block computes in, and by how much the loss is scaled, from step to step: what was asked for, and what the gradients of the
// steps before have shown (passes/precision.h says what is watched).
//
//   PrecisionControl control(PrecisionMode::adaptive, Dtype::f16, 512);
//   auto reaction = control.observe(step, loss.blocks, std::isfinite(loss.loss), std::isfinite(norm));
//   if (reaction.changed) session.replace(compile(control.plan()));        // a block has moved
//
// The loss scale is halved by a step whose gradients overflow, which changes nothing, and doubled after a while without one (Micikevicius et al.
// 2018, as PyTorch's GradScaler does), but not where the gradients seen would then overflow.
//
// Adaptive: a block moves up, to f32, when it alone overflows again and again, or when its gradients vanish or drown in noise of rounding and no
// larger scale is possible. It moves down again after a while, which doubles with each failure.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/learning.h"
#include "io/json.h"
#include "passes/precision.h"

namespace motley {

enum class PrecisionMode : uint8_t { fixed, adaptive };

// What a recipe asks for: auto, f32, bf16, f16 or adaptive, on this device. Error(usage) for another word.
struct PrecisionWish {
  PrecisionMode mode = PrecisionMode::fixed;
  Dtype small = Dtype::f32;
  std::string why = {};  // a sentence for the user; empty where there is nothing to say
};
PrecisionWish precision_wish(const std::string& asked, const Target& target);

struct PrecisionState {  // what a checkpoint keeps
  PrecisionPlan plan = {.usual = Dtype::f32};
  double loss_scale = 1;
  int64_t calm = 0;  // steps since the scale last changed or an overflow
  double peak = 0;   // the largest gradient of these steps, with the scale in it
  struct Block {
    int64_t overflows = 0;       // that began in it since the last calm stretch
    double lost = 0, noise = 0;  // running means of what rounding did to its gradients (BlockWatch)
    int64_t returns = 0;         // the step after which it is tried in 16 bits again; 0: it is
    int64_t wait = 0;            // steps that it stays up for the next time
    bool operator==(const Block&) const = default;
  };
  std::map<int, Block> blocks = {};
};

Json to_json(const PrecisionState& state);
PrecisionState precision_state(const Json& json, const std::string& what);  // Error(file) naming the key

class PrecisionControl {
 public:
  // tokens: of a micro-batch; a loss is their sum, so its scale begins at 65536 / tokens. scaled_loss: the loss is itself made with gradients
  // (passes/adversarial.h), so one of those that overflows makes it infinite.
  PrecisionControl(PrecisionMode mode, Dtype small, int64_t tokens, bool scaled_loss = false);  // small: bf16 or f16, or f32 for neither

  const PrecisionPlan& plan() const { return state_.plan; }
  double loss_scale() const;  // 1 where no block computes in f16

  struct Reaction {
    bool changed = false;                 // plan() is another one
    bool rescaled = false;                // the step overflowed and the next one has a smaller scale
    std::vector<std::string> notes = {};  // what happened and why, a sentence each
  };
  // Whether a smaller scale is the answer to a loss that is no number.
  bool answers_loss() const;
  // Of a step: what its blocks' gradients were, and whether loss and gradient were finite.
  Reaction observe(int64_t step, const std::map<int, BlockWatch>& blocks, bool loss_finite, bool gradient_finite);

  const PrecisionState& state() const { return state_; }
  void restore(PrecisionState state) { state_ = std::move(state); }

 private:
  void overflowed(int64_t step, const std::map<int, BlockWatch>& blocks, Reaction& reaction);
  void went_well(int64_t step, const std::map<int, BlockWatch>& blocks, Reaction& reaction);
  void move_up(int64_t step, int block, const std::string& why, Reaction& reaction);

  PrecisionMode mode_;
  Dtype small_;
  bool scaled_loss_;
  PrecisionState state_;
};

}  // namespace motley

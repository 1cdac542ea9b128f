#include "train/precision_control.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "train/recipe.h"

namespace motley {
namespace {

constexpr double kLargestF16 = 65504;
constexpr int64_t kMostCount = int64_t{1} << 30;  // of blocks and steps in a checkpoint
constexpr double kFirstScale = 65536, kLeastScale = 0x1p-24, kMostScale = 0x1p24;
constexpr int64_t kGrowAfter = 200;     // calm steps
constexpr int64_t kStayUp = 200;        // steps that a block which moved up stays there, the first time
constexpr int64_t kOverflows = 2;       // of one block, far beyond the others, before it moves
constexpr int64_t kOverflowsAlone = 4;  // where nothing can be said about the others
constexpr double kFar = 8;              // an outlier's gradients are so many times those of every other block
constexpr double kMuchLost = 0.05;      // a share of gradients that should not vanish
constexpr double kMuchNoise = 0.02;     // rounding that changes gradients more than it has to: ten times what bf16 does to any number
constexpr int64_t kJudgeAfter = 10;     // calm steps, before what vanishes is judged
constexpr double kMemory = 0.9;         // of the running share
constexpr double kRoom = 4;             // below the largest value, before the scale is doubled

Dtype format_of(const std::string& text, const std::string& what) {
  for (Dtype d : {Dtype::f32, Dtype::bf16, Dtype::f16})
    if (text == name(d)) return d;
  fail(ErrorKind::file, "checkpoint", "{}: a precision is '{}', expected f32, bf16 or f16", what, text);
}

double number(const Json& json, const char* key, const std::string& what) {
  auto x = json_find_double(json, key, what);
  if (!x) fail(ErrorKind::file, "checkpoint", "{}: '{}' is missing in 'precision'", what, key);
  return *x;
}

bool fits(const BlockWatch& w) { return w.peak <= kLargestF16; }  // NaN does not

}  // namespace

Json to_json(const PrecisionState& s) {
  Json blocks = Json::array();
  for (const auto& [block, b] : s.blocks) {
    Json one = {{"block", block}, {"overflows", b.overflows}, {"lost", b.lost}, {"noise", b.noise}, {"returns", b.returns}, {"wait", b.wait}};
    if (auto it = s.plan.blocks.find(block); it != s.plan.blocks.end()) one["format"] = name(it->second);
    blocks.push_back(one);
  }
  return {{"usual", name(s.plan.usual)}, {"loss_scale", s.loss_scale}, {"calm", s.calm}, {"peak", s.peak}, {"blocks", blocks}};
}

PrecisionState precision_state(const Json& json, const std::string& what) {
  PrecisionState s;
  s.plan.usual = format_of(json_string(json, "usual", what), what);
  s.loss_scale = number(json, "loss_scale", what), s.calm = json_int(json, "calm", what), s.peak = number(json, "peak", what);
  if (!json.contains("blocks") || !json["blocks"].is_array()) fail(ErrorKind::file, "checkpoint", "{}: 'blocks' is missing in 'precision'", what);
  if (!(s.loss_scale >= kLeastScale && s.loss_scale <= kMostScale))
    fail(ErrorKind::file, "checkpoint", "{}: 'loss_scale' is {}, expected {} to {}", what, s.loss_scale, kLeastScale, kMostScale);
  for (const Json& one : json["blocks"]) {
    for (const char* key : {"block", "returns", "wait"})
      if (const int64_t n = json_int(one, key, what); n < 0 || n > kMostCount)
        fail(ErrorKind::file, "checkpoint", "{}: '{}' is {}, expected 0 to {}", what, key, n, kMostCount);
    const int block = static_cast<int>(json_int(one, "block", what));
    s.blocks[block] = {.overflows = json_int(one, "overflows", what),
                       .lost = number(one, "lost", what),
                       .noise = number(one, "noise", what),
                       .returns = json_int(one, "returns", what),
                       .wait = json_int(one, "wait", what)};
    if (one.contains("format")) s.plan.blocks[block] = format_of(json_string(one, "format", what), what);
  }
  return s;
}

PrecisionWish precision_wish(const std::string& asked, const Target& target) {
  constexpr std::string_view kNames[] = {"auto", "f32", "bf16", "f16", "adaptive"};
  constexpr Dtype kFormats[] = {Dtype::f32, Dtype::f32, Dtype::bf16, Dtype::f16, Dtype::f16};
  const size_t choice = choice_of("precision", asked, kNames);
  const PrecisionAdvice advice = advise_precision(target);
  if (choice == 0) return {PrecisionMode::fixed, advice.dtype, fmt::format("precision is {}: {}", name(advice.dtype), advice.why)};
  const bool adapts = choice == 4, pays = advice.dtype != Dtype::f32;
  const Dtype small = adapts && pays ? advice.dtype : kFormats[choice];
  const std::string why = small == Dtype::f32 || pays
                              ? ""
                              : fmt::format("precision is {}{}, as asked; but {}", adapts ? "adaptive, beginning in " : "", name(small), advice.why);
  return {adapts ? PrecisionMode::adaptive : PrecisionMode::fixed, small, why};
}

PrecisionControl::PrecisionControl(PrecisionMode mode, Dtype small, int64_t tokens, bool scaled_loss)
    : mode_(mode), small_(small), scaled_loss_(scaled_loss) {
  state_.plan.usual = small;
  const auto power = static_cast<double>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(tokens, 1))));
  state_.loss_scale = small == Dtype::f16 ? std::max(kFirstScale / power, kLeastScale) : 1;
}

double PrecisionControl::loss_scale() const { return state_.plan.computes_in(Dtype::f16) ? state_.loss_scale : 1; }

bool PrecisionControl::answers_loss() const { return scaled_loss_ && small_ == Dtype::f16 && state_.loss_scale > kLeastScale; }

PrecisionControl::Reaction PrecisionControl::observe(int64_t step, const std::map<int, BlockWatch>& blocks, bool loss_finite, bool gradient_finite) {
  Reaction reaction;
  if (small_ == Dtype::f32) return reaction;
  if (loss_finite && gradient_finite) {
    went_well(step, blocks, reaction);
  } else if (loss_finite || answers_loss()) {
    overflowed(step, blocks, reaction);
  } else if (mode_ == PrecisionMode::adaptive && !blocks.empty()) {
    // What overflowed going forward made everything infinite going back, so no block can be told from another.
    for (const auto& entry : blocks) move_up(step, entry.first, "the loss is no number", reaction);
  }
  return reaction;
}

void PrecisionControl::overflowed(int64_t step, const std::map<int, BlockWatch>& blocks, Reaction& reaction) {
  if (small_ != Dtype::f16 || state_.loss_scale <= kLeastScale) return;
  // From the last block to the first: the first of them to overflow is the cause, and what the ones after it hold is its doing.
  int cause = -1;
  double others = 0;
  for (auto it = blocks.rbegin(); it != blocks.rend() && cause < 0; ++it) {
    if (fits(it->second))
      others = std::max(others, it->second.peak);
    else
      cause = it->first;
  }
  const double scale = state_.loss_scale;
  state_.loss_scale = scale / 2;
  state_.calm = 0, state_.peak = 0;
  reaction.rescaled = true;
  reaction.notes.push_back(
      fmt::format("step {}: a gradient{} is beyond f16's {:.0f} at a loss scale of {:g}: the step changes nothing, the scale becomes {:g}", step,
                  cause < 0 ? "" : fmt::format(" of block {}", cause), kLargestF16, scale, state_.loss_scale));
  if (cause < 0 || mode_ != PrecisionMode::adaptive) return;
  auto& block = state_.blocks[cause];
  ++block.overflows;
  const bool outlier = others > 0 && others * kFar < kLargestF16;
  if (block.overflows >= (outlier ? kOverflows : kOverflowsAlone))
    move_up(step, cause,
            outlier ? fmt::format("it overflows again and again while no later block's gradients exceed {:.3g}", others)
                    : fmt::format("it has overflown {} times", block.overflows),
            reaction);
}

void PrecisionControl::went_well(int64_t step, const std::map<int, BlockWatch>& blocks, Reaction& reaction) {
  ++state_.calm;
  int worst = -1;
  double most = 1;
  for (const auto& [index, watch] : blocks) {
    auto& block = state_.blocks[index];
    block.lost = kMemory * block.lost + (1 - kMemory) * watch.lost;
    block.noise = kMemory * block.noise + (1 - kMemory) * watch.noise;
    const double harm = std::max(block.lost / kMuchLost, block.noise / kMuchNoise);
    if (harm > most) worst = index, most = harm;
    state_.peak = std::max(state_.peak, std::min(watch.peak, kLargestF16));
  }
  if (state_.calm < kJudgeAfter) worst = -1;
  const PrecisionState::Block harmed = worst < 0 ? PrecisionState::Block{} : state_.blocks[worst];
  const std::string why = fmt::format("{:.1f} % of its gradients vanish in {}, and rounding changes the rest by {:.1f} %", 100 * harmed.lost,
                                      name(small_), 100 * harmed.noise);
  const bool can_grow = small_ == Dtype::f16 && state_.peak * kRoom < kLargestF16 && state_.loss_scale < kMostScale && !blocks.empty();
  if (can_grow && (state_.calm >= kGrowAfter || worst >= 0)) {
    state_.loss_scale *= 2;
    state_.calm = 0, state_.peak = 0;
    for (auto& entry : state_.blocks) entry.second.overflows = 0;
    if (worst >= 0)
      reaction.notes.push_back(fmt::format("step {}: the loss scale becomes {:g}: of block {}, {}", step, state_.loss_scale, worst, why));
  } else if (worst >= 0 && mode_ == PrecisionMode::adaptive) {
    move_up(step, worst, small_ == Dtype::f16 ? why + "; a larger loss scale would make gradients overflow" : why, reaction);
  }
  for (auto& [index, block] : state_.blocks) {
    if (block.returns == 0 || step < block.returns) continue;
    block.returns = 0, block.lost = 0, block.noise = 0, block.overflows = 0;
    state_.plan.blocks.erase(index);
    state_.calm = 0, state_.peak = 0;
    reaction.changed = true;
    reaction.notes.push_back(fmt::format("step {}: block {} computes in {} again, to see whether it bears it now", step, index, name(small_)));
  }
}

void PrecisionControl::move_up(int64_t step, int block, const std::string& why, Reaction& reaction) {
  auto& b = state_.blocks[block];
  b.wait = b.wait == 0 ? kStayUp : 2 * b.wait;
  b.returns = step + b.wait;
  b.overflows = 0, b.lost = 0, b.noise = 0;
  state_.plan.blocks[block] = Dtype::f32;
  state_.calm = 0, state_.peak = 0;
  reaction.changed = true;
  reaction.notes.push_back(fmt::format("step {}: block {} moves from {} to f32 for {} steps: {}", step, block, name(small_), b.wait, why));
}

}  // namespace motley

#include "train/step_cut.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace motley {
namespace {

constexpr std::array kModes = {Recompute::none, Recompute::selective, Recompute::full};
constexpr std::array kWork = {1.0, 1.04, 1.33};  // of a step, by mode
constexpr double kOwnTokens = 32;                // what a micro-batch costs besides its tokens

double time_of(const StepCut& cut, int64_t length) {
  return kWork[static_cast<size_t>(cut.recompute)] * (1 + kOwnTokens / static_cast<double>(cut.rows * length));
}

std::vector<Recompute> modes_of(const CutWishes& w) { return w.recompute ? std::vector{*w.recompute} : std::vector(kModes.begin(), kModes.end()); }

std::string words(const StepCut& cut) {
  return fmt::format("{} row{} at once{}", cut.rows, cut.rows == 1 ? "" : "s",
                     cut.recompute == Recompute::none ? "" : fmt::format(" with {} recomputation", to_string(cut.recompute)));
}

class Choosing {
 public:
  Choosing(const CutWishes& wishes, const std::function<int64_t(const StepCut&)>& bytes) : w_(wishes), bytes_(bytes) {}

  CutChoice run() { return w_.batch ? of_batch() : largest(); }

 private:
  // Keeps the smallest that was tried, so that there is something to say when none fits.
  bool fits(const StepCut& cut) {
    const int64_t need = bytes_(cut);
    if (smallest_.bytes == 0 || need < smallest_.bytes) smallest_.cut = cut, smallest_.bytes = need;
    if (need > w_.limit_bytes && !refused_) refused_ = fmt::format("{} would need {} MiB of {}", words(cut), need >> 20, w_.limit_bytes >> 20);
    if (need > w_.limit_bytes) return false;
    found_ = {.cut = cut, .bytes = need, .fits = true};
    return true;
  }

  CutChoice end(bool found) {
    if (!found) return smallest_;
    if (refused_) found_.notes.push_back(fmt::format("{}: {} it is, with {} MiB", *refused_, words(found_.cut), found_.bytes >> 20));
    return found_;
  }

  CutChoice of_batch() {
    const int64_t batch = *w_.batch, most = w_.rows.value_or(batch);
    if (most < 1 || batch % most != 0) fail(ErrorKind::usage, "train", "a --batch of {} rows is no multiple of a --micro-batch of {}", batch, most);
    std::vector<StepCut> cuts;
    for (int64_t rows = most; rows > 0; --rows)
      for (Recompute mode : modes_of(w_))
        if (batch % rows == 0 && (!w_.rows || rows == most)) cuts.push_back({rows, batch / rows, mode});
    std::ranges::stable_sort(cuts, {}, [&](const StepCut& c) { return time_of(c, w_.length); });
    return end(std::ranges::any_of(cuts, [&](const StepCut& c) { return fits(c); }));
  }

  // The most rows of one mode, by doubling and then halving what is between; 0 where not even one fits.
  int64_t most_rows(Recompute mode) {
    if (w_.rows) return fits({*w_.rows, 1, mode}) ? *w_.rows : 0;
    int64_t good = 0, bad = w_.most_rows + 1;
    while (good + 1 < bad) {
      const int64_t rows = std::min(std::max<int64_t>(2 * good, 1), (good + bad) / 2);
      (fits({rows, 1, mode}) ? good : bad) = rows;
    }
    return good;
  }

  CutChoice largest() {
    CutChoice best;
    for (Recompute mode : modes_of(w_)) {
      // No cut of this mode can be better than one of endless rows.
      if (best.fits && kWork[static_cast<size_t>(mode)] >= time_of(best.cut, w_.length)) break;
      if (most_rows(mode) == 0) continue;
      if (!best.fits || time_of(found_.cut, w_.length) < time_of(best.cut, w_.length)) best = found_;
    }
    if (!best.fits) return end(false);
    found_ = best;
    return end(true);
  }

  const CutWishes& w_;
  const std::function<int64_t(const StepCut&)>& bytes_;
  CutChoice found_, smallest_;
  std::optional<std::string> refused_;  // the first
};

}  // namespace

CutChoice choose_cut(const CutWishes& wishes, const std::function<int64_t(const StepCut&)>& bytes) { return Choosing(wishes, bytes).run(); }

}  // namespace motley

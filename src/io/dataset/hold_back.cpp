#include "io/dataset/hold_back.h"

#include <algorithm>

namespace motley {

std::pair<Samples, Samples> hold_back(const Samples& samples, double fraction) {
  SampleData learned = samples.data(), held = samples.data();
  const auto& begins = samples.data().begins;
  const uint64_t first = begins.front(), last = begins.back();
  const uint64_t cut = last - static_cast<uint64_t>(static_cast<double>(last - first) * fraction);
  const bool whole = learned.label_width > 0 || learned.scored;
  // The first sample that ends behind the cut is divided by it, or belongs to the part kept back.
  auto at = std::ranges::upper_bound(begins, cut);
  if (at == begins.begin() || at == begins.end() || fraction <= 0) {
    held.begins = {last}, held.labels.clear();
    return {Samples(learned), Samples(held)};
  }
  const auto index = static_cast<size_t>(at - begins.begin()) - 1;  // the sample that holds the cut
  learned.begins.assign(begins.begin(), begins.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  held.begins.assign(begins.begin() + static_cast<std::ptrdiff_t>(index), begins.end());
  if (!whole && cut > begins[index]) {
    learned.begins.push_back(cut);
    held.begins.front() = cut;
  }
  const auto width = static_cast<size_t>(learned.label_width), kept = (learned.begins.size() - 1) * width;
  held.labels.erase(held.labels.begin(), held.labels.begin() + static_cast<std::ptrdiff_t>(std::min(kept, held.labels.size())));
  learned.labels.resize(std::min(kept, learned.labels.size()));
  return {Samples(learned), Samples(held)};
}

}  // namespace motley

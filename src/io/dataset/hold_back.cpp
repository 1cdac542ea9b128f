#include "io/dataset/hold_back.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"
#include "io/dataset/record.h"

namespace motley {
namespace {

constexpr uint64_t kStream = stream_of("hold_back");
constexpr int64_t kFewest = 8;  // samples in a part that is drawn: the longest fits it so often

HeldBack from_the_end(const Samples& samples, double fraction) {
  SampleData learned = samples.data(), held = samples.data();
  const auto& begins = samples.data().begins;
  const uint64_t first = begins.front(), last = begins.back();
  const uint64_t cut = last - static_cast<uint64_t>(static_cast<double>(last - first) * fraction);
  // The first sample that ends behind the cut is divided by it, or belongs to the part kept back.
  auto at = std::ranges::upper_bound(begins, cut);
  const auto index = static_cast<size_t>(at - begins.begin()) - 1;  // the sample that holds the cut
  if (at == begins.end()) return {samples, samples.only({}), ""};
  learned.begins.assign(begins.begin(), begins.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  held.begins.assign(begins.begin() + static_cast<std::ptrdiff_t>(index), begins.end());
  if (!learned.scored && cut > begins[index]) {
    learned.begins.push_back(cut);
    held.begins.front() = cut;
  }
  return {Samples(learned), Samples(held), "from the end of the data"};
}

// Numbers of samples, those of one class together; without classes all are one.
std::vector<std::vector<int64_t>> strata(const Samples& samples, int64_t each) {
  std::map<float, std::vector<int64_t>> by_class;
  const bool classes = samples.label_width() == 1 && !samples.classes().empty();
  for (int64_t i = 0; i < samples.size(); i += each) by_class[classes ? samples.labels(i)[0] : 0].push_back(i);
  std::vector<std::vector<int64_t>> out;
  for (auto& [label, members] : by_class) out.push_back(std::move(members));
  return out;
}

HeldBack drawn(const Samples& samples, double fraction, uint64_t seed) {
  const int64_t each = 1 + samples.copies();
  std::vector<char> is_held(static_cast<size_t>(samples.size()), 0);
  auto groups = strata(samples, each);
  for (size_t g = 0; g < groups.size(); ++g) {
    auto& group = groups[g];
    const auto wanted = static_cast<size_t>(std::llround(fraction * static_cast<double>(group.size())));
    for (size_t i = 0; i < wanted && i + 1 < group.size(); ++i) {  // one of a class is learned, whatever the fraction
      const uint64_t draw = uint64_t{philox(seed, kStream, g << 40 | 2 * i)} << 32 | philox(seed, kStream, g << 40 | (2 * i + 1));
      std::swap(group[i], group[i + draw % (group.size() - i)]);
      is_held[static_cast<size_t>(group[i])] = 1;
    }
  }
  std::vector<int64_t> learned, held;
  for (int64_t i = 0; i < samples.size(); ++i) {
    const int64_t own = i - i % each;
    if (!is_held[static_cast<size_t>(own)])
      learned.push_back(i);
    else if (i == own)
      held.push_back(i);
  }
  if (held.empty()) return {samples, samples.only({}), ""};
  std::string words = fmt::format("{} of {} samples, drawn by seed {}{}", with_commas(static_cast<int64_t>(held.size())),
                                  with_commas(samples.size() / each), seed, groups.size() > 1 ? ", of each class its share" : "");
  return {samples.only(std::move(learned)), samples.only(std::move(held)), std::move(words)};
}

}  // namespace

HeldBack hold_back(const Samples& samples, double fraction, uint64_t seed) {
  if (fraction <= 0 || samples.size() == 0) return {samples, samples.only({}), ""};
  int64_t longest = 0;
  for (int64_t i = 0; i < samples.size(); ++i) longest = std::max(longest, static_cast<int64_t>(samples.ids(i).size()));
  const bool many = static_cast<double>(kFewest * longest) <= fraction * static_cast<double>(samples.tokens());
  return samples.label_width() > 0 || many ? drawn(samples, fraction, seed) : from_the_end(samples, fraction);
}

}  // namespace motley

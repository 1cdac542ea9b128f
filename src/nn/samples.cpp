#include "nn/samples.h"

#include <algorithm>

#include "base/error.h"

namespace motley {

StepValues pack_samples(const ModelConfig& config, std::span<const Sample> samples, const SampleLayout& layout) {
  const auto given = static_cast<int64_t>(samples.size());
  const int64_t count = layout.samples > 0 ? layout.samples : given;
  int64_t total = 0;
  for (const Sample& s : samples) total += static_cast<int64_t>(s.tokens.size());
  const int64_t tokens = layout.tokens > 0 ? layout.tokens : total, room = layout.grid && count > 0 ? tokens / count : tokens;
  if (given > count || (!layout.grid && total > tokens))
    fail(ErrorKind::usage, "samples", "{} texts of {} tokens do not fit a step of {} texts and {} tokens", given, total, count, tokens);

  StepValues v;
  const auto size = static_cast<size_t>(tokens);
  auto &ids = v["tokens"], &positions = v["positions"], &seq = v["seq"], &types = v["token_types"], &rows = v["rows"];
  ids.assign(size, 0), positions.assign(size, 0), seq.assign(size, -1), types.assign(size, 0), rows.assign(size, 0);
  for (size_t t = 0; t < size; ++t) rows[t] = static_cast<int32_t>(t);
  auto &first = v["first"], &last = v["last"], &lengths = v["lengths"];
  first.assign(static_cast<size_t>(count), 0), last = lengths = first;

  int64_t at = 0;
  for (size_t s = 0; s < samples.size(); ++s) {
    const Sample& sample = samples[s];
    const auto length = static_cast<int64_t>(sample.tokens.size());
    if (layout.grid) at = static_cast<int64_t>(s) * room;
    if (length < 1 || length > config.longest_text() || (layout.grid && length > room))
      fail(ErrorKind::usage, "samples", "text {} has {} tokens, expected 1 to {}", s, length, std::min(config.longest_text(), room));
    if (!sample.types.empty() && sample.types.size() != sample.tokens.size())
      fail(ErrorKind::usage, "samples", "text {} has {} tokens and {} segment numbers", s, length, sample.types.size());
    first[s] = static_cast<int32_t>(at), last[s] = static_cast<int32_t>(at + length - 1), lengths[s] = static_cast<int32_t>(length);
    for (int64_t i = 0; i < length; ++i, ++at) {
      const auto t = static_cast<size_t>(at), from = static_cast<size_t>(i);
      ids[t] = sample.tokens[from];
      positions[t] = static_cast<int32_t>(config.first_position + i);
      seq[t] = static_cast<int32_t>(s);
      if (!sample.types.empty()) types[t] = sample.types[from];
    }
  }
  return v;
}

}  // namespace motley

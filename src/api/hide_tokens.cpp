#include "api/hide_tokens.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/random.h"
#include "nn/objective.h"

namespace motley {
namespace {

constexpr uint64_t kWhich = stream_of("which tokens are hidden"), kHow = stream_of("how tokens are hidden"), kWord = stream_of("words that hide");
constexpr float kMasked = 0.8f, kReplaced = 0.9f;

}  // namespace

void hide_tokens(const HideOptions& o, const SpecialIds& special, int64_t vocab, LearningSession::Inputs& in) {
  auto &tokens = in.at("tokens"), &targets = in["targets"];
  const auto& seq = in.at("seq");
  targets.assign(tokens.size(), kIgnoreTarget);
  const std::array kept = {special.bos, special.eos, special.unk, special.pad, special.sep, special.cls, special.mask};
  const uint64_t first = static_cast<uint64_t>(o.step) << 32 | static_cast<uint64_t>(o.first_token);
  const auto hide = [&](size_t t) {
    const float how = philox_uniform(o.seed, kHow, first + t);
    targets[t] = tokens[t];
    if (how < kMasked)
      tokens[t] = special.mask;
    else if (how < kReplaced)
      tokens[t] = static_cast<int32_t>(philox(o.seed, kWord, first + t) % static_cast<uint64_t>(vocab));
  };
  std::optional<size_t> nearest;  // to being hidden
  float least = 1;
  bool any = false;
  for (size_t t = 0; t < tokens.size(); ++t) {
    if (seq[t] < 0 || std::ranges::find(kept, tokens[t]) != kept.end()) continue;
    const float draw = philox_uniform(o.seed, kWhich, first + t);
    if (draw < static_cast<float>(o.share)) {
      hide(t);
      any = true;
    } else if (draw < least) {
      nearest = t, least = draw;
    }
  }
  if (!any && nearest) hide(*nearest);
}

}  // namespace motley

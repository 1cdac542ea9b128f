// Which tokens of a batch a masked language model is asked for (Devlin et al. 2019, section 3.1): a share of them, of which eight in ten show the
// mask, one in ten another word and one in ten themselves. What becomes of a token depends on the seed, the step and its place in it alone.
//
//   hide_tokens({.share = 0.15, .seed = 1, .step = 7}, tokenizer.special(), config.vocab, in);    // in["tokens"] and in["targets"]
#pragma once
#include <cstdint>

#include "control/learning.h"
#include "io/tokenizer/tokenizer.h"

namespace motley {

struct HideOptions {
  double share = 0.15;
  uint64_t seed = 0;
  int64_t step = 0, first_token = 0;  // first_token: of the batch in its step
};

// Special tokens are never hidden; one of the others is, however few there are.
void hide_tokens(const HideOptions& options, const SpecialIds& special, int64_t vocab, LearningSession::Inputs& in);

}  // namespace motley

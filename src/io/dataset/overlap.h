// Whether what a model is tested on is among what it learns from. Compared are words, in small letters and without punctuation: a short sample as
// a whole, a long one by windows of kWindow words that may stand anywhere in the training data.
//
//   Overlap overlap = find_overlap(training, evaluation, *tokenizer, threads);
//   if (overlap.samples > 0) warn(overlap.words());
#pragma once
#include <cstdint>
#include <string>

#include "io/dataset/samples.h"

namespace motley {

struct Overlap {
  static constexpr int64_t kWindow = 24;
  int64_t samples = 0;  // of the evaluation data that occur, whole or in part, in the training data
  int64_t of = 0;       // all of them
  std::string example;  // words of one
  // "12 of 872 evaluation samples occur in the training data, for example: ..."
  std::string words() const;
};

Overlap find_overlap(const Samples& training, const Samples& evaluation, const Tokenizer& tokenizer, int threads);

}  // namespace motley

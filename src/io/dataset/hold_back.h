// A part of the data kept back for evaluation.
//
//   HeldBack parts = hold_back(samples, 0.05, seed);       // parts.learned, parts.held
//
// Labelled samples are drawn by the seed, of each class its share. Other samples are drawn whole where the part is larger than any of them several
// times over. A running text, and a few long ones, lose their end, so that what is read in order stays apart; the sample in which the part begins is
// cut.
#pragma once
#include <cstdint>
#include <string>

#include "io/dataset/samples.h"

namespace motley {

struct HeldBack {
  Samples learned, held;
  std::string words;  // "4 of 80 samples, drawn by seed 1, of each class its share"; empty where nothing is held
};

// fraction: of the samples where they are drawn, else of the tokens; 0 <= fraction < 1. Samples with labels or marks are never cut. What was made of
// a sample (Samples::copies) is learned with it, or left out with it.
HeldBack hold_back(const Samples& samples, double fraction, uint64_t seed);

}  // namespace motley

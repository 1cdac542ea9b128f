// A part of the data kept back for evaluation: the end of it, so that what was joined in order stays apart. A long text is cut where the part
// begins.
//
//   auto [learned, held] = hold_back(samples, 0.05);
#pragma once
#include <utility>

#include "io/dataset/samples.h"

namespace motley {

// fraction: of the tokens, 0 <= fraction < 1. Labelled samples and those with marks are never cut.
std::pair<Samples, Samples> hold_back(const Samples& samples, double fraction);

}  // namespace motley

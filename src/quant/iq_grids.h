// The code books of GGUF's IQ formats: which 8 (or 4) levels stand together. A row is one number, a level's place in the format's short list
// of values in 2 (or 3) bits each, the first level in the lowest ones. Facts of the file format, made by tools/make_iq_grids.py.
#pragma once
#include <cstdint>

namespace motley {

// Rows of 8 levels of 2 bits.
extern const uint16_t kIq2Xxs[256], kIq2Xs[512], kIq2S[1024], kIq1S[2048];
// Rows of 4 levels of 3 bits.
extern const uint16_t kIq3Xxs[256], kIq3S[512];

}  // namespace motley

// A model of random weights as a GGUF file that other programs open and run: for measuring them and us on the same bytes. Its vocabulary is
// one token per byte, the usual control tokens, and made-up words up to the model's size.
#pragma once
#include <string>

#include "control/model_source.h"

namespace motley {

void write_shape(const ModelSource& source, const std::string& path, const std::function<void(int64_t done, int64_t total)>& progress);

}  // namespace motley

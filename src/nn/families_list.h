// The rows of the family table, each defined in its model's file.
#pragma once
#include "nn/families.h"

namespace motley {

extern const Family kLlama, kMistral, kMixtral, kQwen2, kQwen3, kQwen3Moe, kGemma, kGemma2, kGemma3, kPhi3, kGpt2, kGptNeoX, kBert, kRoberta,
    kDistilBert, kTextRnn, kTextCnn, kTextMlp, kT5, kBart, kMarian;

}  // namespace motley

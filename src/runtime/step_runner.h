// What a scheduler of sequences needs to know of a compiled model: the shape of one step, and a way to run it. control/ implements it on
// devices; tests implement it as they like.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "ir/type.h"

namespace motley {

// The ceilings of a step and the paged KV pool behind it. A sequence of n tokens occupies ceil(n / page_tokens) pages.
struct StepLimits {
  int64_t tokens = 0;     // T
  int64_t sequences = 0;  // S
  int64_t rows = 0;       // R
  int64_t pages = 0, page_tokens = 0;
  int64_t blocks = 0;  // entries of a block table: the longest sequence has blocks * page_tokens tokens
  int64_t vocab = 0;
  // Every sequence begins with so many tokens that no text has: ids vocab, vocab + 1, ... (a learned prefix, passes/adapt.h).
  int64_t virtual_tokens = 0;
  // Of a model with an encoder: the tokens of sources that one step reads, all of each; the pages of what they become, and the entries of a block
  // table of theirs. 0: the model has none.
  int64_t source_tokens = 0, source_pages = 0, source_blocks = 0;
};

// One step, ragged and token-flattened: tokens of one sequence are neighbours, in order of position.
struct StepInputs {
  std::vector<int32_t> tokens, positions, seq, slots;  // [T]; seq: row of `tables`; slots: page * page_tokens + offset
  std::vector<int32_t> tables;                         // [S, blocks]
  std::vector<int32_t> rows;                           // [R]: indices of tokens whose logits are wanted
  std::vector<int32_t> source_last;                    // [T]: the last position of the sequence's source
  std::vector<int32_t> source_tables;                  // [S, source blocks]
  Sizes sizes(int64_t blocks) const {
    return {static_cast<int64_t>(tokens.size()), static_cast<int64_t>(tables.size()) / blocks, static_cast<int64_t>(rows.size())};
  }
};

class StepRunner {
 public:
  virtual ~StepRunner() = default;
  virtual const StepLimits& limits() const = 0;
  // logits: [R, vocab].
  virtual void run(const StepInputs& step, std::span<float> logits) = 0;
  // Reads sources, each whole: tokens, positions, seq (which source, from 0 on) and slots, which are those of the sources' own pages.
  virtual void read_sources(const StepInputs&) {}
};

}  // namespace motley

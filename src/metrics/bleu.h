// BLEU (Papineni et al. 2002) as sacrebleu computes it (Post 2018): over a corpus, n-grams up to four, texts tokenised by the rules of mteval-v13a,
// an order without a match smoothed by ever halving (Chen & Cherry 2014, method 3; "exp").
//
//   BleuScore s = corpus_bleu(told, references);          // s.score: 0 to 100
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace motley {

struct BleuScore {
  double score = 0;                    // of 100
  std::array<double, 4> precisions{};  // of 100, smoothed
  double brevity_penalty = 0;          // 1 where the texts are as long as their references
  int64_t tokens = 0, reference_tokens = 0;
};

// A reference for each text.
BleuScore corpus_bleu(std::span<const std::string> texts, std::span<const std::string> references);

std::vector<std::string> tokenize_13a(std::string_view text);

}  // namespace motley

// How well vectors tell how near texts are: the cosines of pairs of texts beside the numbers that people gave them.
//
//   PairEvaluation e = evaluate_pairs("models/all-MiniLM-L6-v2", {.data = {.path = "sts-test.tsv"}});
//   e.cosines.spearman
#pragma once
#include <string>
#include <vector>

#include "api/evaluate.h"

namespace motley {

struct PairEvaluation {
  std::string data;                   // what was read
  std::vector<std::string> warnings;  // of the data
  RegressionScore cosines;            // only the correlations mean something: the numbers may have any scale
  double seconds = 0;
};

// Error(usage) unless the data have two texts and a number in each record.
PairEvaluation evaluate_pairs(const std::string& model, const LabelEvaluationOptions& options);

}  // namespace motley

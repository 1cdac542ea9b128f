// What `motley eval` prints of an evaluation: tables for people, one object for programs.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "api/evaluate.h"
#include "api/evaluate_pairs.h"
#include "api/perplexity.h"

namespace motley {

std::string text_of(const LabelEvaluation& e);
nlohmann::ordered_json json_of(const LabelEvaluation& e);

std::string text_of(const PairEvaluation& e);
nlohmann::ordered_json json_of(const PairEvaluation& e);

std::string text_of(const AnswerEvaluation& e);
nlohmann::ordered_json json_of(const AnswerEvaluation& e);

}  // namespace motley

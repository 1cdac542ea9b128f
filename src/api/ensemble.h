// Several models that tell labels of texts, as one: what they say is the mean of their logits. They are opened one after the other, so that there is
// never more in memory than one of them and the logits.
//
//   JointLogits joint = joint_logits(models, options, [&](TextReader& reader) { return reader.session->run(samples); });
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "api/encode_text.h"

namespace motley {

struct JointLogits {
  ModelConfig config;                      // of the first model
  std::vector<std::vector<float>> logits;  // [texts][labels], in the order of the first model's labels
  double load_seconds = 0;                 // of all
};

// run: the logits of all texts by one model, which it may tokenise in its own way. Error(usage) when the models are not for the same task with the
// same labels, or have no one answer for a text.
JointLogits joint_logits(std::span<const std::string> models, const ReaderOptions& options,
                         const std::function<std::vector<std::vector<float>>(TextReader& reader)>& run);

}  // namespace motley

#include "api/ensemble.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"

namespace motley {
namespace {

// Where each label of the first model stands in another.
std::vector<size_t> places(const ModelConfig& first, const ModelConfig& other, const std::string& model) {
  if (other.task != first.task)
    fail(ErrorKind::usage, "ensemble", "{} is made for '{}' and the first model for '{}'", model, task_name(other.task), task_name(first.task));
  std::vector<size_t> at;
  for (const std::string& label : first.labels) {
    auto it = std::ranges::find(other.labels, label);
    if (it == other.labels.end() || other.labels.size() != first.labels.size())
      fail(ErrorKind::usage, "ensemble", "{} has {} labels{}; models of an ensemble tell the same {}", model, other.labels.size(),
           it == other.labels.end() ? fmt::format(", not '{}'", label) : "", first.labels.size());
    at.push_back(static_cast<size_t>(it - other.labels.begin()));
  }
  return at;
}

}  // namespace

JointLogits joint_logits(std::span<const std::string> models, const ReaderOptions& options,
                         const std::function<std::vector<std::vector<float>>(TextReader&)>& run) {
  check(!models.empty(), "an ensemble has a model");
  JointLogits out;
  std::vector<std::vector<double>> sum;
  for (const std::string& model : models) {
    TextReader reader = open_reader(model, options);
    if (!one_per_text(reader.config().task))
      fail(ErrorKind::usage, "ensemble", "{} is made for '{}', which has no one answer for each text", model, task_name(reader.config().task));
    if (&model == &models[0]) out.config = reader.config();
    const std::vector<size_t> at = places(out.config, reader.config(), model);
    out.load_seconds += reader.session->load_seconds();
    const auto logits = run(reader);
    if (&model == &models[0]) sum.assign(logits.size(), std::vector<double>(at.size(), 0));
    check(logits.size() == sum.size(), "every model reads every text");
    for (size_t i = 0; i < sum.size(); ++i)
      for (size_t l = 0; l < at.size(); ++l) sum[i][l] += static_cast<double>(logits[i][at[l]]);
  }
  const auto count = static_cast<double>(models.size());
  for (const auto& row : sum) {
    auto& mean = out.logits.emplace_back();
    for (double x : row) mean.push_back(static_cast<float>(x / count));
  }
  return out;
}

}  // namespace motley

#include "translator.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "api/generation_defaults.h"
#include "base/file.h"

namespace motley {

namespace fs = std::filesystem;

std::string seq2seq_folder(const std::string& name) { return std::string(MOTLEY_SOURCE_DIR) + "/tests/data/seq2seq/" + name; }

std::vector<std::string> seq2seq_models() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(seq2seq_folder("")))
    if (fs::exists(entry.path() / "reference.json")) out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

Json seq2seq_reference(const std::string& name) {
  const std::string path = seq2seq_folder(name) + "/reference.json";
  return parse_json(read_file(path, 1 << 20), path);
}

OpenModel open_translator(const std::string& name, const TranslatorOptions& options) {
  OpenModel out;
  out.path = seq2seq_folder(name);
  out.checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(out.path));
  out.source = model_from_checkpoint(out.checkpoint);
  Plan plan;
  plan.threads = options.threads;
  plan.context = 96;
  plan.sequences = options.sequences;
  plan.batch_tokens = options.batch_tokens;
  plan.rows = std::max(options.batch_tokens, options.sequences);
  plan.page_tokens = options.page_tokens;
  plan.pages = plan.blocks() * plan.sequences;
  plan.kv_type = options.kv_type;
  out.session = std::make_unique<Session>(out.source, plan, open_device("cpu", {.threads = options.threads}), SessionOptions{});
  return out;
}

Request greedy_request(const OpenModel& model, std::vector<int32_t> source, int64_t max_tokens) {
  Request r = request_for(model, std::move(source));
  r.max_tokens = max_tokens;
  r.sampling.temperature = 0;
  r.stop_tokens = stop_tokens(model);
  return r;
}

std::vector<std::vector<int32_t>> answers(StepRunner& runner, std::vector<Request> requests) {
  Scheduler scheduler(runner);
  std::vector<std::vector<int32_t>> out(requests.size());
  std::map<int64_t, size_t> index;
  for (size_t i = 0; i < requests.size(); ++i) index[scheduler.submit(std::move(requests[i]))] = i;
  while (!scheduler.idle())
    for (const Event& e : scheduler.step())
      if (e.token) out[index.at(e.id)].push_back(e.token->token);
  return out;
}

std::vector<std::vector<float>> answer_logits(StepRunner& runner, Request request, std::span<const int32_t> answer) {
  std::vector<std::vector<float>> out;
  const auto first = static_cast<int64_t>(request.prompt.size()) - request.begun - 1;
  request.prompt.resize(static_cast<size_t>(first + 1));
  request.prompt.insert(request.prompt.end(), answer.begin(), answer.end() - 1);
  request.max_tokens = 0;
  request.on_logits = [&](int64_t position, std::span<const float> row) {
    if (position >= first) out.emplace_back(row.begin(), row.end());
  };
  answers(runner, {std::move(request)});
  return out;
}

}  // namespace motley

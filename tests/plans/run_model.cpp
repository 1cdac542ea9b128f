#include "run_model.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/random.h"

namespace motley {
namespace {

const std::string kFolder = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/models/";

}  // namespace

std::vector<std::string> tiny_models() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (std::filesystem::exists(entry.path() / "config.json")) out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

OpenModel open_tiny(const std::string& name, const RunOptions& options) {
  ModelOptions m;
  m.wishes.threads = options.threads;
  m.plan.context = 64;
  m.plan.batch_tokens = options.batch_tokens;
  m.plan.sequences = options.sequences;
  m.plan.rows = options.batch_tokens;
  m.plan.kv_type = options.kv_type;
  m.plan.reserve_bytes = 0;
  m.session.skip = options.skip;
  return open_model(name.starts_with('/') ? name : kFolder + name, m);
}

std::vector<int32_t> some_prompt(const OpenModel& model, int length, int seed) {
  std::vector<int32_t> out;
  for (int i = 0; i < length; ++i)
    out.push_back(
        static_cast<int32_t>(philox(static_cast<uint64_t>(seed), 0, static_cast<uint64_t>(i)) % static_cast<uint64_t>(model.source.config.vocab)));
  return out;
}

std::vector<Trace> run_prompts(OpenModel& model, const std::vector<std::vector<int32_t>>& prompts, int64_t generate) {
  Scheduler scheduler(*model.session);
  std::vector<Trace> traces(prompts.size());
  std::map<int64_t, size_t> index;
  for (size_t i = 0; i < prompts.size(); ++i) {
    Request r;
    r.prompt = prompts[i];
    r.max_tokens = generate;
    r.sampling.temperature = 0;
    r.on_logits = [&traces, i](int64_t, std::span<const float> row) { traces[i].logits.emplace_back(row.begin(), row.end()); };
    index[scheduler.submit(std::move(r))] = i;
  }
  while (!scheduler.idle())
    for (const Event& e : scheduler.step())
      if (e.token) traces[index[e.id]].tokens.push_back(e.token->token);
  return traces;
}

}  // namespace motley

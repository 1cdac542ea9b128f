#include "control/encode_session.h"

#include <algorithm>
#include <bit>
#include <chrono>

#include "base/check.h"
#include "base/error.h"
#include "nn/families.h"

namespace motley {
namespace {

constexpr int64_t kGridTokens = 16;  // rooms of a grid are multiples of it, so that few sizes are compiled
constexpr size_t kMostGrids = 64;    // kept at the same time

bool answers_for_tokens(Task task) {
  return task == Task::token_classification || task == Task::question_answering || task == Task::masked_language_model;
}

std::vector<int64_t> token_ranges(int64_t most) {
  std::vector<int64_t> out;
  for (int64_t ceiling : {int64_t{16}, int64_t{64}})
    if (ceiling < most) out.push_back(ceiling);
  out.push_back(most);
  return out;
}

}  // namespace

EncodeSession::EncodeSession(const ModelSource& source, const EncodeLimits& limits, std::unique_ptr<Device> device, const SessionOptions& options)
    : source_(source), limits_(limits), device_(std::move(device)), options_(options) {
  if (source.config.task == Task::language_model)
    fail(ErrorKind::usage, "model", "{} continues texts: see 'motley run'; its config.json names no last layer that classifies", source.name);
  auto start = std::chrono::steady_clock::now();
  limits_.tokens = std::max(limits_.tokens, int64_t{1});
  const bool grid = family_of(config()).grid;
  const int64_t one = std::min(kGridTokens, longest_text());
  variant_of(grid ? Grid{1, one} : Grid{});
  load_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t EncodeSession::longest_text() const { return std::min(config().longest_text(), limits_.tokens); }

EncodeSession::Variant& EncodeSession::variant_of(const Grid& grid) {
  if (auto it = variants_.find(grid); it != variants_.end()) return it->second;
  const bool bound = grid.first > 0;
  BuildLimits limits{.mode = BuildMode::embed, .tokens = limits_.tokens, .sequences = limits_.texts, .rows = limits_.tokens, .bound = bound};
  if (bound) limits.sequences = grid.first, limits.tokens = limits.rows = grid.first * grid.second;
  Builder b(limits, source_.types, source_.name);
  build_model(b, config());
  Graph graph = b.take();
  if (source_.rewrite) graph = source_.rewrite(graph);
  Compiled made =
      compile(std::move(graph), device_->target(),
              {.token_ranges = bound ? std::vector<int64_t>{} : token_ranges(limits.tokens), .skip = options_.skip, .after = options_.after_pass});
  const bool first = variants_.empty();
  if (variants_.size() >= kMostGrids) variants_.erase(variants_.begin());
  Variant& c = variants_[grid];
  c.programs = std::move(made.programs);
  if (first) {
    const Program& p = c.programs[0];
    width_ = p.buffers[static_cast<size_t>(p.outputs[0].buffer)].type.dim(-1).n;
    const Program* programs[] = {&p};
    load_states(*device_, programs, source_, options_.progress);
  }
  for (const Program& p : c.programs) c.executables.push_back(device_->prepare(p));
  return c;
}

std::vector<std::vector<float>> EncodeSession::run(std::span<const Sample> texts) {
  std::vector<std::vector<float>> out;
  const bool grid = family_of(config()).grid;
  for (size_t begin = 0; begin < texts.size();) {
    size_t end = begin;
    int64_t sum = 0, longest = 0;
    for (; end < texts.size() && static_cast<int64_t>(end - begin) < limits_.texts; ++end) {
      const auto size = static_cast<int64_t>(texts[end].tokens.size());
      if (size < 1 || size > longest_text()) fail(ErrorKind::usage, "encode", "text {} has {} tokens, expected 1 to {}", end, size, longest_text());
      for (int32_t id : texts[end].tokens)
        if (id < 0 || id >= config().vocab)
          fail(ErrorKind::usage, "encode", "text {} holds token {}, the model's vocabulary has {}", end, id, config().vocab);
      sum += size, longest = std::max(longest, size);
      const int64_t needed = grid ? longest * static_cast<int64_t>(end - begin + 1) : sum;
      if (end > begin && needed > limits_.tokens) break;
    }
    run_step(texts.subspan(begin, end - begin), out);
    begin = end;
  }
  return out;
}

void EncodeSession::run_step(std::span<const Sample> texts, std::vector<std::vector<float>>& out) {
  SampleLayout layout{.tokens = 0, .samples = 0, .grid = family_of(config()).grid};
  Grid grid{};
  if (layout.grid) {
    int64_t longest = 0;
    for (const Sample& s : texts) longest = std::max(longest, static_cast<int64_t>(s.tokens.size()));
    grid.first = static_cast<int64_t>(std::bit_ceil(texts.size()));
    grid.second = std::min((longest + kGridTokens - 1) / kGridTokens * kGridTokens, longest_text());
    layout.samples = grid.first, layout.tokens = grid.first * grid.second;
  }
  Variant& c = variant_of(grid);
  const StepValues values = pack_samples(config(), texts, layout);
  const auto tokens = static_cast<int64_t>(values.at("tokens").size()), samples = static_cast<int64_t>(values.at("first").size());
  const bool per_token = answers_for_tokens(config().task);
  std::vector<float> rows(static_cast<size_t>((per_token ? tokens : samples) * width_));
  size_t p = 0;
  while (p + 1 < c.programs.size() && c.programs[p].max_T < tokens) ++p;
  std::vector<std::span<const int32_t>> in;
  for (const ProgramInput& i : c.programs[p].inputs) {
    check(values.contains(i.name), "packed samples have the inputs that the builder makes");
    in.emplace_back(values.at(i.name));
  }
  std::span<float> to[] = {rows};
  const bool bound = layout.grid;
  c.executables[p]->run(bound ? Sizes{} : Sizes{.T = tokens, .S = samples, .R = tokens}, in, to);
  const auto& first = values.at("first");
  const auto width = static_cast<size_t>(width_);
  for (size_t s = 0; s < texts.size(); ++s) {
    const size_t at = per_token ? static_cast<size_t>(first[s]) : s, count = per_token ? texts[s].tokens.size() : 1;
    const float* from = rows.data() + at * width;
    out.emplace_back(from, from + count * width);
  }
}

}  // namespace motley

#include "train/run_state.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/error.h"
#include "base/file.h"

namespace motley {
namespace {

constexpr uint64_t kMaxProgramBytes = 256 << 20;
constexpr int64_t kMostCount = int64_t{1} << 31;  // of rows, tokens, steps: their products fit 64 bits
constexpr const char* kProgramNames[] = {"first", "more", "close", "evaluate"};

Json optional_number(const std::optional<double>& x) { return x ? Json(*x) : Json(); }

double number(const Json& json, const char* key, const std::string& what) {
  auto x = json_find_double(json, key, what);
  if (!x) fail(ErrorKind::file, "checkpoint", "{}: '{}' is missing", what, key);
  return *x;
}

const Json& part(const Json& json, const char* key, const std::string& what) {
  if (!json.contains(key) || !json[key].is_object()) fail(ErrorKind::file, "checkpoint", "{}: '{}' is missing", what, key);
  return json[key];
}

}  // namespace

Json to_json(const RunState& s) {
  return {{"step", s.step},
          {"updates", s.updates},
          {"tokens", s.tokens},
          {"cursor", {{"epoch", s.cursor.epoch}, {"next", s.cursor.next}}},
          {"stopping", {{"best", optional_number(s.stopping.best)}, {"best_step", s.stopping.best_step}, {"bad", s.stopping.bad}}},
          {"guard", {{"recent", s.guard.recent}, {"skipped", s.guard.skipped}}},
          {"plateau", {{"best", optional_number(s.plateau.best)}, {"bad", s.plateau.bad}, {"multiplier", s.plateau.multiplier}}},
          {"precision", to_json(s.precision)}};
}

RunState run_state(const Json& json, const std::string& what) {
  RunState s;
  s.step = json_int(json, "step", what), s.updates = json_int(json, "updates", what), s.tokens = json_int(json, "tokens", what);
  const Json &cursor = part(json, "cursor", what), &stopping = part(json, "stopping", what), &guard = part(json, "guard", what),
             &plateau = part(json, "plateau", what);
  s.cursor = {json_int(cursor, "epoch", what), json_int(cursor, "next", what)};
  s.stopping = {json_find_double(stopping, "best", what), json_int(stopping, "best_step", what), json_int(stopping, "bad", what)};
  if (guard.contains("recent") && guard["recent"].is_array())
    for (const Json& x : guard["recent"])
      if (x.is_number()) s.guard.recent.push_back(x.get<double>());
  s.guard.skipped = json_int(guard, "skipped", what);
  s.plateau = {json_find_double(plateau, "best", what), json_int(plateau, "bad", what), number(plateau, "multiplier", what)};
  s.precision = precision_state(part(json, "precision", what), what);
  return s;
}

Json to_json(const TrainingPlan& p) {
  return {{"rows", p.shape.rows},       {"length", p.shape.length},
          {"samples", p.shape.samples}, {"micro_batches", p.micro_batches},
          {"steps", p.steps},           {"recompute", to_string(p.recompute)},
          {"device", p.device},         {"isa", p.isa},
          {"operations", p.operations}};
}

TrainingPlan training_plan(const Json& json, const std::string& what) {
  auto recompute = parse_recompute(json_string(json, "recompute", what));
  if (!recompute) fail(ErrorKind::file, "checkpoint", "{}: 'recompute' is none of none, selective and full", what);
  const BatchShape shape{json_int(json, "rows", what), json_int(json, "length", what), json_int(json, "samples", what), {}, false};
  for (auto [key, least] : {std::pair{"rows", 1}, {"length", 1}, {"samples", 0}, {"micro_batches", 1}, {"steps", 1}})
    if (const int64_t n = json_int(json, key, what); n < least || n > kMostCount)
      fail(ErrorKind::file, "checkpoint", "{}: '{}' is {}, expected {} to {}", what, key, n, least, kMostCount);
  return {.shape = shape,
          .micro_batches = json_int(json, "micro_batches", what),
          .steps = json_int(json, "steps", what),
          .recompute = *recompute,
          .device = json_string(json, "device", what),
          .isa = json_string(json, "isa", what),
          .operations = number(json, "operations", what)};
}

bool is_of_the_run(std::string_view name) {
  constexpr std::string_view kNames[] = {"MANIFEST.json", "optimizer.safetensors", "programs", "recipe.yaml", "run.json", "trainer_state.json"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

void write_programs(const AtomicFolder& out, const LearningPrograms& programs) {
  std::filesystem::create_directory(out.file("programs"));
  auto all = programs.all();
  for (size_t i = 0; i < all.size(); ++i)
    if (!all[i]->steps.empty()) out.write(fmt::format("programs/{}.txt", kProgramNames[i]), print(*all[i]));
}

LearningPrograms read_programs(const std::string& checkpoint) {
  LearningPrograms p;
  Program* all[] = {&p.first, &p.more, &p.close, &p.evaluate};
  for (size_t i = 0; i < 4; ++i) {
    const std::string path = fmt::format("{}/programs/{}.txt", checkpoint, kProgramNames[i]);
    if (file_exists(path)) *all[i] = parse_program(read_file(path, kMaxProgramBytes));
  }
  return p;
}

}  // namespace motley

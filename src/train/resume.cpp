#include "train/resume.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "passes/accumulate.h"
#include "train/checkpoint.h"

namespace motley {
namespace {

constexpr uint64_t kMaxSmallFile = 64 << 20;

bool is_model(const SafetensorsFile& f) { return !f.path().ends_with(kOptimizerFile); }

Resumed open_checkpoint(const std::string& path, const TrainingRecipe& recipe) {
  const std::string recipe_path = path + "/recipe.yaml", run_path = path + "/run.json";
  auto changed = differences(parse_recipe(read_file(recipe_path, kMaxSmallFile), recipe_path), recipe);
  if (!changed.empty()) {
    std::string list;
    for (const std::string& c : changed) list += "\n  " + c;
    fail(ErrorKind::usage, "resume",
         "{} belongs to another recipe:{}\nGo on with the old values, or begin anew with --resume none and another --output", path, list);
  }
  const Json json = parse_json(read_file(run_path, kMaxSmallFile), run_path);
  Resumed r{path, run_state(json, run_path), training_plan(json.contains("plan") ? json["plan"] : Json::object(), run_path), {}};
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".safetensors") r.files.push_back(SafetensorsFile::open(entry.path()));
  std::ranges::stable_sort(r.files, {}, is_model);  // the optimizer's first
  return r;
}

}  // namespace

Tensor Resumed::load(const std::string& name) const {
  const bool average = name.starts_with(kAverageState);
  for (const SafetensorsFile& f : files)
    if (f.find_tensor(name) && (!average || !is_model(f))) return f.load(name);
  for (const SafetensorsFile& f : files)
    if (const std::string weight = average ? name.substr(kAverageState.size()) : ""; is_model(f) && f.find_tensor(weight)) return f.load(weight);
  return {};
}

std::optional<Resumed> find_resumed(const TrainingRecipe& recipe, const std::function<void(const std::string&)>& warn) {
  if (recipe.resume == "none") {
    if (!find_checkpoints(recipe.output).empty())
      fail(ErrorKind::usage, "train", "{} holds checkpoints of another run, and --resume is none; name another --output", recipe.output);
    return std::nullopt;
  }
  if (recipe.resume != "auto") {
    if (auto wrong = problem_of(recipe.resume)) fail(ErrorKind::file, "resume", "{} cannot be gone on from: {}", recipe.resume, *wrong);
    return open_checkpoint(recipe.resume, recipe);
  }
  for (const FoundCheckpoint& c : find_checkpoints(recipe.output)) {
    auto wrong = problem_of(c.path);
    if (!wrong) return open_checkpoint(c.path, recipe);
    warn(fmt::format("WARNING: {} is damaged and left out: {}", c.path, *wrong));
  }
  return std::nullopt;
}

}  // namespace motley

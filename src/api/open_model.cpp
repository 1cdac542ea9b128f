#include "api/open_model.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "io/embedded_model.h"
#include "io/gguf.h"
#include "io/hub_cache.h"
#include "io/json.h"

namespace motley {
namespace {

constexpr uint64_t kMaxPlanBytes = 1 << 20, kMaxConfigBytes = 64 << 20;

}  // namespace

std::string resolve_model(const std::string& model) {
  if (model.empty())
    fail(ErrorKind::usage, "model",
         "no model was named; give a folder with config.json, a .gguf file, the name of a model in the hub's cache, or '{}', which the program "
         "carries",
         kEmbeddedModel);
  if (file_exists(model) || folder_exists(model)) return model;
  if (is_hub_name(model)) {
    if (auto folder = find_in_cache(model)) return *folder;
    if (!model.starts_with('.') && model.find('/') != model.npos && !folder_exists(std::filesystem::path(model).parent_path().string()))
      fail(ErrorKind::file, "model",
           "'{}' is neither a path nor in the hub's cache at {}; download it there with any hub client, or give a folder or .gguf file", model,
           hub_cache_folder());
  }
  return model;  // opening it says what is wrong and what is near
}

ModelConfig open_config(const std::string& model) {
  if (model.ends_with(".json") && file_exists(model)) return read_config(parse_json(read_file(model, kMaxConfigBytes), model), model);
  return read_config(Checkpoint::open(resolve_model(model)));
}

std::shared_ptr<const Tokenizer> find_tokenizer(const std::string& path) {
  std::string folder = folder_exists(path) ? path : std::filesystem::path(path).parent_path().string();
  if (!folder_exists(path)) return Tokenizer::load(path);
  for (const char* file : {"tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt"})
    if (file_exists(folder + "/" + file)) return Tokenizer::load(path);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    auto extension = entry.path().extension();
    if (extension == ".tiktoken" || extension == ".gguf") return Tokenizer::load(path);
  }
  return nullptr;
}

std::shared_ptr<const Tokenizer> find_tokenizer(const Checkpoint& checkpoint) {
  if (!checkpoint.gguf()) return find_tokenizer(checkpoint.folder());
  // "none" is what files say that were made of a model without one.
  auto model = checkpoint.gguf()->find_string("tokenizer.ggml.model");
  return !model || *model == "none" || *model == "no_vocab" ? nullptr : Tokenizer::from_gguf(*checkpoint.gguf());
}

Plan choose_plan(const ModelSource& source, const Target& target, const ModelOptions& options) {
  if (options.place == "auto") return make_plan(demand_of(source), target, options.plan);
  Plan plan = parse_plan(read_file(options.place, kMaxPlanBytes), options.place);
  if (plan.device != target.name) fail(ErrorKind::device, "plan", "{} is made for {}; this machine has {}", options.place, plan.device, target.name);
  if (plan.context > source.config.max_positions)
    fail(ErrorKind::usage, "plan", "{}: a context of {} is more than the model's {}", options.place, plan.context, source.config.max_positions);
  return plan;
}

ModelSource model_source(std::shared_ptr<const Checkpoint> checkpoint, const ModelOptions& options) {
  ModelSource model = model_from_checkpoint(std::move(checkpoint));
  return options.adapter.empty() ? model : adapted(model, std::make_shared<const PeftAdapter>(read_peft(options.adapter)));
}

OpenModel open_model(const std::string& model, const ModelOptions& options) {
  OpenModel out;
  out.path = resolve_model(model);
  out.checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(out.path));
  if (!out.checkpoint->has_weights())
    fail(ErrorKind::file, "model", "{} has a config.json but no weights (model.safetensors, or its index with the shards)", out.path);
  out.tokenizer = options.tokenizer.empty() ? find_tokenizer(*out.checkpoint) : Tokenizer::load(resolve_model(options.tokenizer));
  out.source = model_source(out.checkpoint, options);
  auto device = open_device(options.device, options.wishes);
  ModelOptions wishes = options;
  if (options.wish) options.wish(*out.checkpoint, out.source.config, wishes.plan);
  if (wishes.plan.context)  // asked for text: virtual tokens take no part of it
    *wishes.plan.context =
        std::min(*wishes.plan.context + out.source.virtual_tokens, std::max(*wishes.plan.context, out.source.config.max_positions));
  Plan plan = choose_plan(out.source, device->target(), wishes);
  out.plan_name = options.place == "auto" ? plan.device : options.place;
  out.session = std::make_unique<Session>(out.source, plan, std::move(device), options.session);
  return out;
}

}  // namespace motley

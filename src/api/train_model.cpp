#include "api/train_model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "api/open_model.h"
#include "base/bits.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/hf_folder.h"
#include "io/dataset/hold_back.h"
#include "io/dataset/overlap.h"
#include "io/json.h"
#include "nn/convert.h"
#include "nn/heads.h"
#include "nn/initial.h"
#include "nn/objective.h"
#include "nn/shapes.h"
#include "train/checkpoint.h"
#include "train/run_state.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kShardBytes = uint64_t{5} << 30;
constexpr int64_t kUsualLength = 512;
constexpr int64_t kShortText = 8;  // tokens: of labelled texts no more share a row than would if all were so short

// The model that learns: from a checkpoint, or new.
struct Learner {
  std::shared_ptr<const Checkpoint> checkpoint;  // null: a config.json alone, or a known shape
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string tokenizer_folder;
  ModelSource source;
  ModelConfig config;
  bool fresh = false;
};

ModelSource new_model(const ModelConfig& config, const std::string& name) {
  return {.name = name,
          .config = config,
          .types = [](const std::string&) -> std::optional<Type> {
            return Type{Dtype::f32, {}};
          },
          .load = {},
          .drop = {}};
}

Learner open_learner(const TrainingRecipe& recipe) {
  Learner l;
  if (auto shape = find_shape(recipe.model); shape && !folder_exists(recipe.model)) {
    l.source = new_model(*shape, recipe.model);
  } else if (recipe.model.ends_with(".json") && file_exists(recipe.model)) {
    l.source = new_model(open_config(recipe.model), recipe.model);
  } else {
    l.checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(resolve_model(recipe.model)));
    l.source = l.checkpoint->has_weights() ? model_from_checkpoint(l.checkpoint) : new_model(read_config(*l.checkpoint), l.checkpoint->path());
  }
  l.fresh = !l.checkpoint || !l.checkpoint->has_weights();
  l.config = l.source.config;
  if (!recipe.tokenizer.empty()) {
    l.tokenizer = find_tokenizer(recipe.tokenizer);
    l.tokenizer_folder = folder_exists(recipe.tokenizer) ? recipe.tokenizer : fs::path(recipe.tokenizer).parent_path().string();
    if (l.tokenizer_folder.empty()) l.tokenizer_folder = ".";
  } else if (l.checkpoint) {
    l.tokenizer = find_tokenizer(*l.checkpoint);
  }
  if (!l.tokenizer)
    fail(ErrorKind::usage, "train", "{} has no tokenizer; name one with --tokenizer, or make one: motley tokenizer train --data {} --out FOLDER",
         l.source.name, recipe.data);
  if (l.tokenizer->vocab_size() > l.config.vocab)
    fail(ErrorKind::usage, "train", "the tokenizer has {} tokens and the model only {}; use the model's own, or set vocab_size in its config.json",
         l.tokenizer->vocab_size(), l.config.vocab);
  return l;
}

DataOptions data_options(const TrainingRecipe& r, const std::string& path, const Learner& l, bool labelled) {
  DataOptions o{.path = path, .format = r.format, .text_column = r.text_column, .pair_column = r.pair_column, .label_column = r.label_column};
  o.labels = !labelled                            ? LabelKind::none
             : l.config.task == Task::regression  ? LabelKind::values
             : l.config.task == Task::multi_label ? LabelKind::several
                                                  : LabelKind::automatic;
  o.classes = labelled ? l.config.labels : std::vector<std::string>{};
  o.max_tokens = labelled ? r.length : 0;
  o.cache_folder = r.output + "/data-cache";
  o.threads = static_cast<int>(std::max<int64_t>(r.threads, 1));
  return o;
}

std::string thousands(int64_t n) {
  std::string digits = fmt::format("{}", n), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

// Smaller models bear larger steps: about the values that GPT-3's and Llama's papers list for their sizes, 1e-3 at 10 M parameters.
double usual_rate(int64_t parameters, bool fresh) {
  const double rate = std::clamp(1e-3 * std::pow(1e7 / static_cast<double>(std::max<int64_t>(parameters, 1)), 0.25), 2e-4, 3e-3);
  return fresh ? rate : std::min(rate / 10, 1e-4);
}

void complete(TrainingRecipe& r, const Learner& l, RecipeKind kind) {
  if (r.length == 0) r.length = std::min(l.config.longest_text(), kUsualLength);
  if (r.length > l.config.longest_text())
    fail(ErrorKind::usage, "train", "rows of --length {} are longer than the model's {} positions", r.length, l.config.longest_text());
  if (r.learning_rate == 0) r.learning_rate = usual_rate(count_parameters(l.config), l.fresh && kind == RecipeKind::pretrain);
  if (r.learning_rate < 0 || !std::isfinite(r.learning_rate))
    fail(ErrorKind::usage, "train", "--learning-rate should be above 0, not {}", r.learning_rate);
  if (r.length < 2) fail(ErrorKind::usage, "train", "rows of --length {} hold nothing to predict; use 2 or more", r.length);
  for (auto [name, value, top] : {std::tuple{"--eval-fraction", r.eval_fraction, 1.0},
                                  {"--dropout", r.dropout, 1.0},
                                  {"--average", r.average, 1.0},
                                  {"--label-smoothing", r.label_smoothing, 1.0}})
    if (!(value >= 0 && value < top)) fail(ErrorKind::usage, "train", "{} should be at least 0 and below 1, not {}", name, value);
}

LearningSession::Inputs step_inputs(const ModelConfig& config, const Tokenizer& tokenizer, const BatchShape& shape, const Batch& b) {
  LearningSession::Inputs in{{"tokens", b.tokens}, {"targets", b.targets}, {"positions", b.positions}, {"seq", b.seq}, {"first", b.first}};
  if (config.first_position > 0)
    for (size_t i = 0; i < b.seq.size(); ++i)
      if (b.seq[i] >= 0) in["positions"][i] += static_cast<int32_t>(config.first_position);
  if (config.token_types > 0) {
    auto& types = in["token_types"] = std::vector<int32_t>(b.tokens.size(), 0);
    for (size_t i = 1; i < types.size() && config.token_types > 1; ++i)  // b of [CLS] a [SEP] b [SEP]
      if (b.seq[i] >= 0 && b.seq[i] == b.seq[i - 1]) types[i] = types[i - 1] | (b.tokens[i - 1] == tokenizer.special().sep);
  }
  if (shape.samples == 0) return in;
  const auto samples = static_cast<size_t>(shape.samples);
  auto &last = in["last"] = b.first, &lengths = in["lengths"] = std::vector<int32_t>(samples, 0);
  const size_t width = b.labels.size() / samples;
  auto there = [&](size_t s) { return b.labels[s * width] != static_cast<float>(kNoTarget); };
  for (size_t s = 0; s < samples; ++s) {
    if (!there(s)) continue;
    auto end = static_cast<size_t>(b.first[s]);
    while (end < b.seq.size() && b.seq[end] == b.seq[static_cast<size_t>(b.first[s])]) ++end;
    lengths[s] = static_cast<int32_t>(end) - b.first[s];
    last[s] = static_cast<int32_t>(end) - 1;
  }
  if (config.task == Task::classification) {
    auto& labels = in["labels"];
    for (float label : b.labels) labels.push_back(label < 0 ? kIgnoreTarget : static_cast<int32_t>(label));
  } else {
    std::vector<float> values = b.labels, weights(samples, 0.0f);
    for (size_t s = 0; s < samples; ++s) weights[s] = there(s) ? 1 : 0;
    for (float& v : values) v = v == static_cast<float>(kNoTarget) ? 0 : v;
    in["values"] = bits_of(values), in["value_weights"] = bits_of(weights);
  }
  return in;
}

// The likeliest label is the given one.
int64_t right_labels(int64_t labels, const LearningSession::Outputs& outputs, const Batch& batch) {
  const auto& logits = outputs.at("logits");
  int64_t right = 0;
  for (size_t s = 0; s < batch.labels.size(); ++s) {
    auto row = logits.begin() + static_cast<int64_t>(s) * labels;
    right += std::max_element(row, row + labels) - row == static_cast<int64_t>(batch.labels[s]);  // where there is no sample, no label is meant
  }
  return right;
}

// The model's files with the values given, as a Hugging Face folder. Returns the states that are in it under their own names, bit for bit.
std::set<std::string> save_model(const Learner& l, const AtomicFolder& out, const std::function<Tensor(const std::string&)>& read) {
  std::vector<std::string> warnings;
  const bool same_task = l.config.task == l.source.config.task && l.config.labels == l.source.config.labels;
  write_description(out,
                    {.config = l.config,
                     .checkpoint = same_task ? l.checkpoint.get() : nullptr,
                     .tokenizer = l.tokenizer.get(),
                     .tokenizer_folder = !l.tokenizer_folder.empty()             ? l.tokenizer_folder
                                         : l.checkpoint && !l.checkpoint->gguf() ? l.checkpoint->folder()
                                                                                 : ""},
                    warnings);
  auto plans = plan_tensors(
      l.config,
      [](const std::string&) -> std::optional<Type> {
        return Type{Dtype::f32, {}};
      },
      l.source.name, CheckpointFormat::hf);
  std::vector<StoredTensor> stored;
  std::set<std::string> same;
  for (const TensorPlan& p : plans) {
    stored.push_back({p.name, Dtype::f32, p.shape});
    if (p.name == p.state && p.how == Rearrangement::none && p.expert < 0) same.insert(p.state);
  }
  write_weights(out, stored, kShardBytes, [&](size_t i) { return rearrange(plans[i], read(plans[i].state)); });
  return same;
}

Trainee make_trainee(const std::shared_ptr<const Learner>& l, const TrainingRecipe& recipe, bool labelled) {
  Trainee t;
  // Learned weights are f32 whatever they were stored as.
  WeightTypes types = [l, stored = with_fresh_head(l->config, l->source.types)](const std::string& name) -> std::optional<Type> {
    auto type = stored(name);
    if (type) type->dtype = Dtype::f32;
    return type;
  };
  t.objective = [l, types, recipe](const BatchShape& shape, bool training) {
    ModelConfig config = l->config;
    config.dropout = static_cast<float>(recipe.dropout);
    config.head_dropout = config.dropout;
    Builder b({.mode = BuildMode::learn, .tokens = shape.rows * shape.length, .training = training}, types, l->source.name);
    build_objective(b, config,
                    {.task = config.task, .label_smoothing = training ? static_cast<float>(recipe.label_smoothing) : 0, .samples = shape.samples});
    return b.take();
  };
  t.load = [l](const std::string& name) -> Tensor {
    const bool other_head = is_head(l->config, name) && l->config.labels != l->source.config.labels;
    return l->fresh || other_head || !l->source.types(name) ? Tensor() : read_state(l->source, name);
  };
  t.fresh = [l, seed = static_cast<uint64_t>(recipe.seed)](const std::string& name, const Type& type) {
    return initial_weight(l->config, name, type, seed);
  };
  t.save = [l](const AtomicFolder& out, const std::function<Tensor(const std::string&)>& read) { return save_model(*l, out, read); };
  t.inputs = [l](const BatchShape& shape, const Batch& batch) { return step_inputs(l->config, *l->tokenizer, shape, batch); };
  if (l->config.task == Task::classification)
    t.count_right = [labels = l->config.num_labels()](const auto& outputs, const Batch& batch) { return right_labels(labels, outputs, batch); };
  t.open_device = [recipe] { return open_device(recipe.device, {.threads = static_cast<int>(recipe.threads), .packed = false}); };
  t.learned_before = !l->fresh;
  t.context = static_cast<double>(recipe.length) / (l->config.causal ? 2 : 1);
  t.pack = !labelled || !learns_in_grid(l->config, l->config.task);
  t.samples_per_row = !labelled ? 0 : t.pack ? std::max<int64_t>(recipe.length / kShortText, 1) : 1;
  if (!recipe.memory.empty()) {
    auto bytes = parse_size(recipe.memory);
    if (!bytes || *bytes <= 0) fail(ErrorKind::usage, "train", "--memory should be a size such as 8GiB, not '{}'", recipe.memory);
    t.memory_bytes = *bytes;
  }
  return t;
}

// The output folder becomes the model of one of its checkpoints. config.json goes last: without it the folder is no model.
void publish(const std::string& checkpoint, const std::string& output) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(checkpoint)) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && !is_of_the_run(name) && name != "config.json") files.push_back(name);
  }
  files.emplace_back("config.json");
  for (const fs::path& name : files) copy_atomically(fs::path(checkpoint) / name, fs::path(output) / name);
}

}  // namespace

TrainOutcome train_model(TrainingRecipe recipe, RecipeKind kind, TrainModelListener& listener) {
  if (recipe.model.empty()) fail(ErrorKind::usage, "train", "say what is to learn: --model FOLDER (or a config.json, for a new model)");
  if (recipe.data.empty()) fail(ErrorKind::usage, "train", "say what to learn from: --data FILE");
  if (recipe.output.empty()) fail(ErrorKind::usage, "train", "say where the result goes: --output FOLDER");
  auto learner = std::make_shared<Learner>(open_learner(recipe));
  const bool labelled = !recipe.label_column.empty() || one_per_text(learner->config.task);
  complete(recipe, *learner, kind);
  fs::create_directories(recipe.output);

  DataOptions options = data_options(recipe, recipe.data, *learner, labelled);
  Samples data = read_samples(options, *learner->tokenizer, [&](int64_t done, int64_t total) { listener.reading(done, total); });
  if (labelled && !one_per_text(learner->config.task)) learner->config = with_task(learner->config, Task::classification, data.classes());
  options.classes = data.classes();
  options.path = recipe.eval_data;
  Samples held = data;
  if (recipe.eval_data.empty())
    std::tie(data, held) = hold_back(data, labelled ? 0 : recipe.eval_fraction);
  else
    held = read_samples(options, *learner->tokenizer);

  listener.model(fmt::format("{}: {}, {} parameters, {}", learner->source.name, learner->config.family, thousands(count_parameters(learner->config)),
                             learner->fresh ? fmt::format("new (seed {})", recipe.seed) : "trained before"));
  listener.data(fmt::format("{}: {}, {} tokens; {} tokens to evaluate on", recipe.data, data.description(), thousands(data.tokens()),
                            thousands(held.tokens())));
  for (const std::string& w : data.warnings()) listener.note(w);
  if (held.size() == 0) listener.note("nothing is kept back to evaluate on; name something with --eval-data");
  if (!recipe.eval_data.empty())
    if (Overlap overlap = find_overlap(data, held, *learner->tokenizer, options.threads); overlap.samples > 0)
      listener.note("WARNING: " + overlap.words());
  if (data.size() > 0) listener.sample(show_sample(data, 0, *learner->tokenizer));

  TrainOutcome outcome = train(recipe, make_trainee(learner, recipe, labelled), data, held, listener);
  if (outcome.end != TrainOutcome::End::interrupted && outcome.end != TrainOutcome::End::diverged) {
    const bool best = recipe.patience > 0 && outcome.best_step > 0;
    publish(checkpoint_path(recipe.output, best ? outcome.best_step : outcome.step), recipe.output);
  }
  return outcome;
}

}  // namespace motley

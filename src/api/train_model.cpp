#include "api/train_model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "api/open_model.h"
#include "api/tuning.h"
#include "base/bits.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/hf_folder.h"
#include "io/dataset/hold_back.h"
#include "io/dataset/overlap.h"
#include "io/dataset/record.h"
#include "io/json.h"
#include "nn/convert.h"
#include "nn/families.h"
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
  std::shared_ptr<const PeftAdapter> adapter;  // that goes on learning; it is in the source
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
  if (auto folder = adapter_folder(recipe)) {
    l.adapter = std::make_shared<const PeftAdapter>(read_peft(*folder));
    l.source = adapted(l.source, l.adapter);
    l.source.config = with_head_of(*l.adapter, l.source.config);
  }
  if (l.fresh && !recipe.adapter.empty())
    fail(ErrorKind::usage, "adapter", "{} has no weights yet: an adapter changes a model that has learned", l.source.name);
  l.config = l.source.config;
  if (reads_sources(l.config))
    fail(ErrorKind::usage, "train", "{} has an encoder and a decoder; such a model runs here and does not learn yet", l.source.name);
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

AugmentOptions augment_options(const TrainingRecipe& r) {
  if (r.augment.empty() && r.augment_command.empty()) return {};
  AugmentOptions o = parse_augment(r.augment);
  if (r.augment_copies < 1 || r.augment_copies > 64) fail(ErrorKind::usage, "train", "--augment-copies should be 1 to 64, not {}", r.augment_copies);
  if (r.augment_timeout < 1) fail(ErrorKind::usage, "train", "--augment-timeout should be at least one second, not {}", r.augment_timeout);
  o.command = r.augment_command, o.command_seconds = static_cast<double>(r.augment_timeout);
  o.copies = r.augment_copies, o.seed = static_cast<uint64_t>(r.seed);
  return o;
}

// Smaller models bear larger steps: about the values that GPT-3's and Llama's papers list for their sizes, 1e-3 at 10 M parameters.
double usual_rate(int64_t parameters) {
  return std::clamp(1e-3 * std::pow(1e7 / static_cast<double>(std::max<int64_t>(parameters, 1)), 0.25), 2e-4, 3e-3);
}

void complete(TrainingRecipe& r, const Learner& l, RecipeKind kind, bool labelled) {
  if (r.length == 0) r.length = std::min(l.config.longest_text(), kUsualLength);
  if (r.length > l.config.longest_text())
    fail(ErrorKind::usage, "train", "rows of --length {} are longer than the model's {} positions", r.length, l.config.longest_text());
  const std::optional<AdapterMethod> method = r.adapter.empty() ? std::nullopt : std::optional(adapter_method(r, labelled));
  if (r.merge && !method) fail(ErrorKind::usage, "train", "--merge goes with an --adapter: without one the output is the whole model anyway");
  if (r.learning_rate == 0) {
    const double usual = usual_rate(count_parameters(l.config));
    r.learning_rate = method ? usual * usual_rate_factor(*method) : l.fresh && kind == RecipeKind::pretrain ? usual : std::min(usual / 10, 1e-4);
  }
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
  const auto plans = plan_tensors(
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

// A state of the source or its first values; what of a head the source has for other labels begins anew.
Tensor known_values(const Learner& l, const std::string& name) {
  const bool other_head = is_head(l.config, name) && l.config.labels != l.source.config.labels;
  return l.fresh || other_head || !l.source.types(name) ? Tensor() : read_state(l.source, name);
}

// Learned weights are f32 whatever they were stored as; beside an adapter the others stay as they are.
WeightTypes learned_types(const Learner& l, std::shared_ptr<const Tuning> tuning) {
  return [stored = with_fresh_head(l.config, l.source.types), tuning](const std::string& name) -> std::optional<Type> {
    auto type = stored(name);
    if (type && (!tuning || tuning->learns_whole(name))) type->dtype = Dtype::f32;
    return type;
  };
}

Graph objective_graph(const Learner& l, const TrainingRecipe& recipe, const WeightTypes& types, const BatchShape& shape, bool training) {
  ModelConfig config = l.config;
  config.dropout = static_cast<float>(recipe.dropout);
  config.head_dropout = config.dropout;
  Builder b({.mode = BuildMode::learn, .tokens = shape.rows * shape.length, .training = training}, types, l.source.name);
  build_objective(b, config,
                  {.task = config.task, .label_smoothing = training ? static_cast<float>(recipe.label_smoothing) : 0, .samples = shape.samples});
  return b.take();
}

// Only the adapter learns and is saved.
void learn_adapter(Trainee& t, const std::shared_ptr<const Learner>& l, const TrainingRecipe& recipe, const std::shared_ptr<const Tuning>& tuning) {
  t.learns = adapter_learns(tuning->adapter, tuning->graph);
  t.decays = [](std::string_view state, const Type& type) { return type.rank() >= 2 && !state.ends_with(".ia3_l") && state != kPrefixState; };
  t.objective = [whole = t.objective, tuning](const BatchShape& shape, bool training) {
    return adapt(whole(shape, training), tuning->adapter, {.learns = training});
  };
  t.fresh = [whole = t.fresh, seed = static_cast<uint64_t>(recipe.seed)](const std::string& name, const Type& type) {
    return is_adapter_state(name) ? adapter_start(name, type, seed) : whole(name, type);
  };
  t.save = [l, tuning, base = recipe.model](const AtomicFolder& out, const std::function<Tensor(const std::string&)>& read) {
    if (has_labels(l->config.task)) out.write("config.json", hf_config_text(l->config, "float32"));  // whose head this is, and its labels
    return write_tuned(out.file("."), *tuning, base, l->config, read);
  };
  for (int64_t i = 0; tuning->adapter.method == AdapterMethod::prefix && i < tuning->adapter.tokens; ++i)
    t.lead.push_back(static_cast<int32_t>(l->config.vocab + i));
}

Trainee make_trainee(const std::shared_ptr<const Learner>& l, const TrainingRecipe& recipe, bool labelled, TrainModelListener& listener) {
  Trainee t;
  t.pack = !labelled || !learns_in_grid(l->config, l->config.task);
  t.samples_per_row = !labelled ? 0 : t.pack ? std::max<int64_t>(recipe.length / kShortText, 1) : 1;
  std::shared_ptr<const Tuning> tuning;
  if (!recipe.adapter.empty()) {
    const Graph plain = objective_graph(*l, recipe, with_fresh_head(l->config, l->source.types), {1, recipe.length, t.samples_per_row, {}}, false);
    tuning = std::make_shared<const Tuning>(make_tuning(recipe, l->source, l->config, plain));
    listener.note(tuning->words);
  }
  t.objective = [l, recipe, types = learned_types(*l, tuning)](const BatchShape& shape, bool training) {
    return objective_graph(*l, recipe, types, shape, training);
  };
  t.load = [l](const std::string& name) { return known_values(*l, name); };
  t.fresh = [l, seed = static_cast<uint64_t>(recipe.seed)](const std::string& name, const Type& type) {
    return initial_weight(l->config, name, type, seed);
  };
  t.save = [l](const AtomicFolder& out, const std::function<Tensor(const std::string&)>& read) { return save_model(*l, out, read); };
  if (tuning) learn_adapter(t, l, recipe, tuning);
  t.inputs = [l](const BatchShape& shape, const Batch& batch) { return step_inputs(l->config, *l->tokenizer, shape, batch); };
  if (l->config.task == Task::classification)
    t.count_right = [labels = l->config.num_labels()](const auto& outputs, const Batch& batch) { return right_labels(labels, outputs, batch); };
  t.open_device = [recipe] { return open_device(recipe.device, {.threads = static_cast<int>(recipe.threads), .packed = false}); };
  t.learned_before = !l->fresh;
  t.context = static_cast<double>(recipe.length) / (l->config.causal ? 2 : 1);
  if (!recipe.memory.empty()) {
    auto bytes = parse_size(recipe.memory);
    if (!bytes || *bytes <= 0) fail(ErrorKind::usage, "train", "--memory should be a size such as 8GiB, not '{}'", recipe.memory);
    t.memory_bytes = *bytes;
  }
  return t;
}

// The output folder becomes the model, or the adapter, of one of its checkpoints. What says that it is one goes last.
void publish(const std::string& checkpoint, const std::string& output) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(checkpoint))
    if (entry.is_regular_file() && !is_of_the_run(entry.path().filename().string())) files.push_back(entry.path().filename());
  std::ranges::stable_partition(files, [](const fs::path& name) { return name != "config.json" && name != "adapter_config.json"; });
  for (const fs::path& name : files) copy_atomically(fs::path(checkpoint) / name, fs::path(output) / name);
}

// The model with the adapter of a folder in its weights, all of them f32, in place of an earlier one.
void write_merged(const Learner& l, const std::string& folder, const std::string& to) {
  const PeftAdapter adapter = read_peft(folder);
  const ModelSource base = l.checkpoint ? model_from_checkpoint(l.checkpoint) : l.source;
  const std::string next = to + ".new";  // the earlier one stays until this one is whole
  fs::remove_all(next);
  AtomicFolder out(next);
  save_model(l, out, [&](const std::string& name) {
    auto own = adapter.states.find(name);  // a head need not be in the base
    return merged_weight(adapter, l.config, name, own == adapter.states.end() ? read_state(base, name) : own->second);
  });
  out.commit();
  fs::remove_all(to);
  fs::rename(next, to);
}

}  // namespace

TrainOutcome train_model(TrainingRecipe recipe, RecipeKind kind, TrainModelListener& listener) {
  if (recipe.model.empty()) fail(ErrorKind::usage, "train", "say what is to learn: --model FOLDER (or a config.json, for a new model)");
  if (recipe.data.empty()) fail(ErrorKind::usage, "train", "say what to learn from: --data FILE");
  if (recipe.output.empty()) fail(ErrorKind::usage, "train", "say where the result goes: --output FOLDER");
  auto learner = std::make_shared<Learner>(open_learner(recipe));
  const bool labelled = !recipe.label_column.empty() || one_per_text(learner->config.task);
  complete(recipe, *learner, kind, labelled);
  fs::create_directories(recipe.output);

  DataOptions options = data_options(recipe, recipe.data, *learner, labelled);
  options.augment = augment_options(recipe);
  std::optional<Samples> read;
  bool stopped = false;
  try {
    read = read_samples(options, *learner->tokenizer, [&](int64_t done, int64_t total) {
      listener.reading(done, total);
      stopped = listener.stop();
      if (stopped) fail(ErrorKind::runtime, "train", "stopped while the data was read");
    });
  } catch (const Error&) {
    if (!stopped) throw;
    return {.end = TrainOutcome::End::interrupted};
  }
  Samples data = *std::move(read);
  if (labelled && !one_per_text(learner->config.task)) learner->config = with_task(learner->config, Task::classification, data.classes());
  options.classes = data.classes();
  options.path = recipe.eval_data;
  options.augment = {};
  HeldBack parts = hold_back(data, recipe.eval_data.empty() ? recipe.eval_fraction : 0, static_cast<uint64_t>(recipe.seed));
  data = parts.learned;
  const Samples held = recipe.eval_data.empty() ? parts.held : read_samples(options, *learner->tokenizer);

  listener.model(fmt::format("{}: {}, {} parameters, {}", learner->source.name, learner->config.family,
                             with_commas(count_parameters(learner->config)),
                             learner->fresh ? fmt::format("new (seed {})", recipe.seed) : "trained before"));
  listener.data(fmt::format("{}: {}, {} tokens; {} tokens to evaluate on", recipe.data, data.description(), with_commas(data.tokens()),
                            with_commas(held.tokens())));
  if (!parts.words.empty()) listener.note("kept back to evaluate on: " + parts.words);
  for (const std::string& w : data.warnings()) listener.note(w);
  if (held.size() == 0) listener.note("nothing is kept back to evaluate on; name something with --eval-data");
  if (!recipe.eval_data.empty())
    if (Overlap overlap = find_overlap(data, held, *learner->tokenizer, options.threads); overlap.samples > 0)
      listener.note("WARNING: " + overlap.words());
  if (data.size() > 0) listener.sample(show_sample(data, 0, *learner->tokenizer));

  TrainOutcome outcome = train(recipe, make_trainee(learner, recipe, labelled, listener), data, held, listener);
  if (outcome.end != TrainOutcome::End::interrupted && outcome.end != TrainOutcome::End::diverged) {
    const bool best = recipe.patience > 0 && outcome.best_step > 0;
    publish(checkpoint_path(recipe.output, best ? outcome.best_step : outcome.step), recipe.output);
    if (recipe.merge) write_merged(*learner, recipe.output, recipe.output + "/merged");
  }
  return outcome;
}

}  // namespace motley

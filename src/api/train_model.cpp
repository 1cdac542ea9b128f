#include "api/train_model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "api/hide_tokens.h"
#include "api/learning_task.h"
#include "api/open_model.h"
#include "api/step_inputs.h"
#include "api/tuning.h"
#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
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
#include "train/schedule.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kShardBytes = uint64_t{5} << 30;
constexpr int64_t kUsualLength = 512;
constexpr int64_t kShortText = 8;      // tokens: of labelled texts no more share a row than would if all were so short
constexpr double kSparePlaces = 1.25;  // for pairs in a row, of as many as there would be if all were of mean length

// The model that learns: from a checkpoint, or new.
struct Learner {
  std::shared_ptr<const Checkpoint> checkpoint;  // null: a config.json alone, or a known shape
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string tokenizer_folder;
  ModelSource source;
  ModelConfig config;
  bool fresh = false;
  int64_t texts = 2;                           // of a sample, where embeddings learn
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

DataOptions data_options(const TrainingRecipe& r, const Learner& l, const LearningTask& lesson) {
  DataOptions o{.path = r.data,
                .format = r.format,
                .text_column = r.text_column,
                .pair_column = r.pair_column,
                .negative_column = r.negative_column,
                .label_column = r.label_column,
                .labels = lesson.labels};
  if (one_per_text(lesson.task) && lesson.task == l.config.task && lesson.task != Task::regression) o.classes = l.config.labels;
  o.max_tokens = lesson.of_samples() ? r.length : 0;
  o.cache_folder = r.output + "/data-cache";
  o.threads = static_cast<int>(std::max<int64_t>(r.threads, 1));
  return o;
}

AugmentOptions augment_options(const TrainingRecipe& r) {
  if (r.augment.empty() && r.augment_command.empty()) return {};
  AugmentOptions o = parse_augment(r.augment);
  o.command = r.augment_command, o.command_seconds = static_cast<double>(r.augment_timeout);
  o.copies = r.augment_copies, o.seed = static_cast<uint64_t>(r.seed);
  return o;
}

// Smaller models bear larger steps: about the values that GPT-3's and Llama's papers list for their sizes, 1e-3 at 10 M parameters.
double usual_rate(int64_t parameters) {
  return std::clamp(1e-3 * std::pow(1e7 / static_cast<double>(std::max<int64_t>(parameters, 1)), 0.25), 2e-4, 3e-3);
}

void complete(TrainingRecipe& r, const Learner& l, RecipeKind kind, const LearningTask& lesson) {
  const int64_t texts = lesson.labels == LabelKind::texts ? 2 : 1, longest = texts * l.config.longest_text();  // at once in a row, and read apart
  if (r.length == 0) r.length = std::min(longest, kUsualLength);
  if (r.length > longest)
    fail(ErrorKind::usage, "train", "rows of --length {} are longer than the model's {}{} positions", r.length, texts > 1 ? "2 x " : "",
         l.config.longest_text());
  if (texts > 1 && r.length < kShortText * texts)
    fail(ErrorKind::usage, "train", "rows of --length {} have no room for two texts; use {} or more", r.length, kShortText * texts);
  const std::optional<AdapterMethod> method = r.adapter.empty() ? std::nullopt : std::optional(adapter_method(r, lesson.of_samples()));
  if (r.merge && !method) fail(ErrorKind::usage, "train", "--merge goes with an --adapter: without one the output is the whole model anyway");
  if (r.learning_rate == 0) {
    const double usual = usual_rate(count_parameters(l.config));
    r.learning_rate = method ? usual * usual_rate_factor(*method) : l.fresh && kind == RecipeKind::pretrain ? usual : std::min(usual / 10, 1e-4);
  }
  if (r.length < 2) fail(ErrorKind::usage, "train", "rows of --length {} hold nothing to predict; use 2 or more", r.length);
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
                                                                                 : "",
                     .sentence = l.config.task == Task::embedding},
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
                  {.task = config.task,
                   .label_smoothing = training ? static_cast<float>(recipe.label_smoothing) : 0,
                   .samples = shape.samples,
                   .texts = l.texts,
                   .temperature = static_cast<float>(recipe.temperature),
                   .symmetric = recipe.symmetric});
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

// The most samples that share a row. Pairs are compared with each other, which places without any would make slower.
int64_t places(const TrainingRecipe& recipe, const LearningTask& lesson, const Samples& data) {
  if (lesson.labels != LabelKind::texts) return std::max<int64_t>(recipe.length / kShortText, 1);
  const double mean = static_cast<double>(data.tokens()) / static_cast<double>(std::max<int64_t>(data.size(), 1));
  return std::max<int64_t>(std::llround(kSparePlaces * static_cast<double>(recipe.length) / std::max(mean, 1.0)), 1);
}

Trainee make_trainee(const std::shared_ptr<const Learner>& l, const TrainingRecipe& recipe, const LearningTask& lesson, const Samples& data,
                     TrainModelListener& listener) {
  Trainee t;
  t.pack = !lesson.of_samples() || !learns_in_grid(l->config, l->config.task);
  t.samples_per_row = !lesson.of_samples() ? 0 : t.pack ? places(recipe, lesson, data) : 1;
  t.whole_batches = lesson.labels == LabelKind::texts;
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
  const bool masked = l->config.task == Task::masked_language_model;
  t.whole_texts = masked;
  t.inputs = [l, masked, hidden = recipe.mlm_probability, seed = static_cast<uint64_t>(recipe.seed)](const BatchShape& shape, const Batch& batch,
                                                                                                     const StepPlace& place) {
    const SpecialIds& special = l->tokenizer->special();
    auto in = step_inputs(l->config, special, shape, batch);
    if (masked)
      hide_tokens({.share = hidden, .seed = seed, .step = place.step, .first_token = place.first_token}, special, l->tokenizer->vocab_size(), in);
    return in;
  };
  if (l->config.task == Task::classification || l->config.task == Task::embedding)
    t.count_right = [l](const auto& outputs, const Batch& batch) { return count_right(l->config, outputs, batch); };
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
  for (const auto& entry : fs::recursive_directory_iterator(checkpoint)) {
    const fs::path name = entry.path().lexically_relative(checkpoint);
    if (entry.is_regular_file() && !is_of_the_run(name.begin()->string())) files.push_back(name);
  }
  std::ranges::stable_partition(files, [](const fs::path& name) { return name != "config.json" && name != "adapter_config.json"; });
  for (const fs::path& name : files) {
    if (name.has_parent_path()) fs::create_directories(fs::path(output) / name.parent_path());
    copy_atomically(fs::path(checkpoint) / name, fs::path(output) / name);
  }
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
  check_numbers(recipe);
  auto learner = std::make_shared<Learner>(open_learner(recipe));
  const LearningTask lesson = learning_task(recipe, learner->config);
  if (lesson.task == Task::masked_language_model && learner->tokenizer->special().mask < 0)
    fail(ErrorKind::usage, "train", "the tokenizer of {} has no mask token, which stands where a word is asked for; name another with --tokenizer",
         learner->source.name);
  complete(recipe, *learner, kind, lesson);
  const FolderLock lock(recipe.output);

  DataOptions options = data_options(recipe, *learner, lesson);
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
  learner->config = config_to_learn(lesson, learner->config, data);
  if (lesson.labels == LabelKind::texts) learner->texts = data.label_width();
  options.classes = data.classes();
  if (learner->config.task == Task::regression) options.labels = LabelKind::values;  // whatever those to evaluate on look like
  options.path = recipe.eval_data;
  options.augment = {};
  HeldBack parts = hold_back(data, recipe.eval_data.empty() ? recipe.eval_fraction : 0, static_cast<uint64_t>(recipe.seed));
  data = parts.learned;
  const Samples held = recipe.eval_data.empty() ? parts.held : read_samples(options, *learner->tokenizer);

  if (held.size() > 0 && held.label_width() != data.label_width())
    fail(ErrorKind::usage, "train", "{} has {} texts in each record and {} has {}; learn and evaluate with as many", recipe.data, data.label_width(),
         recipe.eval_data, held.label_width());

  listener.learns(learner->config.task);
  listener.model(fmt::format("{}: {}, {} parameters, {}", learner->source.name, learner->config.family,
                             with_commas(count_parameters(learner->config)),
                             learner->fresh ? fmt::format("new (seed {})", recipe.seed) : "trained before"));
  listener.data(fmt::format("{}: {}, {} tokens; {} tokens to evaluate on", recipe.data, data.description(), with_commas(data.tokens()),
                            with_commas(held.tokens())));
  if (!parts.words.empty()) listener.note("kept back to evaluate on: " + parts.words);
  for (const std::string& w : data.warnings()) listener.note(w);
  if (held.size() == 0 && (recipe.patience > 0 || recipe.schedule == kScheduleNames[static_cast<size_t>(ScheduleKind::plateau)]))
    fail(ErrorKind::usage, "train", "{} waits for evaluations, and there is nothing to evaluate on; name something with --eval-data",
         recipe.patience > 0 ? "--patience" : "--schedule plateau");
  if (held.size() == 0) listener.note("nothing is kept back to evaluate on; name something with --eval-data");
  if (!recipe.eval_data.empty())
    if (Overlap overlap = find_overlap(data, held, *learner->tokenizer, options.threads); overlap.samples > 0)
      listener.note("WARNING: " + overlap.words());
  if (data.size() > 0) listener.sample(show_sample(data, 0, *learner->tokenizer));

  TrainOutcome outcome = train(recipe, make_trainee(learner, recipe, lesson, data, listener), data, held, listener);
  if (outcome.end != TrainOutcome::End::interrupted && outcome.end != TrainOutcome::End::diverged) {
    const bool best = recipe.patience > 0 && outcome.best_step > 0;
    publish(checkpoint_path(recipe.output, best ? outcome.best_step : outcome.step), recipe.output);
    if (recipe.merge) write_merged(*learner, recipe.output, recipe.output + "/merged");
  }
  return outcome;
}

}  // namespace motley

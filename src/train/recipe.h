// Everything that a run of training is told, with its defaults: one list of fields, from which flags, recipe files, help and the checkpoint's
// own record follow.
//
//   TrainingRecipe r{.model = "models/SmolLM2-135M", .data = "chats.jsonl"};
//   for_each_field(r, [](const char* name, auto& value, const char* help, FieldRole role) { ... });
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace motley {

enum class RecipeKind : uint8_t { pretrain, finetune };

// What a change of a field means for a run that is resumed.
enum class FieldRole : uint8_t {
  result,   // another result: refused
  outside,  // where and how it runs, what it tells: may change
};

struct TrainingRecipe {
  std::string model, tokenizer, data, eval_data, output;
  std::string format = "auto", text_column, pair_column, negative_column, label_column;
  std::string objective = "auto";
  double temperature = 0.05, mlm_probability = 0.15;
  bool symmetric = false;
  double eval_fraction = 0.05;
  int64_t length = 0;
  std::string batch = "16", micro_batch = "auto";
  double epochs = 1;
  int64_t steps = 0;
  std::string optimizer = "adamw", schedule = "cosine";
  double learning_rate = 0, floor = 0.1, decay = 0.2;
  int64_t warmup = -1;
  double beta1 = 0.9, beta2 = 0, epsilon = 1e-8, weight_decay = 0.1, momentum = 0.9, clip = 1;
  double label_smoothing = 0, dropout = 0, average = 0;
  std::string adversarial = "none";
  double adversarial_epsilon = 1;
  int64_t adversarial_steps = 3;
  std::string augment, augment_command;
  int64_t augment_copies = 1, augment_timeout = 3600;
  std::string adapter, target_modules, modules_to_save;
  int64_t lora_rank = 0;
  double lora_alpha = 0, lora_dropout = 0;
  int64_t prefix_tokens = 0, bottleneck_width = 0;
  bool merge = false;
  std::string precision = "auto", recompute = "auto";
  int64_t seed = 1;
  int64_t eval_every = 0, eval_batches = 0, save_every = 0, save_limit = 3, patience = 0, log_every = 10;
  double spike = 6;
  std::string device = "cpu", resume = "auto";
  int64_t threads = 0;
  std::string memory;
};

// f(name, value, help, role) for every field. Names are flags without the dashes, and keys of recipe files.
template <class R, class F>
void for_each_field(R& r, F&& f) {
  using enum FieldRole;
  f("model", r.model,
    "what learns: a folder with config.json (with weights: they are the start; without: new ones are drawn), a .gguf file, or org/name", result);
  f("tokenizer", r.tokenizer, "a tokenizer file, or a folder with one, in place of the model's own", result);
  f("data", r.data, "what to learn from: a file or folder of text, JSONL, CSV, ...", result);
  f("eval-data", r.eval_data, "what to evaluate on; without it a part of the data is kept back", result);
  f("output", r.output, "the folder for the model, its checkpoints and what was measured", outside);
  f("eval-fraction", r.eval_fraction, "the part of the data kept back: drawn by the seed; of a running text its end", result);
  f("format", r.format, "the data's format, where it is not to be found out", result);
  f("text-column", r.text_column, "the column or key that holds the text", result);
  f("pair-column", r.pair_column, "that of a second text", result);
  f("negative-column", r.negative_column, "contrastive: that of a third text, which does not belong to the first", result);
  f("label-column", r.label_column, "that of the label: the model then learns to classify", result);
  f("objective", r.objective,
    "language-model, masked-language-model, classification, multi-label, regression, contrastive (vectors of pairs of texts); auto: labels with "
    "--label-column, else what the model is for",
    result);
  f("mlm-probability", r.mlm_probability, "masked-language-model: the part of tokens that are hidden", result);
  f("temperature", r.temperature, "contrastive: what cosines are divided by (0.05 is a scale of 20)", result);
  f("symmetric", r.symmetric, "contrastive: the second text looks for its first one too", result);
  f("length", r.length, "tokens of a row; 0: what the model allows, at most 512", result);
  f("batch", r.batch, "rows of a step; auto: as many as the memory holds at once", result);
  f("micro-batch", r.micro_batch, "rows computed at once; auto: as many as the memory holds", result);
  f("epochs", r.epochs, "times through the data", result);
  f("steps", r.steps, "steps in all, in place of epochs", result);
  f("optimizer", r.optimizer, "adamw, adam (L2 instead of decoupled decay), adafactor, lion, sgd, momentum", result);
  f("learning-rate", r.learning_rate,
    "0: 1e-3 for a new model by its size, at most a tenth of that for one that has learned, for an adapter by its method", result);
  f("schedule", r.schedule, "constant, linear, cosine, wsd, inverse-sqrt, plateau", result);
  f("warmup", r.warmup, "steps in which the rate rises; -1: a twentieth of all", result);
  f("floor", r.floor, "where the rate ends, relative to the learning rate", result);
  f("decay", r.decay, "wsd: the last part of the steps, in which the rate falls", result);
  f("beta1", r.beta1, "of Adam and Lion", result);
  f("beta2", r.beta2, "0: 0.999 (Lion: 0.99; a new model: 0.95)", result);
  f("epsilon", r.epsilon, "of Adam", result);
  f("weight-decay", r.weight_decay, "of matrices", result);
  f("momentum", r.momentum, "of the optimizer of that name", result);
  f("clip", r.clip, "the gradient's greatest length; 0: any", result);
  f("label-smoothing", r.label_smoothing, "of the cross-entropy", result);
  f("dropout", r.dropout, "the part of activations left out in training", result);
  f("average", r.average, "decay of a running average of the weights, which is then what is evaluated and kept; 0: none", result);
  f("adversarial", r.adversarial, "fgm or pgd: learn as well from embeddings moved where the loss grows; none", result);
  f("adversarial-epsilon", r.adversarial_epsilon, "how far a sample is moved, in units of its embedding", result);
  f("adversarial-steps", r.adversarial_steps, "pgd: steps in which it is moved", result);
  f("augment", r.augment, "labelled texts also in other words: deletion=P, swap=N, synonyms=FILE, synonym-rate=R, parted by commas", result);
  f("augment-command", r.augment_command, "a program that reads a text on each line and writes it in other words, as a translation there and back",
    result);
  f("augment-copies", r.augment_copies, "texts in other words for each text", result);
  f("augment-timeout", r.augment_timeout, "seconds that the program may take for all texts", outside);
  f("adapter", r.adapter,
    "what learns in place of the whole model: lora, ia3, prefix, bottleneck, bias, or the folder of an adapter that goes on learning", result);
  f("lora-rank", r.lora_rank, "lora: columns of its first matrix; 0: 8", result);
  f("lora-alpha", r.lora_alpha, "lora: what it adds is multiplied by alpha / rank; 0: twice the rank", result);
  f("lora-dropout", r.lora_dropout, "lora: the part of its inputs left out in training", result);
  f("prefix-tokens", r.prefix_tokens, "prefix: virtual tokens before each text; 0: 16", result);
  f("bottleneck-width", r.bottleneck_width, "bottleneck: values between its two matrices; 0: a quarter of the model's, at most 64", result);
  f("target-modules", r.target_modules, "modules to adapt, such as q_proj,v_proj, or all-linear; default: the usual ones of the method", result);
  f("modules-to-save", r.modules_to_save, "modules that learn as a whole beside the adapter and are stored with it; a new head always is", result);
  f("merge", r.merge, "also write the model with the adapter in its weights, into the folder 'merged' of the output", outside);
  f("precision", r.precision,
    "between a block's ops: f32, bf16, f16 (with a loss scale that adapts), adaptive (f16 where a block bears it), auto (the fastest here)", result);
  f("recompute", r.recompute, "forward values computed again instead of kept: none, selective, full; auto: what the memory asks for", result);
  f("seed", r.seed, "of new weights, of the data's order, of dropout, and of what is kept back or said in other words", result);
  f("eval-every", r.eval_every, "steps between evaluations; 0: ten times in a run", result);
  f("eval-batches", r.eval_batches, "micro-batches of an evaluation; 0: all of its data", result);
  f("save-every", r.save_every, "steps between checkpoints; 0: with each evaluation", result);
  f("save-limit", r.save_limit, "checkpoints kept, besides the best", outside);
  f("patience", r.patience, "evaluations in a row without a better one that end the run; 0: any number", result);
  f("log-every", r.log_every, "steps between lines of metrics.jsonl", outside);
  f("spike", r.spike, "standard deviations above the recent losses that make a step be skipped; 0: only a loss that is no number", result);
  f("device", r.device, "where to train (see: motley devices)", outside);
  f("threads", r.threads, "threads to compute with; 0: the physical cores that may be used", outside);
  f("memory", r.memory, "the most to take, such as 8GiB; default: what is free, less 1 GiB", outside);
  f("resume", r.resume, "auto: from the newest whole checkpoint of the output folder; none; or the path of one", outside);
}

// YAML, one field a line; only what is not empty.
std::string print(const TrainingRecipe& recipe);
TrainingRecipe parse_recipe(std::string_view text, std::string_view what);  // Error(usage) naming the line and the nearest key

// Error(usage) naming the first number that is out of its range, or is none.
void check_numbers(const TrainingRecipe& recipe);

// The index of a field's value among those it may have. Error(usage) with the nearest.
size_t choice_of(const char* field, const std::string& value, std::span<const std::string_view> among);

// One sentence for each field of role `result` that differs.
std::vector<std::string> differences(const TrainingRecipe& before, const TrainingRecipe& now);

}  // namespace motley

#include "api/tuning.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "nn/heads.h"

namespace motley {
namespace {

constexpr std::string_view kMethods[] = {"lora", "ia3", "prefix", "bottleneck", "bias"};  // in the order of AdapterMethod
constexpr int64_t kUsualRank = 8, kUsualTokens = 16, kWidest = 64;

std::vector<std::string> names_of(const std::string& list) {
  std::vector<std::string> out;
  for (std::string_view part : split(list, ','))
    if (std::string_view name = trim(part); !name.empty()) out.emplace_back(name);
  return out;
}

// A field that belongs to another method would be without effect.
void expect_own_fields(const TrainingRecipe& r, AdapterMethod method) {
  using enum AdapterMethod;
  const std::tuple<const char*, bool, AdapterMethod> fields[] = {{"--lora-rank", r.lora_rank != 0, lora},
                                                                 {"--lora-alpha", r.lora_alpha != 0, lora},
                                                                 {"--lora-dropout", r.lora_dropout != 0, lora},
                                                                 {"--prefix-tokens", r.prefix_tokens != 0, prefix},
                                                                 {"--bottleneck-width", r.bottleneck_width != 0, bottleneck}};
  for (auto [flag, given, of] : fields)
    if (given && of != method)
      fail(ErrorKind::usage, "adapter", "{} belongs to --adapter {}; this is {}", flag, kMethods[static_cast<size_t>(of)],
           kMethods[static_cast<size_t>(method)]);
  if (!r.target_modules.empty() && (method == prefix || method == bias))
    fail(ErrorKind::usage, "adapter", "--target-modules chooses where lora, ia3 and bottlenecks go; a {} has no such choice",
         kMethods[static_cast<size_t>(method)]);
}

Adapter new_adapter(const TrainingRecipe& r, AdapterMethod method, const ModelConfig& config) {
  for (auto [flag, value] :
       {std::tuple{"--lora-rank", r.lora_rank}, {"--prefix-tokens", r.prefix_tokens}, {"--bottleneck-width", r.bottleneck_width}})
    if (value < 0) fail(ErrorKind::usage, "adapter", "{} should be at least 0, not {}", flag, value);
  if (!(r.lora_dropout >= 0 && r.lora_dropout < 1))
    fail(ErrorKind::usage, "adapter", "--lora-dropout should be at least 0 and below 1, not {}", r.lora_dropout);
  Adapter a{.method = method, .targets = names_of(r.target_modules)};
  a.rank = r.lora_rank > 0 ? r.lora_rank : kUsualRank;
  a.alpha = r.lora_alpha != 0 ? r.lora_alpha : 2 * static_cast<double>(a.rank);
  a.dropout = static_cast<float>(r.lora_dropout);
  a.tokens = r.prefix_tokens > 0 ? r.prefix_tokens : kUsualTokens;
  a.width = r.bottleneck_width > 0 ? r.bottleneck_width : std::clamp<int64_t>(config.hidden / 4, 1, kWidest);
  return a;
}

Adapter adapter_before(const TrainingRecipe& r, const std::string& folder) {
  Adapter a = read_peft(folder).adapter;
  expect_own_fields(r, a.method);
  const bool asks = r.lora_rank != 0 || r.lora_alpha != 0 || r.prefix_tokens != 0 || r.bottleneck_width != 0 || !r.target_modules.empty() ||
                    !r.modules_to_save.empty();
  if (asks)
    fail(ErrorKind::usage, "adapter", "{} says itself what it adapts and how; leave out --lora-rank, --target-modules and the like to go on with it",
         folder);
  if (r.lora_dropout != 0) a.dropout = static_cast<float>(r.lora_dropout);
  return a;
}

// Modules that learn as a whole: those asked for, and with labels the last layer.
std::vector<std::string> saved_modules(const TrainingRecipe& r, const ModelConfig& config, const Graph& plain) {
  std::vector<std::string> all, asked = names_of(r.modules_to_save);
  for (const Node& n : plain.nodes) {
    if (!std::holds_alternative<State>(n.op)) continue;
    std::string module(module_of(n.name));
    const bool head = has_labels(config.task) && is_head(config, n.name);
    if ((head || names_module(asked, module)) && std::ranges::find(all, module) == all.end()) all.push_back(std::move(module));
  }
  for (const std::string& name : asked)
    if (std::ranges::none_of(all, [&](const std::string& module) { return names_module({name}, module); }))
      fail(ErrorKind::usage, "adapter", "--modules-to-save: this model has no module '{}'", printable(name));
  return all;
}

std::string words_of(const Adapter& a, const Graph& adapted) {
  const auto learns = adapter_learns(a, adapted);
  int64_t parameters = 0;
  for (const Node& n : adapted.nodes)
    if (std::holds_alternative<State>(n.op) && learns(n.name)) parameters += max_elements(n.out[0].shape);
  std::set<std::string> kinds;
  for (const std::string& t : a.targets) kinds.insert(t.substr(t.rfind('.') + 1));
  std::string where;
  for (const std::string& k : kinds) where += (where.empty() ? "" : ", ") + k;
  if (!where.empty()) where = fmt::format(" in {} modules ({})", a.targets.size(), where);
  std::string what(kMethods[static_cast<size_t>(a.method)]);
  if (a.method == AdapterMethod::lora) what += fmt::format(" of rank {}, alpha {:g}", a.rank, a.alpha);
  if (a.method == AdapterMethod::prefix) what += fmt::format(" of {} tokens", a.tokens);
  if (a.method == AdapterMethod::bottleneck) what += fmt::format(" of width {}", a.width);
  std::string saved;
  for (const std::string& m : a.saved_modules) saved += fmt::format("{}{}", saved.empty() ? ", and all of " : ", ", m);
  return fmt::format("{}{}{}: {} values learn", what, where, saved, parameters);
}

}  // namespace

std::optional<std::string> adapter_folder(const TrainingRecipe& recipe) {
  const bool method = std::ranges::find(kMethods, recipe.adapter) != std::end(kMethods);
  return !recipe.adapter.empty() && !method && folder_exists(recipe.adapter) ? std::optional(recipe.adapter) : std::nullopt;
}

AdapterMethod adapter_method(const TrainingRecipe& recipe, bool labelled) {
  const auto folder = adapter_folder(recipe);
  const AdapterMethod method =
      folder ? read_peft(*folder).adapter.method : static_cast<AdapterMethod>(choice_of("adapter", recipe.adapter, kMethods));
  expect_own_fields(recipe, method);
  if (recipe.merge) expect_mergeable(method, recipe.adapter);
  if (labelled && method == AdapterMethod::prefix)
    fail(ErrorKind::usage, "adapter", "a prefix goes before what a model continues; to learn labels choose lora, ia3, bottleneck or bias");
  return method;
}

bool Tuning::learns_whole(std::string_view state) const {
  const bool bias = adapter.method == AdapterMethod::bias || adapter.biases;
  return (bias && state.ends_with(".bias")) || names_module(adapter.saved_modules, module_of(state));
}

Tuning make_tuning(const TrainingRecipe& recipe, const ModelSource& source, const ModelConfig& config, const Graph& plain) {
  Tuning t;
  if (auto folder = adapter_folder(recipe)) {
    t.adapter = adapter_before(recipe, *folder);
    source.rewrite(plain);  // whether each value has its place
  } else {
    t.adapter = with_modules(new_adapter(recipe, adapter_method(recipe, has_labels(config.task)), config), plain);
    t.adapter.saved_modules = saved_modules(recipe, config, plain);
  }
  expect_storable(t.adapter, config);
  t.graph = adapt(plain, t.adapter);
  t.words = words_of(t.adapter, t.graph);
  return t;
}

std::set<std::string> write_tuned(const std::string& folder, const Tuning& tuning, const std::string& base_model, const ModelConfig& config,
                                  const std::function<Tensor(const std::string&)>& read) {
  const char* task = one_per_text(config.task)                   ? "SEQ_CLS"
                     : config.task == Task::token_classification ? "TOKEN_CLS"
                     : config.task == Task::question_answering   ? "QUESTION_ANS"
                     : config.task == Task::language_model       ? "CAUSAL_LM"
                                                                 : "FEATURE_EXTRACTION";
  write_peft(folder, tuning.graph, tuning.adapter, {.base_model = base_model, .task = task, .input_first = config.input_first, .config = &config},
             read);
  std::set<std::string> same;
  if (config.format != CheckpointFormat::hf) return same;  // rows may lie in another order there
  for (const Node& n : tuning.graph.nodes)
    if (std::holds_alternative<State>(n.op) && is_adapter_state(n.name)) same.insert(n.name);
  return same;
}

// Rates below those at which a small model gains most (tools/bench/adapters.py --rates), since larger ones bear less.
double usual_rate_factor(AdapterMethod method) {
  switch (method) {
    case AdapterMethod::lora:
    case AdapterMethod::bottleneck:
      return 1;
    case AdapterMethod::bias:
      return 3;
    case AdapterMethod::ia3:
      return 10;
    case AdapterMethod::prefix:
      return 30;
  }
  return 1;
}

}  // namespace motley

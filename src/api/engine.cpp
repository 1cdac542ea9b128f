#include "motley/engine.h"

#include "api/generate_text.h"
#include "api/generation_defaults.h"
#include "base/error.h"

namespace motley {

struct Engine::State {
  explicit State(OpenModel m) : model(std::move(m)), scheduler(*model.session) {}
  OpenModel model;
  Scheduler scheduler;

  const Tokenizer& tokenizer() const {
    if (!model.tokenizer) fail(ErrorKind::file, "engine", "{} has no tokenizer; use token ids", model.path);
    return *model.tokenizer;
  }
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(const std::string& model, const EngineOptions& options) {
  ModelOptions m;
  m.device = options.device;
  m.wishes.threads = options.threads;
  if (options.context > 0) m.plan.context = options.context;
  m.plan.kv_type = parse_dtype(options.kv_type);
  bool known = m.plan.kv_type &&
               (*m.plan.kv_type == Dtype::f32 || *m.plan.kv_type == Dtype::f16 || *m.plan.kv_type == Dtype::bf16 || *m.plan.kv_type == Dtype::q8_0);
  if (!known) fail(ErrorKind::usage, "engine", "kv_type should be f32, f16, bf16 or q8_0, not '{}'", options.kv_type);
  return Engine(std::make_unique<State>(open_model(model, m)));
}

std::vector<int32_t> Engine::tokenize(const std::string& text) const { return state_->tokenizer().encode(text); }
std::string Engine::detokenize(const std::vector<int32_t>& ids) const { return state_->tokenizer().decode(ids); }

Generation Engine::generate(const std::string& prompt, const GenerateOptions& options, const OnText& on_text) {
  return generate_from_ids(state_->tokenizer().encode(prompt, {.add_special = true, .parse_special = true}), options, on_text);
}

Generation Engine::generate_from_ids(const std::vector<int32_t>& prompt, const GenerateOptions& options, const OnText& on_text) {
  TextRequest r;
  r.prompt = prompt;
  r.max_tokens = options.max_tokens;
  r.sampling = default_sampling(*state_->model.checkpoint, state_->model.source.config);
  if (options.temperature) r.sampling.temperature = *options.temperature;
  if (options.top_p) r.sampling.top_p = *options.top_p;
  if (options.min_p) r.sampling.min_p = *options.min_p;
  if (options.top_k) r.sampling.top_k = *options.top_k;
  r.sampling.seed = options.seed;
  r.stop = options.stop;
  r.on_text = on_text;
  TextResult result = generate_text(state_->model, state_->scheduler, std::move(r));
  return {std::move(result.text), std::move(result.ids), std::move(result.finish_reason), result.decode_tokens_per_second};
}

}  // namespace motley

// motley eval MODEL --ppl FILE: perplexity of a text.
#include <fmt/core.h>

#include <algorithm>

#include "api/perplexity.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/progress.h"

namespace motley {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;

struct EvalFlags {
  ModelFlags model;
  std::string ppl;
  int64_t window = 512;
  double max_ppl = 0;
  bool json = false, quiet = false;
};

// A text's tokens: no special tokens but a BOS at its start where the tokenizer adds one.
std::vector<int32_t> text_tokens(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids = tokenizer.encode(text, {.add_special = false}), around = tokenizer.encode("", {.add_special = true});
  int32_t bos = tokenizer.special().bos;
  if (bos >= 0 && !around.empty() && around[0] == bos) ids.insert(ids.begin(), bos);
  return ids;
}

int eval(const EvalFlags& f) {
  if (f.ppl.empty()) fail(ErrorKind::usage, "eval", "say what to measure: --ppl FILE");
  std::string text = read_file(f.ppl, kMaxTextBytes);
  ModelOptions options = f.model.options();
  Progress loading("loading", !f.quiet);
  options.session.progress = loading.bytes();
  auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(resolve_model(f.model.model)));
  ModelConfig config = model_from_checkpoint(checkpoint).config;
  int64_t window = std::min(f.window, config.max_positions);
  if (!options.plan.context) options.plan.context = window;
  if (*options.plan.context < window) fail(ErrorKind::usage, "eval", "windows of --ctx {} do not fit a context of {}", window, *options.plan.context);
  if (!options.plan.kv_type) options.plan.kv_type = Dtype::f32;
  options.plan.rows = std::clamp<int64_t>((int64_t{1} << 24) / config.vocab, 1, window);
  OpenModel model = open_model(f.model.model, options);
  loading.done();
  if (!model.tokenizer) fail(ErrorKind::file, "eval", "{} has no tokenizer, so a text cannot be measured", model.path);
  Scheduler scheduler(*model.session);
  Progress progress("measuring", !f.quiet);
  Perplexity p = perplexity(scheduler, text_tokens(*model.tokenizer, text), window,
                            [&](double fraction, double ppl) { progress.show(fraction, fmt::format("perplexity {:.4f}", ppl)); });
  progress.done();
  if (f.json)
    fmt::print("{{\"ppl\":{:.9g},\"nll\":{:.9g},\"tokens\":{}}}\n", p.ppl, p.nll, p.tokens);
  else
    fmt::print("perplexity {:.4f} (nll {:.6f} per token, {} tokens scored in windows of {})\n", p.ppl, p.nll, p.tokens, window);
  if (f.max_ppl > 0 && !(p.ppl <= f.max_ppl)) fail(ErrorKind::quality, "eval", "perplexity {:.4f} is above the gate of {}", p.ppl, f.max_ppl);
  return 0;
}

}  // namespace

Body add_eval(CLI::App& app) {
  auto f = std::make_shared<EvalFlags>();
  f->model.add(app);
  app.add_option("--ppl", f->ppl, "a text file: its perplexity");
  app.add_option("--ctx", f->window, "tokens of a window")->check(CLI::Range(int64_t{2}, int64_t{1} << 40));
  app.add_option("--max-ppl", f->max_ppl, "a gate: exit code 7 when the perplexity is above it");
  app.add_flag("--json", f->json, "print one JSON object");
  app.add_flag("-q,--quiet", f->quiet, "show no progress");
  return [f] { return eval(*f); };
}

}  // namespace motley

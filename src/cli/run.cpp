// motley run MODEL -p TEXT: continues a text, or answers one that an encoder reads, such as with its translation; with --samples it writes many. Text
// goes to standard output as it is generated; what it took goes to standard error.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>

#include "api/generation_defaults.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/result_json.h"
#include "io/embedded_model.h"

namespace motley {
namespace {

constexpr uint64_t kMaxPromptBytes = 64 << 20;
constexpr int64_t kSampledTogether = 16;  // texts of --samples in a step, unless told otherwise

struct RunFlags {
  ModelFlags model;
  SamplingFlags sampling;
  BeamFlags beams;
  std::optional<std::string> prompt;
  std::string file, ids, logits, stop_ids;
  std::vector<std::string> stop;
  int64_t predict = -1, samples = 1;
  bool json = false, ignore_eos = false, quiet = false, no_special = false;
};

// Rows of logits of one step, at most: enough to keep the head busy, little enough for memory.
int64_t rows_for_all_positions(int64_t vocab) { return std::max<int64_t>(1, (int64_t{1} << 24) / vocab); }

std::vector<int32_t> read_prompt(const RunFlags& f, const OpenModel& model) {
  if (!f.ids.empty()) return parse_ids(f.ids, "--ids");
  std::string text;
  if (f.prompt) {
    text = *f.prompt;
  } else if (!f.file.empty()) {
    text = read_file(f.file, kMaxPromptBytes);
  } else if (!isatty(STDIN_FILENO)) {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  }
  if (!model.tokenizer)
    fail(ErrorKind::file, "run", "{} has no tokenizer (tokenizer.json, tokenizer.model, ...); give the prompt as --ids '[1,2,3]'", model.path);
  auto ids = model.tokenizer->encode(text, {.add_special = !f.no_special, .parse_special = true});
  if (ids.empty()) fail(ErrorKind::usage, "run", "the prompt is empty and this model starts no text of its own; give one with -p");
  return ids;
}

// The seeds of many texts: of text i, seed + i. A line between texts is what training reads as the end of one.
int run_samples(const RunFlags& f, OpenModel& model, const TextRequest& request) {
  Scheduler scheduler(*model.session);
  const auto start = std::chrono::steady_clock::now();
  std::vector<TextRequest> requests(static_cast<size_t>(f.samples), request);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].sampling.seed += i;
  Interrupt interrupt;
  Progress progress("writing", !f.quiet && isatty(STDOUT_FILENO) == 0);
  std::map<size_t, TextResult> early;  // finished before a text with a lower number: what is printed does not depend on the batch
  size_t next = 0;
  int64_t tokens = 0;
  bool broken = false;
  generate_texts(model, scheduler, std::move(requests), [&](size_t index, TextResult result) {
    early.emplace(index, std::move(result));
    for (auto at = early.find(next); at != early.end(); at = early.find(++next)) {
      const TextResult& r = at->second;
      tokens += static_cast<int64_t>(r.ids.size());
      const std::string text = f.json ? sample_json(model, request.sampling.seed + next, r) + "\n" : r.text + "\n<|endoftext|>\n";
      broken = broken || std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0;
      early.erase(at);
      progress.show(static_cast<double>(next + 1) / static_cast<double>(f.samples));
    }
    return !broken && !interrupt.asked();
  });
  progress.done();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!f.quiet)
    fmt::print(stderr, "[{}: {} texts, {} tokens at {:.1f} tok/s]\n", model.plan_name, next, tokens, static_cast<double>(tokens) / seconds);
  if (interrupt.asked()) return 130;
  return broken ? static_cast<int>(ErrorKind::runtime) : 0;
}

int run(const RunFlags& f) {
  ModelOptions options = f.model.options();
  if (f.samples > 1 && f.beams.count.value_or(1) > 1) fail(ErrorKind::usage, "run", "--beams finds one text, --samples draws many: use one of them");
  if (f.samples > 1 && !f.logits.empty()) fail(ErrorKind::usage, "run", "--logits is for one text, not for {} samples", f.samples);
  if (f.samples > 1 && f.model.sequences == 0) options.plan.sequences = std::min(f.samples, kSampledTogether);
  Progress progress("loading", !f.quiet && !f.json);
  options.session.progress = progress.bytes();
  BeamOptions beams;
  options.wish = [&](const Checkpoint& checkpoint, const ModelConfig& config, PlanWishes& plan) {
    beams = f.beams.options(default_beams(checkpoint, config), f.sampling);
    if (f.samples > 1) beams.count = 1;
    if (!f.logits.empty()) {
      if (beams.count > 1) fail(ErrorKind::usage, "run", "--logits stores those of one text: use --beams 1");
      plan.rows = rows_for_all_positions(config.vocab);
    }
    plan.sequences = std::max(plan.sequences.value_or(1), beams.count);
  };
  OpenModel model = open_model(f.model.model, options);
  progress.done();

  TextRequest request;
  request.prompt = read_prompt(f, model);
  request.max_tokens = f.predict;
  request.sampling = f.sampling.options(default_sampling(*model.checkpoint, model.source.config));
  request.beams = beams;
  request.stop = f.stop;
  if (!f.stop_ids.empty()) request.stop_ids = parse_ids(f.stop_ids, "--stop-ids");
  request.ignore_eos = f.ignore_eos;
  if (f.samples > 1) return run_samples(f, model, request);
  Scheduler scheduler(*model.session);
  std::optional<AtomicFile> logits;
  if (!f.logits.empty()) {
    logits.emplace(f.logits);
    request.on_logits = [&](int64_t, std::span<const float> row) { logits->write(std::as_bytes(row)); };
  }
  Interrupt interrupt;
  bool broken = false;
  request.on_text = [&](std::string_view text) {
    if (!f.json) broken = std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0;
    return !broken && !interrupt.asked();
  };
  std::vector<int32_t> prompt = request.prompt;
  TextResult result = generate_text(model, scheduler, std::move(request));
  if (logits) logits->commit();

  if (f.json) {
    fmt::print("{}\n", result_json(model, prompt, result));
  } else {
    if (!broken) fmt::print("\n");
    if (!model.tokenizer)
      for (size_t i = 0; i < result.ids.size(); ++i) fmt::print("{}{}", result.ids[i], i + 1 < result.ids.size() ? " " : "\n");
    if (!f.quiet)
      fmt::print(stderr, "[{}: {} prompt tokens at {:.1f} tok/s, {} generated at {:.1f} tok/s, {}]\n", model.plan_name, prompt.size(),
                 result.prefill_tokens_per_second, result.ids.size(), result.decode_tokens_per_second, result.finish_reason);
  }
  if (interrupt.asked()) return 130;
  return broken ? static_cast<int>(ErrorKind::runtime) : 0;
}

}  // namespace

Body add_run(CLI::App& app) {
  auto f = std::make_shared<RunFlags>();
  f->model.add(app);
  app.add_option("-p,--prompt", f->prompt, "the text to continue, or to translate (default: standard input; on a terminal: an empty text)");
  app.add_option("-f,--file", f->file, "a file with the text to continue");
  app.add_option("--ids", f->ids, "the prompt as token ids, a JSON array");
  app.add_option("-n,--predict,--max-tokens", f->predict, "tokens to generate; -1: until the model ends or the context is full")
      ->check(CLI::Range(int64_t{-1}, int64_t{1} << 40));
  app.add_option("--samples", f->samples, "texts to write, each drawn with a seed of its own: --seed, the next, and so on")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  app.add_option("--stop", f->stop, "a string that ends the text (may be given several times)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--stop-ids", f->stop_ids, "tokens that end the text as well, as a JSON array");
  app.add_flag("--ignore-eos", f->ignore_eos, "go on after the model's end token");
  app.add_flag("--no-special", f->no_special, "add no special tokens (such as BOS) to the prompt");
  app.add_option("--logits", f->logits, "store the logits of each position as raw float32 [positions, vocab]");
  app.add_flag("--json", f->json, "print one JSON object instead of the text (of samples: one on each line)");
  app.add_flag("-q,--quiet", f->quiet, "print nothing but the text");
  f->sampling.add(app);
  f->model.model = kEmbeddedModel;
  f->beams.add(app);
  return [f] { return run(*f); };
}

}  // namespace motley

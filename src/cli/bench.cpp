// motley bench: tokens per second of each phase, and how much of the machine's limit that is.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "api/benchmark.h"
#include "api/training_benchmark.h"
#include "api/write_shape.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/progress.h"
#include "nn/shapes.h"

namespace motley {
namespace {

struct BenchFlags {
  ModelFlags model;
  std::string shape, write;
  std::vector<int64_t> batches;
  int64_t prompt = 512, generate = 64, depth = 0, length = 256;
  int repeat = 5;
  bool train = false, bounds = false, json = false, quiet = false;
};

std::string join(const std::vector<std::string_view>& names) {
  std::string out;
  for (auto n : names) out += fmt::format("{}{}", out.empty() ? "" : ", ", n);
  return out;
}

ModelConfig known_shape(const std::string& name) {
  if (auto shape = find_shape(name)) return *shape;
  auto names = shape_names();
  auto meant = nearest(name, names);
  fail(ErrorKind::usage, "bench", "there is no shape '{}'{}; there are: {}", name, meant ? fmt::format(", did you mean '{}'?", *meant) : "",
       join(names));
}

ModelSource shape_source(const std::string& text, std::string& type) {
  auto colon = text.find(':');
  std::string name = text.substr(0, colon);
  type = colon == std::string::npos ? "q8_0" : text.substr(colon + 1);
  const ModelConfig shape = known_shape(name);
  auto recipe = find_recipe(type);
  if (!recipe) fail(ErrorKind::usage, "bench", "there is no type '{}'; there are: {}", type, join(recipe_names()));
  return random_model(name, shape, *recipe, 1);
}

// The type that holds most of a checkpoint's bytes.
std::string main_type(const Checkpoint& checkpoint) {
  std::map<std::string, uint64_t> bytes;
  for (const auto& t : checkpoint.tensors()) bytes[lower_ascii(t.type_name)] += t.stored_bytes;
  auto most = std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "" : most->first;
}

void print_head() {
  fmt::print("{:<18} {:<7} {:<8} {:>6} {:>5} {:>3}  {:>10}  {:>9}  {:>9}  {}\n", "model", "type", "phase", "tokens", "batch", "thr", "tok/s",
             "MB/token", "Mop/token", "of the limit");
}

void print_row(const Measurement& m) {
  fmt::print("{:<18} {:<7} {:<8} {:>6} {:>5} {:>3}  {:>10.2f}  {:>9.1f}  {:>9.1f}  {:.1f} % of {:.1f} G{}\n", m.model, m.type, m.phase, m.tokens,
             m.batch, m.threads, m.tok_s, m.bytes_per_token * 1e-6, m.flops_per_token * 1e-6, 100 * m.fraction_of_limit, m.limit * 1e-9,
             m.limit_name);
}

// A known shape, or the description of a model that need not have weights: a new one is what learns.
int bench_training(const BenchFlags& f) {
  const ModelOptions model = f.model.options();
  std::string name = f.shape;
  ModelConfig config;
  if (!f.shape.empty()) {
    if (auto colon = f.shape.find(':'); colon != std::string::npos && f.shape.substr(colon) != ":f32")
      fail(ErrorKind::usage, "bench", "what learns is f32, not {}; use --shape {}", f.shape.substr(colon + 1), f.shape.substr(0, colon));
    name = f.shape.substr(0, f.shape.find(':'));
    config = known_shape(name);
  } else {
    name = f.model.model;
    config = open_config(f.model.model);
  }
  TrainingBenchmarkOptions options{.device = f.model.device,
                                   .wishes = model.wishes,
                                   .skip = model.session.skip,
                                   .rows = 0,
                                   .length = std::min(f.length, config.longest_text()),
                                   .repeat = f.repeat};
  Progress progress("bench", !f.quiet);
  if (!f.json) print_head();
  for (int64_t rows : f.batches.empty() ? std::vector<int64_t>{4} : f.batches) {
    options.rows = rows;
    const Measurement m = benchmark_training(name, config, options, [&](const std::string& what) { progress.show(0, what); });
    progress.done();
    if (f.json) {
      fmt::print("{}\n", to_json(m));
      continue;
    }
    print_row(m);
    fmt::print("{:>52}{} MiB of states and working memory; the loss went from {:.4f} to {:.4f}\n", "", m.memory_bytes >> 20, m.losses.front(),
               m.losses.back());
  }
  return 0;
}

int bench(const BenchFlags& f) {
  if (f.train) return bench_training(f);
  ModelOptions model = f.model.options();
  ModelSource source;
  std::string type;
  if (!f.shape.empty()) {
    source = shape_source(f.shape, type);
  } else {
    auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(resolve_model(f.model.model)));
    if (!checkpoint->has_weights()) fail(ErrorKind::file, "bench", "{} has no weights; use --shape NAME[:TYPE] for random ones", checkpoint->path());
    source = model_source(checkpoint, model);
    type = main_type(*checkpoint);
  }
  Progress progress("bench", !f.quiet);
  if (!f.write.empty()) {
    if (f.shape.empty()) fail(ErrorKind::usage, "bench", "--write stores a --shape's random weights; a model is on disk already");
    write_shape(source, f.write, progress.bytes());
    progress.done();
    if (!f.quiet) fmt::print(stderr, "wrote {}\n", f.write);
    return 0;
  }
  BenchmarkOptions options;
  options.device = f.model.device;
  options.wishes = model.wishes;
  options.plan = model.plan;
  options.skip = model.session.skip;
  options.prompt = f.prompt, options.generate = f.generate, options.context = f.depth, options.batches = f.batches, options.repeat = f.repeat,
  options.bounds = f.bounds;
  auto measurements = benchmark(source, type, options, [&](const std::string& what) { progress.show(0, what); });
  progress.done();
  if (!f.json) print_head();
  for (const Measurement& m : measurements) {
    if (f.json) {
      fmt::print("{}\n", to_json(m));
      continue;
    }
    print_row(m);
    if (f.bounds)
      fmt::print("{:>52}{:.2f} tok/s without arithmetic, {:.2f} without loads; reached {:.1f} % of the lower\n", "", m.without_arithmetic,
                 m.without_loads, 100 * m.fraction_of_bound);
  }
  return 0;
}

}  // namespace

Body add_bench(CLI::App& app) {
  auto f = std::make_shared<BenchFlags>();
  f->model.add(app);
  app.add_option("--shape", f->shape, "a known model's shape with random weights, NAME[:TYPE], such as llama-3.2-1b:q8_0");
  app.add_option("--write", f->write, "store that shape as a GGUF file instead of measuring");
  app.add_option("-p,--prompt-tokens", f->prompt, "tokens of the prompt; 0 leaves prefill out")->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  app.add_option("-n,--predict", f->generate, "decode steps of a run; 0 leaves decode out")->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  app.add_option("--depth", f->depth, "tokens of context already there when decoding begins")->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  app.add_option("-b,--batch", f->batches, "also decode this many sequences together (a list: 4,8,16); with --train: rows of a step")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, int64_t{4096}));
  auto* train = app.add_flag("--train", f->train, "measure whole steps of training instead: forward, backward, clipping, AdamW, in f32");
  app.add_option("-l,--length", f->length, "tokens of a row in training")->check(CLI::Range(int64_t{1}, int64_t{1} << 20))->needs(train);
  app.add_option("-r,--repeat", f->repeat, "timed runs of each phase; the median counts")->check(CLI::Range(1, 1000));
  app.add_flag("--bounds", f->bounds, "also run without the arithmetic and without the loads: what bounds each phase")->excludes(train);
  app.add_flag("--json", f->json, "one JSON line per measurement");
  app.add_flag("-q,--quiet", f->quiet, "show no progress");
  return [f] { return bench(*f); };
}

}  // namespace motley

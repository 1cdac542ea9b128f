// motley quantize MODEL -t TYPE -o OUT.gguf, and motley convert MODEL -o OUT: a model written anew in other types, or in the other form.
#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "api/open_model.h"
#include "base/cores.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "compress/write_model.h"
#include "control/peft.h"

namespace motley {
namespace {

struct WriteFlags {
  std::string model, out, type, adapter;
  int threads = 0;
  bool pure = false, json = false, quiet = false, no_tokenizer = false;
};

struct Interrupted {};

std::string joined(const std::vector<std::string_view>& names) {
  std::string out;
  for (std::string_view n : names) out += (out.empty() ? "" : ", ") + std::string(n);
  return out;
}

Recipe named_recipe(const std::string& type, const std::vector<std::string_view>& names, bool pure) {
  const std::string lower = lower_ascii(type);
  if (std::ranges::find(names, lower) != names.end()) return *find_recipe(lower, pure);
  auto meant = nearest(lower, names);
  fail(ErrorKind::usage, "flags", "--type: there is no '{}'{}; there are: {}", printable(type),
       meant ? fmt::format(" (did you mean {}?)", *meant) : "", joined(names));
}

// "models--org--name" of the hub's cache is "name", whatever its snapshot is called.
std::string model_name(const std::string& model, const std::string& path) {
  if (path != model) return model.substr(model.rfind('/') + 1);
  std::filesystem::path p = std::filesystem::path(path).lexically_normal();
  if (!p.has_filename()) p = p.parent_path();
  return p.extension() == ".gguf" || p.extension() == ".safetensors" ? p.stem() : p.filename();
}

double mb(int64_t bytes) { return static_cast<double>(bytes) * 1e-6; }

void print_json(const WriteFlags& f, const WriteReport& r) {
  std::string types;
  for (const TypeReport& t : r.types)
    types += fmt::format("{}{{\"type\":\"{}\",\"tensors\":{},\"elements\":{},\"bytes\":{},\"rms_error\":{:.6g},\"relative_error\":{:.6g}}}",
                         types.empty() ? "" : ",", name(t.type), t.tensors, t.elements, t.bytes, t.loss.rms(), t.loss.relative());
  fmt::print("{{\"out\":{},\"source_bytes\":{},\"bytes\":{},\"elements\":{},\"bits_per_weight\":{:.4f},\"types\":[{}]}}\n",
             nlohmann::ordered_json(f.out).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), r.source_bytes, r.bytes,
             r.elements, r.bits_per_weight(), types);
}

void print_table(const WriteFlags& f, const WriteReport& r) {
  fmt::print("{:<6} {:>8} {:>14} {:>12} {:>10}  {}\n", "type", "tensors", "weights", "MB", "bits/weight", "RMS error (relative)");
  for (const TypeReport& t : r.types) {
    std::string error = t.loss.error2 > 0 ? fmt::format("{:.3g} ({:.3g} %)", t.loss.rms(), 100 * t.loss.relative()) : "none";
    fmt::print("{:<6} {:>8} {:>14} {:>12.2f} {:>11.2f}  {}\n", name(t.type), t.tensors, t.elements, mb(t.bytes),
               8.0 * static_cast<double>(t.bytes) / static_cast<double>(std::max<int64_t>(t.elements, 1)), error);
  }
  fmt::print("{}: {:.2f} MB of weights from {:.2f} MB ({:.1f} %), {:.2f} bits per weight\n", f.out, mb(r.bytes), mb(r.source_bytes),
             r.source_bytes > 0 ? 100.0 * static_cast<double>(r.bytes) / static_cast<double>(r.source_bytes) : 0, r.bits_per_weight());
}

int write(const WriteFlags& f, const char* what, const std::optional<Recipe>& recipe) {
  const std::string path = resolve_model(f.model);
  const Checkpoint checkpoint = Checkpoint::open(path);
  if (!checkpoint.has_weights()) fail(ErrorKind::file, what, "{} has a config.json but no weights", path);
  auto tokenizer = f.no_tokenizer ? nullptr : find_tokenizer(checkpoint);
  Interrupt interrupt(Interrupt::Signals::all);
  Progress progress(what, !f.quiet && !f.json);
  WriteOptions options{.recipe = recipe, .name = model_name(f.model, path), .threads = f.threads > 0 ? f.threads : default_threads()};
  if (!f.adapter.empty()) options.adapter = std::make_shared<const PeftAdapter>(read_peft(f.adapter));
  options.progress = [&, show = progress.bytes()](int64_t done, int64_t total) {
    if (interrupt.asked()) throw Interrupted{};
    show(done, total);
  };
  WriteReport report;
  try {
    report =
        f.out.ends_with(".gguf") ? write_gguf(checkpoint, tokenizer.get(), f.out, options) : write_hf(checkpoint, tokenizer.get(), f.out, options);
  } catch (const Interrupted&) {
    progress.done();
    fmt::print(stderr, "motley: interrupted; nothing was written\n");
    return 128 + SIGINT;
  }
  progress.done();
  for (const std::string& warning : report.warnings) fmt::print(stderr, "motley: {}\n", warning);
  if (f.json) {
    print_json(f, report);
  } else if (!f.quiet) {
    print_table(f, report);
  }
  return 0;
}

int quantize(const WriteFlags& f) {
  if (f.type.empty()) fail(ErrorKind::usage, "quantize", "say into which type: -t with one of {}", joined(recipe_names()));
  if (f.out.empty()) fail(ErrorKind::usage, "quantize", "say where to: -o OUT.gguf");
  if (!f.out.ends_with(".gguf")) fail(ErrorKind::usage, "quantize", "-o {}: quantised models are GGUF files, so the name should end in .gguf", f.out);
  return write(f, "quantize", named_recipe(f.type, recipe_names(), f.pure));
}

int convert(const WriteFlags& f) {
  if (f.out.empty()) fail(ErrorKind::usage, "convert", "say where to: -o OUT.gguf for a GGUF file, -o FOLDER for Hugging Face files");
  std::optional<Recipe> recipe;
  if (!f.type.empty()) recipe = named_recipe(f.type, {"f32", "f16", "bf16"}, false);
  return write(f, "convert", recipe);
}

void add_common(CLI::App& app, WriteFlags& f) {
  app.add_option("model,-m,--model", f.model, "a folder with config.json, a .gguf file, or org/name from the hub's cache");
  app.add_option("--threads", f.threads, "threads to pack with (default: the physical cores that may be used)")->check(CLI::Range(1, 4096));
  app.add_option("--adapter", f.adapter, "a folder with an adapter (adapter_config.json) to merge into the weights");
  app.add_flag("--no-tokenizer", f.no_tokenizer, "write the weights without the tokenizer");
  app.add_flag("--json", f.json, "print one JSON object");
  app.add_flag("-q,--quiet", f.quiet, "print nothing but errors and warnings");
}

}  // namespace

Body add_quantize(CLI::App& app) {
  auto f = std::make_shared<WriteFlags>();
  add_common(app, *f);
  app.add_option("-t,--type", f->type, "into which type: " + joined(recipe_names()));
  app.add_option("-o,--output", f->out, "the .gguf file to write");
  app.add_flag("--pure", f->pure, "every matrix in this type, none in a better one");
  return [f] { return quantize(*f); };
}

Body add_convert(CLI::App& app) {
  auto f = std::make_shared<WriteFlags>();
  add_common(app, *f);
  app.add_option("-t,--type", f->type, "f32, f16 or bf16 (default: as each weight is stored)");
  app.add_option("-o,--output", f->out, "a .gguf file, or a folder that is not there yet");
  return [f] { return convert(*f); };
}

}  // namespace motley

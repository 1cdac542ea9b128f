// motley embed MODEL -p TEXT: texts to vectors.
#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/reader_flags.h"

namespace motley {
namespace {

struct EmbedFlags {
  ReaderFlags reader;
  std::string pooling;
  bool normalise = false;
};

const char* pooling_name(Pooling pooling) {
  constexpr const char* kNames[] = {"mean", "first", "last", "pooler"};
  return kNames[static_cast<size_t>(pooling)];
}

ReaderOptions options_of(const EmbedFlags& f) {
  ReaderOptions o = f.reader.options();
  o.embed = true;
  if (f.normalise) o.normalise = true;
  for (Pooling p : {Pooling::mean, Pooling::first, Pooling::last, Pooling::pooler})
    if (f.pooling == pooling_name(p)) o.pooling = p;
  if (!f.pooling.empty() && !o.pooling) fail(ErrorKind::usage, "embed", "--pooling should be mean, first, last or pooler, not '{}'", f.pooling);
  return o;
}

int embed(const EmbedFlags& f) {
  const std::vector<TextItem> items = f.reader.items("embed", false);
  ReaderOptions options = options_of(f);
  Progress loading("loading", !f.reader.quiet);
  options.session.progress = loading.bytes();
  TextReader reader = open_reader(f.reader.model, options);
  loading.done();
  const auto start = std::chrono::steady_clock::now();
  const auto vectors = embed_texts(reader, items);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const ModelConfig& c = reader.config();
  std::string out;
  if (f.reader.json) {
    nlohmann::ordered_json json = {{"embeddings", vectors},
                                   {"dimensions", reader.session->width()},
                                   {"pooling", pooling_name(c.pooling)},
                                   {"normalised", c.normalise},
                                   {"timings", {{"load_s", reader.session->load_seconds()}, {"run_s", seconds}}}};
    out = json.dump() + "\n";
  } else {
    for (const auto& vector : vectors)
      for (size_t i = 0; i < vector.size(); ++i) out += fmt::format("{}{}", vector[i], i + 1 < vector.size() ? " " : "\n");
  }
  return write_output(out) ? 0 : static_cast<int>(ErrorKind::runtime);
}

}  // namespace

Body add_embed(CLI::App& app) {
  auto f = std::make_shared<EmbedFlags>();
  f->reader.add(app, "a file with a text on each line (default without -p: standard input)");
  app.add_option("--pooling", f->pooling, "what stands for a text: mean, first, last or pooler (default: what the model's files say, else mean)");
  app.add_flag("--normalise,--normalize", f->normalise, "vectors of length one, whatever the model's files say");
  return [f] { return embed(*f); };
}

}  // namespace motley

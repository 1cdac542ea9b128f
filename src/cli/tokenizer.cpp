// motley tokenizer train --data FILES --vocab N --out FOLDER: a vocabulary of one's own.
#include <fmt/core.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "io/dataset/read_texts.h"
#include "io/tokenizer/train_bpe.h"
#include "io/tokenizer/write_vocabulary.h"

namespace motley {
namespace {

struct TokenizerFlags {
  std::string what, vocabulary = "4096", out = "tokenizer";
  std::vector<std::string> special = {"<|endoftext|>"};
  int64_t least_count = 2;
  bool begin_of_text = false, json = false, quiet = false;
  DataOptions data;
};

struct Interrupted {};

void write_file(const std::filesystem::path& path, const std::string& content) {
  AtomicFile out(path.string());
  out.write(content);
  out.commit();
}

int train(const TokenizerFlags& f) {
  if (f.data.path.empty())
    fail(ErrorKind::usage, "tokenizer", "say what to learn from: --data FILE, a folder, or a pattern such as 'texts/*.txt.gz'");
  auto size = parse_size(f.vocabulary);
  if (!size) fail(ErrorKind::usage, "tokenizer", "--vocab should be a number of tokens such as 4096 or 32k, not '{}'", printable(f.vocabulary));
  const auto start = std::chrono::steady_clock::now();
  Interrupt interrupt(Interrupt::Signals::all);
  Progress progress("reading", !f.quiet && !f.json);
  WordCounts words;
  TextsRead read;
  try {
    read = read_texts(
        f.data, f.special.empty() ? "" : f.special[0], [&](std::string_view text) { words.add(text); },
        [&](int64_t done, int64_t total) {
          if (interrupt.asked()) throw Interrupted{};
          progress.show(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1);
        });
  } catch (const Interrupted&) {
    progress.done();
    fmt::print(stderr, "motley: interrupted; nothing was written\n");
    return 128 + SIGINT;
  }
  progress.done();
  for (const std::string& warning : read.warnings) fmt::print(stderr, "motley: {}\n", warning);
  auto tokenizer = train_bpe(words, {.vocabulary = *size, .special = f.special, .begin_of_text = f.begin_of_text, .least_count = f.least_count});
  const TokenizerFiles files = hf_tokenizer_files(*tokenizer);
  std::error_code error;
  std::filesystem::create_directories(f.out, error);
  if (error) fail(ErrorKind::runtime, "tokenizer", "cannot make the folder {}: {}", f.out, error.message());
  write_file(std::filesystem::path(f.out) / "tokenizer.json", files.tokenizer_json);
  write_file(std::filesystem::path(f.out) / "tokenizer_config.json", files.tokenizer_config_json);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (tokenizer->vocab_size() < *size)
    fmt::print(stderr, "motley: {} tokens, not {}: no other pair of them occurs {} times in these texts\n", tokenizer->vocab_size(), *size,
               f.least_count);
  if (f.json) {
    fmt::print("{{\"vocab_size\":{},\"bytes\":{},\"words\":{},\"seconds\":{:.3f}}}\n", tokenizer->vocab_size(), words.bytes(), words.counts().size(),
               seconds);
  } else if (!f.quiet) {
    fmt::print("{}/tokenizer.json: {} tokens from {} ({:.1f} MB, {} different words) in {:.1f} s\n", f.out, tokenizer->vocab_size(), read.description,
               static_cast<double>(words.bytes()) * 1e-6, words.counts().size(), seconds);
  }
  return 0;
}

}  // namespace

Body add_tokenizer(CLI::App& app) {
  auto f = std::make_shared<TokenizerFlags>();
  app.add_option("what", f->what, "train: learn a byte-level BPE vocabulary from texts")->required()->check(CLI::IsMember({"train"}));
  app.add_option("--data", f->data.path,
                 "texts to learn from: a file, a folder, or a pattern in quotes (.txt, .jsonl, .csv, ..., also .gz and .zst)");
  app.add_option("--vocab,--vocab-size", f->vocabulary, "tokens in all, such as 4096 or 32k")->capture_default_str();
  app.add_option("-o,--out,--output", f->out, "the folder to write tokenizer.json into")->capture_default_str();
  app.add_option("--special", f->special, "special tokens; the first ends texts")->delimiter(',')->capture_default_str();
  app.add_flag("--begin-of-text", f->begin_of_text, "put the first special token before each text, too");
  app.add_option("--min-count", f->least_count, "pairs that occur less often become no token")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--format", f->data.format,
                 "what the data are (default: found by looking): text, jsonl, alpaca, sharegpt, messages, csv, tsv, folders");
  app.add_option("--split", f->data.split, "where plain texts end: none, line, blank, or the words between them (default: found by looking)");
  app.add_option("--text-column", f->data.text_column, "the column of the text");
  app.add_flag("--json", f->json, "print one JSON object");
  app.add_flag("-q,--quiet", f->quiet, "print nothing but errors and warnings");
  return [f] { return train(*f); };
}

}  // namespace motley

// motley tokenize MODEL and motley detokenize MODEL: text to token ids and back, with nothing of a model but its tokenizer.
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/input.h"
#include "io/tokenizer/tokenizer.h"

namespace motley {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;
constexpr const char* kModelHelp =
    "a folder, a .gguf file, a tokenizer file (tokenizer.json, tokenizer.model, vocab.txt, ...) or org/name from the hub's cache";

struct TokenizeFlags {
  std::string model, file;
  bool json = false, no_special = false, parse_special = false, quiet = false;
};

struct DetokenizeFlags {
  std::string model, file, ids;
  bool skip_special = false;
};

std::shared_ptr<const Tokenizer> load(const std::string& model) {
  auto tokenizer = Tokenizer::load(resolve_model(model));
  for (const std::string& warning : tokenizer->warnings()) fmt::print(stderr, "motley: {}\n", warning);
  return tokenizer;
}

const char* kind(TokenType type) {
  switch (type) {
    case TokenType::unknown:
      return "unknown";
    case TokenType::control:
      return "control";
    case TokenType::user_defined:
      return "added";
    case TokenType::byte:
      return "byte";
    default:
      return "";
  }
}

// A line for each token: its id, what it stands for (a part of a character as \xNN) and, where it is no ordinary word, its kind.
std::string table(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string out;
  for (int32_t id : ids) {
    TokenType type = tokenizer.vocabulary().contains(id) ? tokenizer.vocabulary().type(id) : TokenType::undefined;
    std::string piece = type == TokenType::control ? std::string(tokenizer.token_text(id)) : tokenizer.token_bytes(id);
    std::string_view what = kind(type);
    out += fmt::format("{:>8}  '{}'{}{}\n", id, printable(piece), what.empty() ? "" : "  ", what);
  }
  return out;
}

int tokenize(const TokenizeFlags& f) {
  auto tokenizer = load(f.model);
  std::string text = read_input(f.file, "tokenize", kMaxTextBytes);
  auto ids = tokenizer->encode(text, {.add_special = !f.no_special, .parse_special = f.parse_special});
  if (f.json) return write_output(fmt::format("[{}]\n", fmt::join(ids, ","))) ? 0 : static_cast<int>(ErrorKind::runtime);
  bool written = write_output(table(*tokenizer, ids));
  if (!f.quiet) fmt::print(stderr, "{} tokens for {} bytes\n", ids.size(), text.size());
  return written ? 0 : static_cast<int>(ErrorKind::runtime);
}

int detokenize(const DetokenizeFlags& f) {
  auto tokenizer = load(f.model);
  const char* whose = f.file.empty() || f.file == "-" ? "standard input" : f.file.c_str();
  auto ids = f.ids.empty() ? parse_ids(read_input(f.file, "detokenize", kMaxTextBytes), whose) : parse_ids(f.ids, "--ids");
  auto beyond = std::ranges::find_if(ids, [&](int32_t id) { return id >= tokenizer->vocab_size(); });
  if (beyond != ids.end())
    fmt::print(stderr, "motley: id {} is beyond the {} tokens of the vocabulary and has no text\n", *beyond, tokenizer->vocab_size());
  return write_output(tokenizer->decode(ids, {.skip_special = f.skip_special})) ? 0 : static_cast<int>(ErrorKind::runtime);
}

}  // namespace

Body add_tokenize(CLI::App& app) {
  auto f = std::make_shared<TokenizeFlags>();
  app.add_option("model,-m,--model", f->model, kModelHelp);
  app.add_option("-f,--file", f->file, "the text (default: standard input)");
  app.add_flag("--no-special", f->no_special, "add no special tokens (BOS, [CLS], ...) around the text");
  app.add_flag("--parse-special", f->parse_special, "control tokens written in the text, such as <|im_end|>, are meant as such");
  app.add_flag("--json", f->json, "print a JSON array of ids");
  app.add_flag("-q,--quiet", f->quiet, "print nothing but the tokens");
  return [f] { return tokenize(*f); };
}

Body add_detokenize(CLI::App& app) {
  auto f = std::make_shared<DetokenizeFlags>();
  app.add_option("model,-m,--model", f->model, kModelHelp);
  app.add_option("-f,--file", f->file, "a file with a JSON array of ids (default: standard input)");
  app.add_option("--ids", f->ids, "the ids themselves, such as '[1,2,3]'");
  app.add_flag("--skip-special", f->skip_special, "control tokens leave no text");
  return [f] { return detokenize(*f); };
}

}  // namespace motley

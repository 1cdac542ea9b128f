// The command line: finds the subcommand, lets it read its flags, runs it, and turns errors into a sentence and an exit code.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <new>

#include "base/text.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "motley/error.h"

namespace motley {
namespace {

constexpr Command kCommands[] = {
    {"run", "continue a text", add_run},
    {"chat", "talk with a model on the terminal", add_chat},
    {"embed", "texts to vectors", add_embed},
    {"classify", "what a classifier, tagger or question answerer says of texts", add_classify},
    {"train", "let a model learn from data: a new one, or on from where one is", add_train},
    {"finetune", "the same for a model that has learned, with smaller steps", add_finetune},
    {"eval", "measure how well a model predicts a text", add_eval},
    {"bench", "measure tokens per second, and how much of the limit that is", add_bench},
    {"explain", "what the compiler makes of a model here, and why", add_explain},
    {"tokenize", "text to token ids", add_tokenize},
    {"detokenize", "token ids to text", add_detokenize},
    {"tokenizer", "learn a vocabulary from texts", add_tokenizer},
    {"template", "show the prompt that a chat template makes of messages", add_template},
    {"show", "what a model is, and what it needs", add_show},
    {"quantize", "write a model with smaller weights", add_quantize},
    {"convert", "between Hugging Face folders and GGUF files", add_convert},
    {"devices", "what there is to compute with, and how fast it is", add_devices},
};

int usage_error(std::string_view message) {
  fmt::print(stderr, "motley: {}\n", message);
  return static_cast<int>(ErrorKind::usage);
}

// The flag or command that was most likely meant by the first argument the parser could not place.
std::string suggestion(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (const std::string& a : arguments) {
    std::string_view word = std::string_view(a).substr(0, a.find('='));
    if (!word.starts_with("--")) continue;
    word.remove_prefix(2);
    std::vector<std::string_view> known;
    bool exact = false;
    for (const CLI::Option* o : app.get_options())
      for (const std::string& name : o->get_lnames()) known.push_back(name), exact = exact || name == word;
    if (exact) continue;
    if (auto meant = nearest(word, known)) return fmt::format("; did you mean --{}?", *meant);
  }
  return "";
}

std::string overview() {
  std::string out = "motley: one machine out of the hardware you have, for language models\n\nusage: motley COMMAND [MODEL] [FLAGS]\n\n";
  for (const Command& c : kCommands) out += fmt::format("  {:<11} {}\n", c.name, c.summary);
  return out + "\n'motley COMMAND --help' lists its flags. Try: motley run MODEL -p \"Once upon a time\"\n";
}

int dispatch(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    fmt::print(stderr, "{}", overview());
    return static_cast<int>(ErrorKind::usage);
  }
  if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    fmt::print("{}", overview());
    return 0;
  }
  if (arguments[0] == "--version" || arguments[0] == "version") {
    fmt::print("motley {}\n", MOTLEY_VERSION);
    return 0;
  }
  std::vector<std::string_view> names;
  for (const Command& c : kCommands) names.emplace_back(c.name);
  for (const Command& c : kCommands) {
    if (arguments[0] != c.name) continue;
    CLI::App app(c.summary, std::string("motley ") + c.name);
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    Body body = c.add(app);
    std::string config;
    app.add_option("--config", config, "a YAML file with flags as keys");
    arguments.erase(arguments.begin());
    auto all = with_defaults(app, arguments);
    std::vector<std::string> reversed(all.rbegin(), all.rend());
    try {
      app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
      fmt::print("{}", app.help());
      return 0;
    } catch (const CLI::ParseError& e) {
      return usage_error(fmt::format("{}{}\nSee: motley {} --help", e.what(), suggestion(app, all), c.name));
    }
    return body();
  }
  auto meant = nearest(arguments[0], names);
  return usage_error(
      fmt::format("there is no command '{}'{}\n\n{}", arguments[0], meant ? fmt::format("; did you mean '{}'?", *meant) : "", overview()));
}

}  // namespace
}  // namespace motley

int main(int argc, char** argv) {
  // A closed reader and a file at its largest are errors of write(), not deaths.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    int code = motley::dispatch(argc, argv);
    if (std::fflush(stdout) != 0 && code == 0) code = static_cast<int>(motley::ErrorKind::runtime);
    return code;
  } catch (const motley::Error& e) {
    std::fflush(stdout);
    fmt::print(stderr, "motley: {}\n", e.what());
    return static_cast<int>(e.kind());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "motley: [memory] the system gave no more memory; try a smaller --ctx-size or a smaller model\n");
    return static_cast<int>(motley::ErrorKind::no_fit);
  } catch (const std::exception& e) {
    fmt::print(stderr, "motley: [internal] {}; please report this\n", e.what());
    return static_cast<int>(motley::ErrorKind::runtime);
  }
}

// motley chat MODEL: a conversation on the terminal. Lines are edited as in a shell, answers stream, Ctrl-C stops an answer, and what was
// said before is not computed again (its pages of the KV cache are reused).
#include <editline/readline.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "api/generation_defaults.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "io/template/builtin_templates.h"
#include "io/template/chat_template.h"
#include "nn/families.h"

namespace motley {
namespace {

constexpr uint64_t kMaxTemplateBytes = 16 << 20;

struct ChatFlags {
  ModelFlags model;
  SamplingFlags sampling;
  std::string system, chat_template;
  std::vector<std::string> stop;
  int64_t predict = -1;
  bool quiet = false;
};

std::string template_source(const ChatFlags& f, const OpenModel& model) {
  if (f.chat_template.empty()) {
    if (auto text = model.tokenizer->chat_template()) return std::string(*text);
    std::string names;
    for (auto name : builtin_chat_template_names()) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    fail(ErrorKind::file, "chat",
         "{} has no chat template: it may not be made for conversations ('motley run' continues a text). To try anyway, choose one with "
         "--chat-template: {}",
         model.path, names);
  }
  if (auto text = builtin_chat_template(f.chat_template)) return std::string(*text);
  return read_file(f.chat_template, kMaxTemplateBytes);
}

// A line from the terminal, edited and kept in the history; from a pipe as it is. Nothing at the end of input.
std::optional<std::string> read_line() {
  if (!isatty(STDIN_FILENO)) {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  char* line = readline("> ");
  if (!line) return std::nullopt;
  std::string text = line;
  if (!trim(text).empty()) add_history(line);
  std::free(line);
  return text;
}

constexpr const char* kHelp = "/reset forgets the conversation, /system TEXT sets the instruction, /bye or Ctrl-D ends; Ctrl-C stops an answer\n";

class Conversation {
 public:
  Conversation(const ChatFlags& f, OpenModel& model)
      : f_(f),
        model_(model),
        scheduler_(*model.session),
        chat_(ChatTemplate::parse(template_source(f, model), {}, f.chat_template.empty() ? model.path : f.chat_template)),
        sampling_(f.sampling.options(default_sampling(*model.checkpoint, model.source.config))) {
    reset(f.system);
  }

  void reset(const std::string& system) {
    messages_ = nlohmann::ordered_json::array();
    if (!system.empty()) messages_.push_back({{"role", "system"}, {"content", system}});
  }

  void answer(const std::string& line) {
    messages_.push_back({{"role", "user"}, {"content", line}});
    ChatOptions options;
    options.add_generation_prompt = true;
    const auto& special = model_.tokenizer->special();
    if (special.bos >= 0) options.bos_token = std::string(model_.tokenizer->token_text(special.bos));
    if (special.eos >= 0) options.eos_token = std::string(model_.tokenizer->token_text(special.eos));
    TextRequest request;
    try {
      std::string prompt = chat_.render(messages_, options);
      request.prompt = prompt_ids(prompt, options.bos_token.value_or(""));
      request.max_tokens = f_.predict;
      request.sampling = sampling_;
      ++sampling_.seed;  // the next answer is drawn anew
      request.stop = f_.stop;
      Interrupt interrupt;
      request.on_text = [&](std::string_view text) {
        return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0 && !interrupt.asked();
      };
      TextResult r = generate_text(model_, scheduler_, std::move(request));
      fmt::print("\n");
      if (!f_.quiet)
        fmt::print(stderr, "[{} tokens at {:.1f} tok/s, {} of the prompt reused{}]\n", r.ids.size(), r.decode_tokens_per_second, r.reused_tokens,
                   r.finish_reason == "length" ? ", cut short" : "");
      messages_.push_back({{"role", "assistant"}, {"content", r.text}});
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::usage) throw;
      messages_.erase(messages_.size() - 1);  // the conversation stays as it was
      fmt::print(stderr, "{}\n", e.what());
    }
  }

 private:
  // A template writes BOS itself when the model wants one; the tokenizer must not add a second.
  std::vector<int32_t> prompt_ids(const std::string& prompt, const std::string& bos) const {
    bool has_bos = !bos.empty() && prompt.starts_with(bos);
    return model_.tokenizer->encode(prompt, {.add_special = !has_bos, .parse_special = true});
  }

  const ChatFlags& f_;
  OpenModel& model_;
  Scheduler scheduler_;
  ChatTemplate chat_;
  SamplerOptions sampling_;
  nlohmann::ordered_json messages_;
};

int chat(const ChatFlags& f) {
  ModelOptions options = f.model.options();
  Progress progress("loading", !f.quiet);
  options.session.progress = progress.bytes();
  OpenModel model = open_model(f.model.model, options);
  if (reads_sources(model.source.config))
    fail(ErrorKind::usage, "chat", "{} reads a text and answers it, without a conversation: see 'motley run'", model.path);
  progress.done();
  if (!model.tokenizer) fail(ErrorKind::file, "chat", "{} has no tokenizer", model.path);
  Conversation conversation(f, model);
  if (isatty(STDIN_FILENO)) fmt::print(stderr, "{}", kHelp);
  while (auto line = read_line()) {
    std::string_view text = trim(*line);
    if (text.empty()) continue;
    if (text == "/bye" || text == "/exit") break;
    if (text == "/help")
      fmt::print(stderr, "{}", kHelp);
    else if (text == "/reset")
      conversation.reset(f.system);
    else if (text.starts_with("/system "))
      conversation.reset(std::string(trim(text.substr(8))));
    else if (text.starts_with('/') && text.find(' ') == text.npos && text.size() < 12)
      fmt::print(stderr, "there is no command {}; {}", text, kHelp);
    else
      conversation.answer(std::string(text));
  }
  return 0;
}

}  // namespace

Body add_chat(CLI::App& app) {
  auto f = std::make_shared<ChatFlags>();
  f->model.add(app);
  app.add_option("--system", f->system, "an instruction before the conversation");
  app.add_option("--chat-template", f->chat_template, "a built-in template by name, or a .jinja file (default: the model's own)");
  app.add_option("-n,--predict,--max-tokens", f->predict, "tokens of an answer at most; -1: until the model ends it")
      ->check(CLI::Range(int64_t{-1}, int64_t{1} << 40));
  app.add_option("--stop", f->stop, "a string that ends an answer (may be given several times)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("-q,--quiet", f->quiet, "print nothing but the answers");
  f->sampling.add(app);
  return [f] { return chat(*f); };
}

}  // namespace motley

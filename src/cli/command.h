// A subcommand: it adds its flags to the parser and returns what to do once they are read. One file per subcommand, one line in main.cpp.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

namespace motley {

// Runs the command; its value is the program's exit code. Errors are thrown.
using Body = std::function<int()>;

struct Command {
  const char* name;
  const char* summary;
  Body (*add)(CLI::App& app);
};

Body add_run(CLI::App& app);
Body add_chat(CLI::App& app);
Body add_embed(CLI::App& app);
Body add_classify(CLI::App& app);
Body add_eval(CLI::App& app);
Body add_explain(CLI::App& app);
Body add_bench(CLI::App& app);
Body add_tokenize(CLI::App& app);
Body add_detokenize(CLI::App& app);
Body add_tokenizer(CLI::App& app);
Body add_template(CLI::App& app);
Body add_show(CLI::App& app);
Body add_devices(CLI::App& app);
Body add_quantize(CLI::App& app);
Body add_convert(CLI::App& app);
Body add_train(CLI::App& app);
Body add_finetune(CLI::App& app);

}  // namespace motley

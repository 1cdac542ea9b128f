// The flags of the commands that read texts whole: the model, where it runs, and the texts.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "api/encode_text.h"

namespace motley {

struct ReaderFlags {
  std::string model, device = "cpu", tokenizer, adapter, file;
  std::vector<std::string> prompts;
  int threads = 0;
  bool json = false, quiet = false;

  void add(CLI::App& app, const char* file_help);
  ReaderOptions options() const;
  // The texts of -p, or the lines of --file or of standard input; with `pairs`, a tab parts a line's two texts. Error(usage) without any.
  std::vector<TextItem> items(const char* command, bool pairs) const;
};

}  // namespace motley

#include "cli/reader_flags.h"

#include <unistd.h>

#include "base/error.h"
#include "cli/input.h"

namespace motley {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;

}  // namespace

void ReaderFlags::add(CLI::App& app, const char* file_help) {
  app.add_option("model,-m,--model", model, "a folder with config.json, or org/name from the hub's cache");
  app.add_option("-p,--prompt,--text", prompts, "a text (may be given several times)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("-f,--file", file, file_help);
  app.add_option("-t,--threads", threads, "threads to compute with (default: the physical cores that may be used)")->check(CLI::Range(1, 4096));
  app.add_option("--devices,--device", device, "the device to run on (see: motley devices)");
  app.add_option("--tokenizer", tokenizer, "a tokenizer file, or a model with one, in place of the model's own");
  app.add_option("--adapter", adapter, "a folder with an adapter (adapter_config.json) to run beside the model's weights");
  app.add_flag("--json", json, "print one JSON object");
  app.add_flag("-q,--quiet", quiet, "show no progress and no remarks");
}

ReaderOptions ReaderFlags::options() const {
  ReaderOptions o;
  o.device = device;
  o.tokenizer = tokenizer;
  o.adapter = adapter;
  o.wishes.threads = threads;
  return o;
}

std::vector<TextItem> ReaderFlags::items(const char* command, bool pairs) const {
  std::vector<TextItem> out;
  for (const std::string& text : prompts) out.push_back({text, std::nullopt});
  if (!out.empty()) return out;
  if (file.empty() && isatty(STDIN_FILENO)) fail(ErrorKind::usage, command, "give a text with -p, or a file with one on each line with --file");
  const std::string all = read_input(file, command, kMaxTextBytes);
  for (size_t begin = 0; begin < all.size();) {
    size_t end = all.find('\n', begin);
    if (end == std::string::npos) end = all.size();
    std::string line = all.substr(begin, end - begin);
    begin = end + 1;
    if (line.ends_with('\r')) line.pop_back();
    const size_t tab = pairs ? line.find('\t') : std::string::npos;
    if (tab == std::string::npos) {
      out.push_back({std::move(line), std::nullopt});
    } else {
      out.push_back({line.substr(0, tab), line.substr(tab + 1)});
    }
  }
  if (out.empty()) fail(ErrorKind::usage, command, "there is no text to read");
  return out;
}

}  // namespace motley

// Which reader a path needs, told from its name and its first bytes.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/embedded_model.h"
#include "io/gguf.h"
#include "io/tokenizer/companions.h"
#include "io/tokenizer/loaders.h"

namespace motley {
namespace {

using namespace tok;
constexpr uint64_t kMaxFile = 256 << 20;

std::shared_ptr<const Tokenizer> made(std::unique_ptr<Pipeline> pipeline) { return std::make_shared<Tokenizer>(std::move(pipeline)); }

// A line of base64, a space and a number: tiktoken's form, also under the name tokenizer.model.
bool looks_like_tiktoken(std::string_view bytes) {
  std::string_view line = bytes.substr(0, bytes.find('\n'));
  size_t space = line.find(' ');
  return space != line.npos && space > 0 && space < 2048 && parse_int(trim(line.substr(space + 1))).has_value() &&
         line.substr(0, space).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == line.npos;
}

std::unique_ptr<Pipeline> read_model_file(const std::string& path, const Companions& companions) {
  std::string bytes = read_file(path, kMaxFile);
  return looks_like_tiktoken(bytes) ? read_tiktoken(bytes, path, companions) : read_sentencepiece(bytes, path, companions);
}

std::unique_ptr<Pipeline> read_file_of_kind(const std::string& path, const Companions& companions) {
  const std::string name = std::filesystem::path(path).filename().string(), folder = std::filesystem::path(path).parent_path().string();
  if (name.ends_with(".gguf")) return read_gguf(GgufFile::open(path));
  if (name == "vocab.json" || name == "merges.txt") {
    std::string beside = (folder.empty() ? "." : folder) + "/";
    return read_vocab_and_merges(read_file(beside + "vocab.json", kMaxFile), read_file(beside + "merges.txt", kMaxFile), beside + "vocab.json",
                                 companions);
  }
  if (name.ends_with(".json")) return read_tokenizer_json(read_file(path, kMaxFile), path, companions);
  if (name.ends_with(".txt")) return read_vocab_txt(read_file(path, kMaxFile), path, companions);
  if (name.ends_with(".bin")) return read_llama2c(read_file(path, kMaxFile), path);
  if (name.ends_with(".tiktoken")) return read_tiktoken(read_file(path, kMaxFile), path, companions);
  if (name.ends_with(".model") || name.ends_with(".spm")) return read_model_file(path, companions);
  fail(ErrorKind::file, "tokenizer", "{}: expected tokenizer.json, tokenizer.model, vocab.json, vocab.txt, *.tiktoken, tokenizer.bin or *.gguf",
       path);
}

std::vector<std::string> files_with_suffix(const std::string& folder, std::string_view suffix) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().filename().string().ends_with(suffix)) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::unique_ptr<Pipeline> read_folder(const std::string& folder) {
  Companions companions = read_companions(folder);
  const std::string json = folder + "/tokenizer.json", model = folder + "/tokenizer.model";
  if (file_exists(json)) {
    if (!file_exists(model)) return read_file_of_kind(json, companions);
    try {
      return read_file_of_kind(json, companions);
    } catch (const Error& e) {
      // Two files say the same; that one of them is damaged need not stop anybody.
      if (e.kind() != ErrorKind::file) throw;
      auto pipeline = read_file_of_kind(model, companions);
      pipeline->warnings.push_back(fmt::format("tokenizer.json was not used, tokenizer.model was: {}", e.what()));
      return pipeline;
    }
  }
  if (file_exists(model)) return read_file_of_kind(model, companions);
  if (file_exists(folder + "/spiece.model")) return read_file_of_kind(folder + "/spiece.model", companions);
  if (file_exists(folder + "/vocab.json") && file_exists(folder + "/merges.txt")) return read_file_of_kind(folder + "/vocab.json", companions);
  if (file_exists(folder + "/vocab.txt")) return read_file_of_kind(folder + "/vocab.txt", companions);
  for (std::string_view suffix : {".tiktoken", ".tiktoken.model", ".gguf"}) {
    auto files = files_with_suffix(folder, suffix);
    if (files.size() == 1) return read_file_of_kind(files[0], companions);
    if (files.size() > 1) fail(ErrorKind::file, "tokenizer", "{} has {} files *{}; name the one to use", folder, files.size(), suffix);
  }
  fail(ErrorKind::file, "tokenizer",
       "{} has no tokenizer: expected tokenizer.json, tokenizer.model, vocab.json with merges.txt or source.spm, or vocab.txt", folder);
}

// A tokenizer.json beside these files is somebody's conversion: Marian's own tokenizer is none that it can describe.
std::shared_ptr<const Tokenizer> load_marian(const std::string& folder) {
  const Companions companions = read_companions(folder);
  const std::string path = folder + "/vocab.json", vocab = read_file(path, kMaxFile);
  if (file_exists(folder + "/target_vocab.json"))
    fail(ErrorKind::file, "tokenizer", "{}/target_vocab.json: translations have ids of their own, expected one vocab.json for both languages",
         folder);
  auto side = [&](const char* file) {
    const std::string pieces = fmt::format("{}/{}", folder, file);
    return read_marian(read_file(pieces, kMaxFile), pieces, vocab, path, companions);
  };
  return std::make_shared<Tokenizer>(side("source.spm"), made(side("target.spm")));
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::string& path) {
  if (folder_exists(path)) return file_exists(path + "/source.spm") ? load_marian(path) : made(read_folder(path));
  if (std::optional<GgufFile> embedded = open_embedded(path)) return from_gguf(*embedded);
  if (!file_exists(path)) fail(ErrorKind::file, "tokenizer", "{} does not exist", path);
  std::string folder = std::filesystem::path(path).parent_path().string();
  return made(read_file_of_kind(path, path.ends_with(".gguf") ? Companions{} : read_companions(folder.empty() ? "." : folder)));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_tokenizer_json(std::string_view text, const std::string& name) {
  return made(read_tokenizer_json(text, name, {}));
}
std::shared_ptr<const Tokenizer> Tokenizer::from_gguf(const GgufFile& file) { return made(read_gguf(file)); }
std::shared_ptr<const Tokenizer> Tokenizer::from_sentencepiece(std::string_view bytes, const std::string& name) {
  return made(read_sentencepiece(bytes, name, {}));
}
std::shared_ptr<const Tokenizer> Tokenizer::from_vocab_txt(std::string_view text, const std::string& name) {
  return made(read_vocab_txt(text, name, {}));
}

}  // namespace motley

#include "io/sentence_modules.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/json.h"

namespace motley {
namespace {

constexpr uint64_t kMaxBytes = 1 << 20;
constexpr int64_t kMaxTokens = int64_t{1} << 30;

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kPoolingKey = "pooling_mode_";
// What a way of pooling is called here and there.
constexpr std::pair<std::string_view, std::string_view> kPoolings[] = {{"cls", "cls_token"}, {"mean", "mean_tokens"}, {"lasttoken", "lasttoken"}};

std::string last_word(const std::string& type) { return type.substr(type.rfind('.') + 1); }

// f(type without its module, path) for each step.
template <class F>
void for_steps(const std::string& text, const std::string& what, F&& f) {
  const Json list = parse_json(text, what);
  if (!list.is_array()) fail(ErrorKind::file, "sentence", "{}: expected a list of steps, got {}", what, list.type_name());
  for (const Json& step : list) {
    if (!step.is_object()) fail(ErrorKind::file, "sentence", "{}: a step should be an object, got {}", what, step.type_name());
    f(last_word(json_string(step, "type", what)), json_find_string(step, "path", what).value_or(""));
  }
}

std::string read_pooling(const std::string& text, const std::string& what) {
  if (text.empty()) return "mean";
  const Json config = parse_json(text, what);
  if (!config.is_object()) fail(ErrorKind::file, "sentence", "{}: expected an object, got {}", what, config.type_name());
  std::string mode;
  for (const auto& [key, value] : config.items()) {
    if (!key.starts_with(kPoolingKey) || value != true) continue;
    if (!mode.empty()) fail(ErrorKind::file, "sentence", "{}: it joins several ways of pooling, of which one is supported at a time", what);
    mode = key.substr(kPoolingKey.size());
  }
  if (auto named = json_find_string(config, "pooling_mode", what); named && mode.empty()) mode = *named;
  bool known = false;
  for (const auto& [ours, theirs] : kPoolings)
    if (mode == theirs || mode == ours) mode = ours, known = true;
  if (!known)
    fail(ErrorKind::file, "sentence", "{}: pools by '{}', which is not supported; supported are mean_tokens, cls_token and lasttoken", what,
         printable(mode));
  return mode;
}

}  // namespace

std::string pooling_folder(const std::string& modules, const std::string& what) {
  std::string folder;
  for_steps(modules, what, [&](const std::string& type, const std::string& path) {
    if (type == "Pooling") folder = path;
  });
  for (char c : folder) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    if (!plain) fail(ErrorKind::file, "sentence", "{}: the folder '{}' of a step is not a plain name", what, printable(folder));
  }
  return folder;
}

SentenceModules parse_sentence_modules(const SentenceFiles& files, const std::string& what) {
  SentenceModules s;
  for_steps(files.modules, what + "/modules.json", [&](const std::string& type, const std::string&) {
    if (type == "Normalize") s.normalise = true;
    if (type != "Transformer" && type != "Pooling" && type != "Normalize")
      fail(ErrorKind::file, "sentence", "{}/modules.json: the step '{}' is not supported; supported are Transformer, Pooling and Normalize", what,
           printable(type));
  });
  s.pooling = read_pooling(files.pooling, what + ": the pooling step's config.json");
  if (files.transformer.empty()) return s;
  const std::string name = what + "/sentence_bert_config.json";
  const Json config = parse_json(files.transformer, name);
  if (!config.is_object()) fail(ErrorKind::file, "sentence", "{}: expected an object, got {}", name, config.type_name());
  s.max_tokens = json_find_int(config, "max_seq_length", name).value_or(0);
  if (s.max_tokens < 0 || s.max_tokens > kMaxTokens)
    fail(ErrorKind::file, "sentence", "{}: 'max_seq_length' is {}, expected a number from 1 to {}", name, s.max_tokens, kMaxTokens);
  return s;
}

std::vector<std::pair<std::string, std::string>> print_sentence_modules(const SentenceModules& modules, int64_t width) {
  OrderedJson steps = OrderedJson::array();
  auto step = [&](const char* path, const char* type) {
    steps.push_back({{"idx", steps.size()},
                     {"name", std::to_string(steps.size())},
                     {"path", path},
                     {"type", fmt::format("sentence_transformers.models.{}", type)}});
  };
  step("", "Transformer");
  step("1_Pooling", "Pooling");
  if (modules.normalise) step("2_Normalize", "Normalize");
  OrderedJson pooling = {{"word_embedding_dimension", width}};
  for (const auto& [mode, name] : kPoolings) pooling[fmt::format("{}{}", kPoolingKey, name)] = modules.pooling == mode;
  OrderedJson transformer = {{"max_seq_length", modules.max_tokens > 0 ? OrderedJson(modules.max_tokens) : OrderedJson(nullptr)},
                             {"do_lower_case", false}};
  auto text = [](const OrderedJson& json) { return json.dump(2) + "\n"; };
  return {{"modules.json", text(steps)}, {"1_Pooling/config.json", text(pooling)}, {"sentence_bert_config.json", text(transformer)}};
}

std::optional<SentenceModules> read_sentence_modules(const std::string& folder) {
  const std::string modules = folder + "/modules.json";
  if (!file_exists(modules)) return std::nullopt;
  auto read = [](const std::string& path) { return file_exists(path) ? read_file(path, kMaxBytes) : std::string(); };
  SentenceFiles files{.modules = read(modules), .pooling = {}, .transformer = read(folder + "/sentence_bert_config.json")};
  const std::string pooling = pooling_folder(files.modules, modules);
  if (!pooling.empty()) files.pooling = read(fmt::format("{}/{}/config.json", folder, pooling));
  return parse_sentence_modules(files, folder);
}

}  // namespace motley

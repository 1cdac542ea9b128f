#include "nn/families.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "nn/families_list.h"
#include "nn/heads.h"
#include "nn/other_architectures.h"

namespace motley {
namespace {

constexpr const Family* kFamilies[] = {&kLlama,      &kMistral, &kMixtral, &kQwen2,   &kQwen3,   &kQwen3Moe, &kGemma,
                                       &kGemma2,     &kGemma3,  &kPhi3,    &kGpt2,    &kGptNeoX, &kBert,     &kRoberta,
                                       &kDistilBert, &kTextRnn, &kTextCnn, &kTextMlp, &kT5,      &kBart,     &kMarian};

[[noreturn]] void refuse(std::string_view what, std::string_view key, std::string_view architecture, const std::vector<std::string_view>& known) {
  std::string list;
  for (std::string_view name : known) list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
  if (const OtherArchitecture* other = find_other_architecture(architecture))
    fail(ErrorKind::file, "config", "{}: {} is '{}', which is not supported: {} (the nearest is '{}'); supported are {}", what, key,
         printable(architecture), other->because, other->nearest, list);
  auto close = nearest(architecture, known);
  fail(ErrorKind::file, "config", "{}: {} is '{}', which is not supported{}; supported are {}", what, key, printable(architecture),
       close ? fmt::format(" (the nearest is '{}')", *close) : "", list);
}

}  // namespace

std::span<const Family* const> families() { return kFamilies; }

const Family* find_family(std::string_view name) {
  for (const Family* family : kFamilies)
    if (family->name == name) return family;
  return nullptr;
}

const Family& family_of(const ModelConfig& config) {
  const Family* family = find_family(config.family);
  if (!family) fail(ErrorKind::usage, "model", "no family is called '{}'", printable(config.family));
  return *family;
}

const Family& find_hf_family(std::string_view model_type, std::string_view architecture, const std::string& what) {
  std::vector<std::string_view> types, architectures;
  for (const Family* family : kFamilies) {
    for (std::string_view type : family->model_types) {
      if (type == model_type) return *family;
      types.push_back(type);
    }
    architectures.push_back(family->architecture);
    if (model_type.empty() && architecture_stem(family->architecture) == architecture_stem(architecture)) return *family;
  }
  if (model_type.empty()) refuse(what, "the entry of 'architectures'", architecture, architectures);
  refuse(what, "'model_type'", model_type, types);
}

const Family& find_gguf_family(std::string_view architecture, bool has_experts, const std::string& what) {
  std::vector<std::string_view> known;
  if (architecture == kMixtral.gguf && has_experts) return kMixtral;
  for (const Family* family : kFamilies) {
    if (family->gguf.empty()) continue;
    if (family->gguf == architecture) return *family;
    if (known.empty() || known.back() != family->gguf) known.push_back(family->gguf);
  }
  refuse(what, "'general.architecture'", architecture, known);
}

void build_model(Builder& b, const ModelConfig& config) { family_of(config).build(b, config); }

void build_source_reader(Builder& b, const ModelConfig& config) { family_of(config).read_source(b, config); }

bool reads_sources(const ModelConfig& config) { return family_of(config).read_source != nullptr; }

BuildMode run_mode(const ModelConfig& config) { return config.task == Task::language_model ? BuildMode::serve : BuildMode::embed; }

std::vector<int64_t> hf_windows(const ConfigSource& source, const ModelConfig& c, int64_t window, const std::function<bool(int64_t)>& slides) {
  std::vector<int64_t> windows;
  auto types = source.find_strings("layer_types");
  if (types && static_cast<int64_t>(types->size()) != c.layers)
    source.refuse("layer_types", fmt::format("a list of {}", types->size()), fmt::format("one entry for each of the {} layers", c.layers));
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    bool sliding = types ? false : slides(layer);
    if (types) {
      const std::string& type = (*types)[static_cast<size_t>(layer)];
      sliding = type == "sliding_attention";
      if (!sliding && type != "full_attention") source.refuse("layer_types", type, "full_attention or sliding_attention in every layer");
    }
    windows.push_back(sliding ? window : 0);
  }
  return windows;
}

bool has_windows(const ModelConfig& c) {
  return std::any_of(c.windows.begin(), c.windows.end(), [](int64_t w) { return w > 0; });
}
bool has_mixed_windows(const ModelConfig& c) {
  return has_windows(c) && std::any_of(c.windows.begin(), c.windows.end(), [](int64_t w) { return w == 0; });
}

void hf_write_windows(const ModelConfig& c, bool by_layer, ConfigSink& sink) {
  const int64_t window = *std::max_element(c.windows.begin(), c.windows.end());
  sink.set("sliding_window", window > 0 ? ConfigValue(window) : ConfigValue(nullptr));
  if (!by_layer) return;
  std::vector<std::string> types;
  for (int64_t w : c.windows) types.emplace_back(w > 0 ? "sliding_attention" : "full_attention");
  sink.set("layer_types", types);
}

}  // namespace motley

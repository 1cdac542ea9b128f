// adapter_config.json and adapter_model.safetensors to an Adapter. What is adapted is read off the tensors' names and shapes, not off the
// configuration's patterns, which may be regular expressions; the configuration says what no shape shows.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/peft.h"
#include "io/json.h"
#include "quant/format.h"

namespace motley {
namespace {

constexpr uint64_t kMaxConfigBytes = 16 << 20;
constexpr int64_t kMaxRank = 1 << 16, kMaxTokens = 1 << 20;
constexpr std::string_view kA = ".lora_A.weight", kB = ".lora_B.weight", kIa3 = ".ia3_l", kBaseLayer = ".base_layer";

// A tensor's values as f32.
Tensor floats_of(const SafetensorsFile& file, const SafetensorsTensor& t) {
  auto dtype = t.dtype();
  if (!dtype || !is_float(*dtype) || *dtype == Dtype::f64 || t.shape.empty())
    fail(ErrorKind::file, "adapter", "{}: tensor '{}' is {} of shape {}, expected a matrix of F32, F16 or BF16", file.path(), printable(t.name),
         t.type->name, to_string(t.shape));
  std::vector<std::byte> bytes(t.size_bytes);
  file.read(t, bytes);
  Tensor out = Tensor::zeros(Dtype::f32, t.shape);
  format(*dtype).unpack(bytes.data(), out.mutable_data<float>().data(), out.size());
  return out;
}

class Reading {
 public:
  Reading(const Json& config, const SafetensorsFile& file, const std::string& path)
      : config_(config), file_(file), what_(path + "/adapter_config.json") {
    out_.path = path;
  }

  PeftAdapter run() {
    out_.base_model = json_find_string(config_, "base_model_name_or_path", what_).value_or("");
    read_names(config_, "modules_to_save", out_.adapter.saved_modules);
    const std::string type = json_string(config_, "peft_type", what_);
    if (type == "LORA") {
      read_lora();
    } else if (type == "IA3") {
      read_ia3();
    } else if (type == "PREFIX_TUNING") {
      read_prefix();
    } else if (type == "BOTTLENECK") {
      read_bottleneck();
    } else {
      fail(ErrorKind::file, "adapter", "{}: adapters of type '{}' are not supported; those that are: LORA, IA3, PREFIX_TUNING, BOTTLENECK", what_,
           printable(type));
    }
    if (out_.states.empty()) fail(ErrorKind::file, "adapter", "{} holds no values of an adapter", file_.path());
    return std::move(out_);
  }

 private:
  template <class... Args>
  [[noreturn]] void wrong(const SafetensorsTensor& t, fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::file, "adapter", "{}: tensor '{}' {}", file_.path(), printable(t.name), fmt::format(format, std::forward<Args>(args)...));
  }

  void read_names(const Json& from, const char* key, std::vector<std::string>& to) const {
    auto it = from.find(key);
    if (it == from.end() || it->is_null()) return;
    bool strings = it->is_array() && std::ranges::all_of(*it, [](const Json& v) { return v.is_string(); });
    if (!strings) fail(ErrorKind::file, "adapter", "{}: '{}' should be a list of names", what_, key);
    for (const Json& v : *it) to.push_back(v.get<std::string>());
  }

  double number(const char* key, double usual, double low, double high) const {
    const double v = json_find_double(config_, key, what_).value_or(usual);
    if (!(v >= low && v <= high)) fail(ErrorKind::file, "adapter", "{}: '{}' is {}, expected {} to {}", what_, key, v, low, high);
    return v;
  }

  void refuse_flag(const char* key, const char* instead) const {
    if (json_find_bool(config_, key, what_).value_or(false)) fail(ErrorKind::file, "adapter", "{}: '{}' is not supported; {}", what_, key, instead);
  }

  // The module of a tensor named base_model.model.MODULE + suffix; empty for another name.
  static std::string module_of(std::string_view name, std::string_view suffix) {
    if (!name.starts_with(kPeftPrefix) || !name.ends_with(suffix) || name.size() <= kPeftPrefix.size() + suffix.size()) return {};
    return std::string(name.substr(kPeftPrefix.size(), name.size() - kPeftPrefix.size() - suffix.size()));
  }

  void take(const std::string& state, const SafetensorsTensor& t) {
    if (!out_.states.emplace(state, floats_of(file_, t)).second) wrong(t, "is there twice, as '{}'", printable(state));
  }

  // One of the model's own that learned: a bias, or part of a saved module.
  void take_own(const SafetensorsTensor& t) {
    std::string state = module_of(t.name, "");
    if (state.empty()) wrong(t, "is not part of an adapter; its name should begin with '{}'", kPeftPrefix);
    if (size_t at = state.rfind(kBaseLayer); at != state.npos) state.erase(at, kBaseLayer.size());
    if (!state.ends_with(".bias") && !state.ends_with(".weight")) wrong(t, "is of a kind that is not supported");
    take(state, t);
  }

  void read_lora() {
    refuse_flag("use_dora", "train the adapter with use_dora=False, or merge it with peft");
    refuse_flag("lora_bias", "merge the adapter with peft");
    Adapter& a = out_.adapter;
    a.method = AdapterMethod::lora;
    a.rank = static_cast<int64_t>(number("r", 8, 1, kMaxRank));
    a.alpha = number("lora_alpha", 8, -1e6, 1e6);
    a.dropout = static_cast<float>(number("lora_dropout", 0, 0, 0.999));
    a.rank_stabilised = json_find_bool(config_, "use_rslora", what_).value_or(false);
    a.biases = json_find_string(config_, "bias", what_).value_or("none") != "none";
    std::map<std::string, double> alphas;
    if (auto it = config_.find("alpha_pattern"); it != config_.end() && it->is_object())
      for (const auto& [pattern, alpha] : it->items()) {
        if (!alpha.is_number() || pattern.find_first_of("*+?()[]{}|^$\\") != pattern.npos)
          fail(ErrorKind::file, "adapter", "{}: alpha_pattern '{}' is not supported; name the modules there without regular expressions", what_,
               printable(pattern));
        alphas[pattern] = alpha.get<double>();
      }
    bool only_zeros = true;
    for (const SafetensorsTensor& t : file_.tensors()) {
      if (std::string module = module_of(t.name, kA); !module.empty()) {
        only_zeros = take_pair(module, t) && only_zeros;
      } else if (std::string other = module_of(t.name, kB); !other.empty()) {
        if (!file_.find_tensor(fmt::format("{}{}{}", kPeftPrefix, other, kA))) wrong(t, "has no lora_A beside it");
      } else {
        if (t.name.find(".lora_") != t.name.npos) wrong(t, "is of a kind of LoRA that is not supported: only matrices' lora_A and lora_B are");
        take_own(t);
      }
    }
    for (const std::string& module : a.targets)
      for (const auto& [pattern, alpha] : alphas)
        if (names_module({pattern}, module)) a.alphas[module] = alpha;
    // How adapters of biases are written.
    if (only_zeros && a.biases && out_.states.size() > 2 * a.targets.size()) {
      for (const std::string& module : a.targets)
        for (std::string_view suffix : {kA, kB}) out_.states.erase(fmt::format("{}{}{}", kPeftPrefix, module, suffix));
      a = {.method = AdapterMethod::bias, .saved_modules = a.saved_modules};
    }
  }

  // A and B of one module; whether their product is zero.
  bool take_pair(const std::string& module, const SafetensorsTensor& a) {
    const std::string b_name = fmt::format("{}{}{}", kPeftPrefix, module, kB);
    const SafetensorsTensor* b = file_.find_tensor(b_name);
    if (!b) wrong(a, "has no '{}' beside it", printable(b_name));
    const bool fits = a.shape.size() == 2 && b->shape.size() == 2 && a.shape[0] == b->shape[1] && a.shape[0] >= 1 && a.shape[0] <= kMaxRank;
    if (!fits) wrong(a, "has shape {} and its lora_B {}, expected [rank, inputs] and [outputs, rank]", to_string(a.shape), to_string(b->shape));
    out_.adapter.targets.push_back(module);
    if (a.shape[0] != out_.adapter.rank) out_.adapter.ranks[module] = a.shape[0];
    take(a.name, a);
    take(b->name, *b);
    return std::ranges::all_of(out_.states.at(b->name).data<float>(), [](float v) { return v == 0; });
  }

  void read_ia3() {
    out_.adapter.method = AdapterMethod::ia3;
    for (const SafetensorsTensor& t : file_.tensors()) {
      const std::string module = module_of(t.name, kIa3);
      if (module.empty()) {
        take_own(t);
        continue;
      }
      if (t.shape.size() != 2 || (t.shape[0] != 1 && t.shape[1] != 1)) wrong(t, "has shape {}, expected a row or a column", to_string(t.shape));
      out_.adapter.targets.push_back(module);
      if (t.shape[1] != 1) out_.adapter.feed_forward.push_back(module);
      take(t.name, t);
    }
  }

  void read_prefix() {
    const SafetensorsTensor* t = file_.find_tensor(kPrefixState);
    if (!t) fail(ErrorKind::file, "adapter", "{} has no tensor '{}'", file_.path(), kPrefixState);
    Adapter& a = out_.adapter;
    a.method = AdapterMethod::prefix;
    a.tokens = static_cast<int64_t>(number("num_virtual_tokens", 0, 1, kMaxTokens));
    if (t->shape.size() != 2 || t->shape[0] != a.tokens)
      wrong(*t, "has shape {}, expected {} rows as num_virtual_tokens says", to_string(t->shape), a.tokens);
    for (const SafetensorsTensor& each : file_.tensors()) {
      if (each.name == kPrefixState)
        take(std::string(kPrefixState), each);
      else
        take_own(each);
    }
  }

  void read_bottleneck() {
    Adapter& a = out_.adapter;
    a.method = AdapterMethod::bottleneck;
    a.width = static_cast<int64_t>(number("bottleneck_size", 64, 1, kMaxRank));
    constexpr std::string_view kActivations[] = {"silu", "gelu", "gelu_tanh", "relu"};  // in the order of the enumeration
    const std::string activation = json_find_string(config_, "non_linearity", what_).value_or("relu");
    const auto* found = std::ranges::find(kActivations, activation);
    if (found == std::end(kActivations)) fail(ErrorKind::file, "adapter", "{}: there is no activation '{}'", what_, printable(activation));
    a.activation = static_cast<Activation>(found - kActivations);
    for (const SafetensorsTensor& t : file_.tensors()) {
      if (t.name.find(".bottleneck_") == t.name.npos) {
        take_own(t);
        continue;
      }
      if (std::string module = module_of(t.name, ".bottleneck_down.weight"); !module.empty()) a.targets.push_back(module);
      take(t.name, t);
    }
  }

  const Json& config_;
  const SafetensorsFile& file_;
  std::string what_;
  PeftAdapter out_;
};

}  // namespace

PeftAdapter parse_peft(const Json& config, const SafetensorsFile& tensors, const std::string& path) {
  if (!config.is_object()) fail(ErrorKind::file, "adapter", "{}/adapter_config.json should be an object, found {}", path, config.type_name());
  return Reading(config, tensors, path).run();
}

PeftAdapter read_peft(const std::string& folder) {
  const std::string config = folder + "/adapter_config.json", values = folder + "/adapter_model.safetensors";
  if (!file_exists(config)) fail(ErrorKind::file, "adapter", "{} is not an adapter: it has no adapter_config.json", folder);
  if (!file_exists(values) && file_exists(folder + "/adapter_model.bin"))
    fail(ErrorKind::file, "adapter", "{}/adapter_model.bin is a pickle, which may run code; save the adapter with safe_serialization=True", folder);
  return parse_peft(parse_json(read_file(config, kMaxConfigBytes), config), SafetensorsFile::open(values), folder);
}

}  // namespace motley

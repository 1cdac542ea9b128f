// config.json as transformers reads it, in the words of version 4 (rope_scaling, sliding_window_pattern) and of version 5
// (rope_parameters, layer_types).
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "io/json.h"
#include "io/quantisation_config.h"
#include "nn/config.h"
#include "nn/families.h"
#include "nn/heads.h"
#include "nn/rope.h"

namespace motley {
namespace {

class HfSource final : public ConfigSource {
 public:
  HfSource(const Json& object, std::string what, std::span<const NamePair> aliases) : object_(object), what_(std::move(what)), aliases_(aliases) {}

  std::optional<int64_t> find_int(const std::string& key) const override { return json_find_int(object_, spelled(key).c_str(), what_); }
  std::optional<double> find_double(const std::string& key) const override { return json_find_double(object_, spelled(key).c_str(), what_); }
  std::optional<bool> find_bool(const std::string& key) const override { return json_find_bool(object_, spelled(key).c_str(), what_); }
  std::optional<std::string> find_string(const std::string& key) const override { return json_find_string(object_, spelled(key).c_str(), what_); }
  std::optional<std::vector<double>> find_doubles(const std::string& key) const override {
    return list<double>(key, "numbers", [](const Json& j) { return j.is_number(); });
  }
  std::optional<std::vector<int64_t>> find_ints(const std::string& key) const override {
    return list<int64_t>(key, "whole numbers", [](const Json& j) { return j.is_number_integer(); });
  }
  std::optional<std::vector<std::string>> find_strings(const std::string& key) const override {
    return list<std::string>(key, "texts", [](const Json& j) { return j.is_string(); });
  }
  std::optional<std::vector<bool>> find_bools(const std::string& key) const override {
    return list<bool>(key, "true or false", [](const Json& j) { return j.is_boolean(); });
  }
  bool has_tensor(const std::string&) const override { return false; }
  bool is_list(const std::string& key) const override {
    return is(key, [](const Json& j) { return j.is_array(); });
  }
  bool is_null(const std::string& key) const override {
    return is(key, [](const Json& j) { return j.is_null(); });
  }
  const std::string& what() const override { return what_; }

  std::string spelled(const std::string& key) const override {
    for (const NamePair& alias : aliases_)
      if (alias.hf == key && (object_.contains(std::string(alias.gguf)) || !object_.contains(key))) return std::string(alias.gguf);
    return key;
  }

  // The object under a key, as a source of its own; nothing when the key is absent, null or an empty object.
  std::optional<HfSource> child(const std::string& key) const {
    if (!object_.contains(key) || object_[key].is_null()) return std::nullopt;
    const Json& value = object_[key];
    if (!value.is_object()) refuse(key, value.type_name(), "an object");
    if (value.empty()) return std::nullopt;
    return HfSource(value, fmt::format("{}: {}", what_, key), {});
  }

 private:
  template <class Test>
  bool is(const std::string& key, Test test) const {
    auto at = object_.find(spelled(key));
    return at != object_.end() && test(*at);
  }

  template <class T, class Test>
  std::optional<std::vector<T>> list(const std::string& key, const char* expected, Test test) const {
    auto at = object_.find(spelled(key));
    if (at == object_.end() || at->is_null()) return std::nullopt;
    if (!at->is_array()) refuse(key, at->type_name(), fmt::format("a list of {}", expected));
    std::vector<T> values;
    for (const Json& element : *at) {
      if (!test(element)) refuse(key, fmt::format("a list with {}", element.type_name()), fmt::format("a list of {}", expected));
      values.push_back(element.template get<T>());
    }
    return values;
  }

  const Json& object_;
  std::string what_;
  std::span<const NamePair> aliases_;
};

RopeScaling read_scaling(const HfSource& source) {
  std::string type = source.find_string("rope_type").value_or(source.find_string("type").value_or("default"));
  if (type == "default") return RopeScaling::none;
  if (type == "linear") return RopeScaling::linear;
  if (type == "dynamic") return RopeScaling::dynamic;
  if (type == "llama3") return RopeScaling::llama3;
  // The first Phi-3 files called their factors "su" or "yarn".
  if (type == "longrope" || type == "su" || (type == "yarn" && source.is_list("short_factor"))) return RopeScaling::longrope;
  if (type == "yarn") return RopeScaling::yarn;
  source.refuse("rope_type", type, "one of default, linear, dynamic, llama3, yarn, longrope");
}

double read_attention_factor(const HfSource& source, const RopeConfig& rope) {
  if (auto given = source.find_double("attention_factor")) return source.number("attention_factor", {1e-6, 1e6}, *given);
  if (rope.scaling == RopeScaling::yarn) {
    double one = source.number("mscale", {0, 1e6}, 0), all = source.number("mscale_all_dim", {0, 1e6}, 0);
    if (one > 0 && all > 0) return yarn_attention_factor(rope.factor, one) / yarn_attention_factor(rope.factor, all);
    return yarn_attention_factor(rope.factor);
  }
  if (rope.scaling != RopeScaling::longrope || rope.factor <= 1) return 1;
  return std::sqrt(1 + std::log(rope.factor) / std::log(static_cast<double>(rope.original_positions)));
}

// top: the whole file; source: the object that describes this rope, where there is one.
RopeConfig read_rope(const HfSource& top, const std::optional<HfSource>& source, const ModelConfig& c, const HfDefaults& defaults) {
  constexpr NumberRange kTheta = {1.0001, 1e15}, kPart = {0, 1}, kFactor = {1e-6, 1e6};
  RopeConfig rope;
  rope.theta = top.number("rope_theta", kTheta, defaults.theta);
  double part = top.number("partial_rotary_factor", kPart, defaults.partial_rotary);
  rope.max_positions = c.max_positions;
  if (source) {
    rope.theta = source->number("rope_theta", kTheta, rope.theta);
    part = source->number("partial_rotary_factor", kPart, part);
    rope.scaling = read_scaling(*source);
  }
  rope.dims = static_cast<int64_t>(static_cast<double>(c.head_dim) * part);
  if (rope.scaling == RopeScaling::none) return rope;

  // Beside the other sizes it counts more than within (Phi-3).
  rope.original_positions = source->integer("original_max_position_embeddings", {2, kMaxPositions}, c.max_positions);
  rope.original_positions = top.integer("original_max_position_embeddings", {2, kMaxPositions}, rope.original_positions);
  if (rope.scaling == RopeScaling::longrope || rope.scaling == RopeScaling::yarn) {
    rope.factor = source->number("factor", kFactor, static_cast<double>(c.max_positions) / static_cast<double>(rope.original_positions));
    rope.attention_factor = read_attention_factor(*source, rope);
  } else {
    rope.factor = source->number("factor", kFactor);
  }
  if (rope.scaling == RopeScaling::llama3) {
    rope.low_frequency = source->number("low_freq_factor", kFactor);
    rope.high_frequency = source->number("high_freq_factor", kFactor);
    if (rope.high_frequency <= rope.low_frequency)
      source->refuse("high_freq_factor", fmt::format("{}", rope.high_frequency), fmt::format("more than low_freq_factor ({})", rope.low_frequency));
  }
  if (rope.scaling == RopeScaling::yarn) {
    rope.beta_fast = source->number("beta_fast", kFactor, 32);
    rope.beta_slow = source->number("beta_slow", kFactor, 1);
    rope.truncate = source->flag("truncate", true);
  }
  if (rope.scaling == RopeScaling::longrope) {
    rope.divisors = source->find_doubles("short_factor").value_or(std::vector<double>{});
    rope.long_divisors = source->find_doubles("long_factor").value_or(std::vector<double>{});
  }
  return rope;
}

void read_common(const HfSource& source, const HfDefaults& defaults, ModelConfig& c) {
  auto size = [&](const char* key, int64_t high, int64_t otherwise) {
    return otherwise > 0 ? source.integer(key, {1, high}, otherwise) : source.integer(key, {1, high});
  };
  c.layers = size("num_hidden_layers", kMaxLayers, defaults.layers);
  c.hidden = size("hidden_size", kMaxWidth, 0);
  c.heads = size("num_attention_heads", kMaxHeads, defaults.heads);
  c.kv_heads = size("num_key_value_heads", kMaxHeads, defaults.kv_heads > 0 ? defaults.kv_heads : c.heads);
  c.vocab = size("vocab_size", kMaxVocab, defaults.vocab);
  // GPT-2 leaves its feed-forward at four times the channels; every other family names it.
  c.ff = size("intermediate_size", kMaxWidth, c.family == "gpt2" ? 4 * c.hidden : 0);
  c.max_positions = size("max_position_embeddings", kMaxPositions, defaults.max_positions);
  if (defaults.head_dim == 0 && !source.find_int("head_dim") && c.hidden % c.heads != 0)
    source.refuse("num_attention_heads", fmt::format("{}", c.heads), fmt::format("a divisor of the {} channels", c.hidden));
  c.head_dim = size("head_dim", kMaxHeadDim, defaults.head_dim > 0 ? defaults.head_dim : std::max<int64_t>(c.hidden / c.heads, 1));
  c.norm_eps = static_cast<float>(source.number("rms_norm_eps", {1e-12, 1}, defaults.norm_eps));
  c.activation = source.activation("hidden_act", defaults.activation);
  c.qkv_bias = source.flag("attention_bias", defaults.qkv_bias);
  c.output_bias = source.flag("attention_bias", defaults.output_bias);
  c.ff_bias = defaults.ff_bias;
  c.tied = source.flag("tie_word_embeddings", defaults.tied);
  c.attention_scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
  c.windows.assign(static_cast<size_t>(c.layers), 0);
  c.bos = source.integer("bos_token_id", {-1, kMaxId}, -1);
  if (*c.bos < 0) c.bos.reset();
  c.eos = source.ids("eos_token_id");

  auto scaling = source.child(source.child("rope_parameters") ? "rope_parameters" : "rope_scaling");
  auto full = scaling ? scaling->child("full_attention") : std::nullopt;
  auto sliding = scaling ? scaling->child("sliding_attention") : std::nullopt;
  c.rope = read_rope(source, full || sliding ? full : scaling, c, defaults);
  if (sliding) c.window_rope = read_rope(source, sliding, c, defaults);
}

}  // namespace

ModelConfig read_config(const Json& root, const std::string& what) {
  if (!root.is_object()) fail(ErrorKind::file, "config", "{}: expected an object, got {}", what, root.type_name());
  std::string type = json_find_string(root, "model_type", what).value_or(""), architecture;
  if (auto at = root.find("architectures"); at != root.end() && at->is_array() && !at->empty() && (*at)[0].is_string()) architecture = (*at)[0];
  const Family& family = find_hf_family(type, architecture, what);

  // A picture-reading Gemma 3 keeps its text model's sizes apart; what is said there goes over what is said outside.
  Json flat = root;
  if (auto text = root.find("text_config"); text != root.end() && text->is_object()) flat.update(*text);
  const StoredQuantisation stored = read_quantisation(flat, what);
  if (!stored.problem.empty()) fail(ErrorKind::file, "config", "{}: {}", what, stored.problem);
  // Their quantisers turn such matrices on their side, or not: files do not say which.
  const bool packed = stored.method == QuantisationMethod::awq || stored.method == QuantisationMethod::gptq;
  if (packed && family.difference == FormatDifference::transposed)
    fail(ErrorKind::file, "config", "{}: a {} model in AWQ or GPTQ is not supported; the nearest that is: a GGUF of it, in Q4_0 or Q4_K", what,
         family.name);

  ModelConfig c;
  c.family = family.name;
  c.format = CheckpointFormat::hf;
  HfSource source(flat, what, family.aliases);
  read_common(source, family.defaults, c);
  read_head(flat, family, what, c);
  family.read_hf(source, c);
  check_config(c, what);
  return c;
}

}  // namespace motley

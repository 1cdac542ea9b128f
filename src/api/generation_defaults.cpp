#include "api/generation_defaults.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "base/error.h"
#include "io/json.h"
#include "nn/families.h"

namespace motley {
namespace {

// The two files, the one that counts first.
struct Wishes {
  explicit Wishes(const Checkpoint& checkpoint) {
    if (checkpoint.generation_config().is_object())
      files.push_back({&checkpoint.generation_config(), checkpoint.folder() + "/generation_config.json"});
    if (checkpoint.config().is_object()) files.push_back({&checkpoint.config(), checkpoint.folder() + "/config.json"});
  }
  struct File {
    const Json* json;
    std::string what;
  };

  const Json* find(const char* key) const {
    for (const File& f : files)
      if (auto at = f.json->find(key); at != f.json->end() && !at->is_null()) return &*at;
    return nullptr;
  }
  template <class T, class Read>
  std::optional<T> read(const char* key, Read of) const {
    for (const File& f : files)
      if (auto value = of(*f.json, key, f.what)) return value;
    return std::nullopt;
  }
  std::optional<double> number(const char* key) const { return read<double>(key, json_find_double); }
  std::optional<int64_t> integer(const char* key) const { return read<int64_t>(key, json_find_int); }
  // A token's id, or the first of several; nothing for what no token has.
  std::optional<int32_t> token(const char* key, int64_t vocab) const {
    const Json* value = find(key);
    if (value && value->is_array() && !value->empty()) value = &(*value)[0];
    return value ? id(*value, vocab) : std::nullopt;
  }
  static std::optional<int32_t> id(const Json& value, int64_t vocab) {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() >= vocab) return std::nullopt;
    return value.get<int32_t>();
  }

  std::vector<File> files;
};

}  // namespace

std::vector<int32_t> stop_tokens(const OpenModel& model) {
  std::set<int32_t> ids;
  if (model.tokenizer) ids.insert(model.tokenizer->end_of_generation().begin(), model.tokenizer->end_of_generation().end());
  for (int64_t id : model.source.config.eos) ids.insert(static_cast<int32_t>(id));
  const Json& config = model.checkpoint->generation_config();
  if (config.is_object() && config.contains("eos_token_id")) {
    const Json& eos = config["eos_token_id"];
    auto add = [&](const Json& value) {
      if (auto id = Wishes::id(value, model.source.config.vocab)) ids.insert(*id);
    };
    if (eos.is_array())
      std::ranges::for_each(eos, add);
    else
      add(eos);
  }
  return {ids.begin(), ids.end()};
}

SamplerOptions default_sampling(const Checkpoint& checkpoint, const ModelConfig& model) {
  SamplerOptions options;
  const Json& config = checkpoint.generation_config();
  const std::string what = checkpoint.folder() + "/generation_config.json";
  if (reads_sources(model) && !(config.is_object() && json_find_bool(config, "do_sample", what).value_or(false))) options.temperature = 0;
  if (!config.is_object()) return options;
  auto number = [&](const char* key, float& value) {
    if (auto v = json_find_double(config, key, what)) value = static_cast<float>(*v);
  };
  if (options.temperature > 0) number("temperature", options.temperature);
  number("top_p", options.top_p);
  number("min_p", options.min_p);
  number("typical_p", options.typical_p);
  number("repetition_penalty", options.repeat_penalty);
  if (auto k = json_find_int(config, "top_k", what)) options.top_k = *k;
  return options;
}

BeamOptions default_beams(const Checkpoint& checkpoint, const ModelConfig& config) {
  BeamOptions options;
  const Wishes wishes(checkpoint);
  options.length_penalty = wishes.number("length_penalty").value_or(1);
  if (const Json* stop = wishes.find("early_stopping")) {
    if (stop->is_boolean() && stop->get<bool>()) options.stop = BeamStop::early;
    if (stop->is_string() && *stop == "never") options.stop = BeamStop::complete;
  }
  if (reads_sources(config)) options.count = std::clamp<int64_t>(wishes.integer("num_beams").value_or(1), 1, 1024);
  return options;
}

Request request_for(const OpenModel& model, std::vector<int32_t> text) {
  Request r;
  const ModelConfig& config = model.source.config;
  if (!reads_sources(config)) {
    r.prompt = std::move(text);
    return r;
  }
  const Wishes wishes(*model.checkpoint);
  r.source = std::move(text);
  r.prompt = {wishes.token("decoder_start_token_id", config.vocab).value_or(static_cast<int32_t>(config.seq2seq.start))};
  if (auto first = wishes.token("forced_bos_token_id", config.vocab)) r.prompt.push_back(*first), r.begun = 1;
  r.last_token = wishes.token("forced_eos_token_id", config.vocab);
  // Of words that are never written those of one token.
  if (const Json* words = wishes.find("bad_words_ids"); words && words->is_array())
    for (const Json& word : *words)
      if (word.is_array() && word.size() == 1)
        if (auto id = Wishes::id(word[0], config.vocab)) r.sampling.logit_bias.emplace_back(*id, -std::numeric_limits<float>::infinity());
  return r;
}

}  // namespace motley

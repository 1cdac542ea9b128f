#include "cli/flags.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/json.h"
#include "ir/text.h"

namespace motley {
namespace {

constexpr uint64_t kMaxConfigBytes = 1 << 20;

std::optional<int64_t> size_flag(const std::string& text, const char* flag, int64_t low) {
  if (text.empty() || text == "auto") return std::nullopt;
  auto n = parse_size(text);
  if (!n || *n < low) fail(ErrorKind::usage, "flags", "{} should be a number of at least {}, such as 4096 or 8K, not '{}'", flag, low, text);
  return n;
}

std::string environment_name(const std::string& flag) {
  std::string out = "MOTLEY_";
  for (char c : flag) out += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

bool truth(const std::string& value) { return value == "1" || value == "true" || value == "yes" || value == "on"; }

void append(std::vector<std::string>& out, const CLI::Option& option, const std::string& name, const std::string& value) {
  if (option.get_expected_min() == 0 && option.get_items_expected_max() == 0) {
    if (truth(value)) out.push_back("--" + name);
  } else {
    out.push_back("--" + name);
    out.push_back(value);
  }
}

// Every key must be a long flag of the command.
void read_config(CLI::App& app, const std::string& path, std::vector<std::string>& out) {
  YAML::Node root;
  try {
    root = YAML::Load(read_file(path, kMaxConfigBytes));
  } catch (const YAML::Exception& e) {
    fail(ErrorKind::usage, "config", "{} line {}: {}", path, e.mark.line + 1, e.msg);
  }
  if (root.IsNull()) return;
  if (!root.IsMap()) fail(ErrorKind::usage, "config", "{} should be a list of 'flag: value' lines", path);
  std::vector<std::string> known;
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames()) known.push_back(name);
  std::vector<std::string_view> views(known.begin(), known.end());
  for (const auto& entry : root) {
    std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    int line = entry.first.Mark().line + 1;
    const CLI::Option* option = key.empty() ? nullptr : app.get_option_no_throw("--" + key);
    if (!option || key == "config" || key == "help") {
      auto meant = nearest(key, views);
      fail(ErrorKind::usage, "config", "{} line {}: unknown key '{}'{}", path, line, key, meant ? fmt::format(", did you mean '{}'?", *meant) : "");
    }
    if (entry.second.IsSequence()) {
      for (const auto& value : entry.second) {
        if (!value.IsScalar()) fail(ErrorKind::usage, "config", "{} line {}: '{}' should be a list of plain values", path, line, key);
        append(out, *option, key, value.Scalar());
      }
    } else if (entry.second.IsScalar()) {
      append(out, *option, key, entry.second.Scalar());
    } else {
      fail(ErrorKind::usage, "config", "{} line {}: '{}' should be a value or a list of values", path, line, key);
    }
  }
}

}  // namespace

std::vector<std::string> with_defaults(CLI::App& app, std::vector<std::string> arguments) {
  std::vector<std::string> out;
  if (app.get_option_no_throw("recipe") && !arguments.empty() && !arguments[0].starts_with('-')) read_config(app, arguments[0], out);
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--config" && i + 1 < arguments.size()) read_config(app, arguments[i + 1], out);
    if (arguments[i].starts_with("--config=")) read_config(app, arguments[i].substr(9), out);
  }
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames())
      if (const char* value = std::getenv(environment_name(name).c_str()); value && *value && name != "help") append(out, *o, name, value);
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

void ModelFlags::add(CLI::App& app) {
  app.add_option("model,-m,--model", model, "a folder with config.json, a .gguf file, or org/name from the hub's cache");
  app.add_option("-c,--ctx-size,--max-model-len", context, "tokens of context, such as 4096 or 8K (default: what the model allows and memory holds)");
  app.add_option("-t,--threads", threads, "threads to compute with (default: the physical cores that may be used)")->check(CLI::Range(1, 4096));
  app.add_option("--max-num-seqs,--parallel", sequences, "sequences computed at the same time")->check(CLI::Range(1, 65536));
  app.add_option("--max-num-batched-tokens", batch_tokens, "most tokens of one step");
  app.add_option("--kv-type,--kv-cache-dtype", kv_type, "how keys and values are stored: f32, f16, bf16 or q8_0 (default f16)");
  app.add_option("--reserve,--fit-target", reserve, "memory left free on the device, such as 1GiB");
  app.add_option("--devices,--device", device, "the device to run on (see: motley devices)");
  app.add_option("--tokenizer", tokenizer, "a tokenizer file, or a model with one, in place of the model's own");
  app.add_option("--adapter", adapter, "a folder with an adapter (adapter_config.json) to run beside the model's weights");
  app.add_option("--place", place, "auto, or the file of a plan");
  app.add_option("--skip", skip, "a pass or rewrite of the compiler to leave out, such as fuse or simplify.cse")->delimiter(',');
  app.add_option("--dump-after", dump_after, "print the graph after this pass (build: before the first) to standard error")->delimiter(',');
}

ModelOptions ModelFlags::options() const {
  ModelOptions o;
  o.device = device;
  o.place = place;
  o.tokenizer = tokenizer;
  o.adapter = adapter;
  o.wishes.threads = threads;
  o.plan.context = size_flag(context, "--ctx-size", 1);
  o.plan.batch_tokens = size_flag(batch_tokens, "--max-num-batched-tokens", 1);
  if (sequences > 0) o.plan.sequences = sequences;
  if (auto bytes = size_flag(reserve, "--reserve", 0)) o.plan.reserve_bytes = *bytes;
  if (!kv_type.empty()) {
    auto type = parse_dtype(kv_type);
    if (!type || (*type != Dtype::f32 && *type != Dtype::f16 && *type != Dtype::bf16 && *type != Dtype::q8_0))
      fail(ErrorKind::usage, "flags", "--kv-type should be f32, f16, bf16 or q8_0, not '{}'", kv_type);
    o.plan.kv_type = type;
  }
  o.session.skip = {skip.begin(), skip.end()};
  if (!dump_after.empty())
    o.session.after_pass = [wanted = dump_after](std::string_view pass, const Graph& graph) {
      for (const auto& w : wanted)
        if (w == pass) std::fprintf(stderr, "# after %s\n%s", w.c_str(), print(graph).c_str());
    };
  return o;
}

void SamplingFlags::add(CLI::App& app) {
  app.add_option("--temp,--temperature", temperature, "0 takes the most likely token; 1 is the model's own distribution");
  app.add_option("--top-k", top_k, "keep the k most likely tokens; 0 keeps all");
  app.add_option("--top-p", top_p, "keep the likeliest tokens that together reach this probability");
  app.add_option("--min-p", min_p, "keep tokens at least this likely relative to the best");
  app.add_option("--typical-p", typical_p, "locally typical sampling; 1 is off");
  app.add_option("--repeat-penalty", repeat_penalty, "above 1: tokens of the recent past become less likely");
  app.add_option("--repeat-last-n", repeat_last_n, "how far back that looks; -1: the whole text");
  app.add_option("--presence-penalty", presence_penalty, "subtracted from tokens already generated");
  app.add_option("--frequency-penalty", frequency_penalty, "subtracted for each time a token was generated");
  app.add_option("--logit-bias", logit_bias, "ID=VALUE, added to a token's logit; -inf forbids it")->delimiter(',');
  app.add_option("--seed", seed, "the same seed gives the same text; -1 draws one");
  app.add_option("--logprobs", logprobs, "report this many most likely tokens with their log probabilities (with --json)");
}

SamplerOptions SamplingFlags::options(SamplerOptions o) const {
  auto set = [](auto& to, const auto& from) {
    if (from) to = *from;
  };
  set(o.temperature, temperature), set(o.top_k, top_k), set(o.top_p, top_p), set(o.min_p, min_p), set(o.typical_p, typical_p);
  set(o.repeat_penalty, repeat_penalty), set(o.repeat_last_n, repeat_last_n), set(o.presence_penalty, presence_penalty),
      set(o.frequency_penalty, frequency_penalty);
  for (const std::string& bias : logit_bias) {
    auto equals = bias.find('=');
    auto id = parse_int(bias.substr(0, equals));
    auto value = equals == std::string::npos ? std::nullopt : parse_double(bias.substr(equals + 1));
    if (!id || *id < 0 || *id > INT32_MAX || !value) fail(ErrorKind::usage, "flags", "--logit-bias should be ID=VALUE, not '{}'", bias);
    o.logit_bias.emplace_back(static_cast<int32_t>(*id), static_cast<float>(*value));
  }
  if (seed < -1) fail(ErrorKind::usage, "flags", "--seed should be -1 or more, not {}", seed);
  o.seed = seed >= 0 ? static_cast<uint64_t>(seed) : std::random_device{}();
  o.logprobs = logprobs;
  return o;
}

void BeamFlags::add(CLI::App& app) {
  app.add_option("--beams,--num-beams", count,
                 "texts to search side by side for the likeliest whole one; 1: none are (default: as the model's files say)")
      ->check(CLI::Range(int64_t{1}, int64_t{1024}));
  app.add_option("--length-penalty", length_penalty,
                 "of --beams: a text's log probability is divided by its length to this power; above 1 favours long texts (default 1)");
}

BeamOptions BeamFlags::options(BeamOptions o, const SamplingFlags& sampling) const {
  const bool drawn = sampling.temperature.value_or(0) > 0;
  if (drawn && count.value_or(1) > 1) fail(ErrorKind::usage, "flags", "--beams searches for the likeliest text and draws nothing: leave --temp out");
  if (drawn) o.count = 1;
  if (count) o.count = *count;
  if (length_penalty) o.length_penalty = *length_penalty;
  return o;
}

std::vector<int32_t> parse_ids(const std::string& text, const char* flag) {
  Json ids;
  try {
    ids = parse_json(text, flag, {.max_depth = 1});
  } catch (const Error& e) {
    if (!std::string_view(flag).starts_with("--")) throw;
    throw Error(ErrorKind::usage, e.what());  // what was asked for is at fault, and no file
  }
  if (!ids.is_array()) fail(ErrorKind::usage, "flags", "{} should be a JSON array of token ids such as [1,2,3]", flag);
  std::vector<int32_t> out;
  for (const Json& id : ids) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX)
      fail(ErrorKind::usage, "flags", "{}: {} is not a token id", flag, id.dump());
    out.push_back(id.get<int32_t>());
  }
  return out;
}

}  // namespace motley

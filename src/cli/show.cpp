// motley show MODEL: what a model is, before it is loaded.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/model_facts.h"
#include "api/open_model.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "io/gguf.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct ShowFlags {
  std::string model, context;
  bool json = false, tensors = false, metadata = false;
};

// 1.24 G, 134.52 M: three digits are enough to know a model by.
std::string scaled(double n, const char* unit = "") {
  for (auto [size, letter] : {std::pair(1e12, "T"), std::pair(1e9, "G"), std::pair(1e6, "M"), std::pair(1e3, "K")})
    if (n >= size) return fmt::format("{:.2f} {}{}", n / size, letter, unit);
  return fmt::format("{:.0f} {}", n, unit);
}

double bits(uint64_t bytes, int64_t elements) { return elements > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(elements) : 0; }

std::string line(std::string_view what, std::string_view text) { return fmt::format("  {:<14} {}\n", what, text); }

const char* scaling_name(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::none:
      return "none";
    case RopeScaling::linear:
      return "linear";
    case RopeScaling::dynamic:
      return "dynamic";
    case RopeScaling::llama3:
      return "llama3";
    case RopeScaling::yarn:
      return "yarn";
    case RopeScaling::longrope:
      return "longrope";
    case RopeScaling::divisors:
      return "divisors";
  }
  return "";
}

std::string form_of(const ModelFacts& facts) {
  if (const GgufFile* file = facts.checkpoint->gguf()) return fmt::format("GGUF version {}", file->version());
  return facts.checkpoint->has_weights() ? "Hugging Face folder" : "Hugging Face configuration without weights";
}

std::string layers_of(const ModelConfig& c) {
  std::string out = fmt::format("{} layers of {} channels, {} heads of {}", c.layers, c.hidden, c.heads, c.head_dim);
  if (c.kv_heads != c.heads) out += fmt::format(" on {} key-value heads", c.kv_heads);
  out += fmt::format(", feed-forward {}", c.experts > 0 ? c.expert_ff : c.ff);
  if (c.experts > 0) out += fmt::format(", {} of {} experts", c.experts_used, c.experts);
  if (c.tied) out += ", head tied to the embedding";
  return out;
}

std::string context_of(const ModelConfig& c) {
  std::string out = fmt::format("{} tokens", c.max_positions);
  if (c.rope.dims > 0) out += fmt::format(", rotary base {:g}", c.rope.theta);
  if (c.rope.scaling != RopeScaling::none) out += fmt::format(" ({})", scaling_name(c.rope.scaling));
  int64_t window = *std::ranges::max_element(c.windows), with = std::ranges::count_if(c.windows, [](int64_t w) { return w > 0; });
  if (window > 0) out += fmt::format(", a window of {} in {} of the layers", window, with);
  return out;
}

std::string task_of(const ModelConfig& c) {
  constexpr size_t kShown = 8;
  std::string out(task_name(c.task));
  for (size_t i = 0; i < std::min(kShown, c.labels.size()); ++i) out += fmt::format("{}{}", i ? ", " : ": ", printable(c.labels[i], 40));
  if (c.labels.size() > kShown) out += fmt::format(" and {} more", c.labels.size() - kShown);
  return out;
}

std::string token_of(const Tokenizer& t, const char* role, int32_t id) {
  return id < 0 ? "" : fmt::format(", {} {} '{}'", role, id, printable(t.token_text(id), 40));
}

std::string tokenizer_line(const ModelFacts& facts) {
  if (!facts.tokenizer_problem.empty()) return "cannot be used: " + facts.tokenizer_problem;
  if (!facts.tokenizer) return "none; it runs with --ids";
  const Tokenizer& t = *facts.tokenizer;
  const SpecialIds& s = t.special();
  return fmt::format("{}, {} tokens{}{}{}", facts.tokenizer_kind, t.vocab_size(), token_of(t, "BOS", s.bos), token_of(t, "EOS", s.eos),
                     token_of(t, "padding", s.pad));
}

std::string templates_line(const Tokenizer& t) {
  std::string out;
  for (const auto& [name, source] : t.chat_templates()) out += fmt::format("{}{} ({} bytes)", out.empty() ? "" : ", ", name, source.size());
  return out.empty() ? "none" : out;
}

std::string types_table(const ModelFacts& facts) {
  std::string out;
  for (const StoredType& t : facts.types)
    out += fmt::format("  {:<14} {:<8} {:>5} tensors {:>10} weights {:>10} {:6.2f} bits each{}\n", "", t.name, t.tensors,
                       scaled(static_cast<double>(t.elements)), scaled(static_cast<double>(t.bytes), "B"), bits(t.bytes, t.elements),
                       t.kept ? fmt::format(", in memory {} as {}", scaled(static_cast<double>(t.kept_bytes), "B"), name(*t.kept)) : "");
  return out;
}

std::string memory_table(const ModelFacts& facts) {
  std::string out;
  int64_t context = -1;
  for (const MemoryNeed& m : facts.memory) {
    if (m.context != context) out += line(context < 0 ? "memory" : "", fmt::format("for {} tokens of context", m.context));
    context = m.context;
    out += fmt::format("  {:<14} {:>10} with keys and values in {} ({})\n", "", scaled(static_cast<double>(m.total_bytes), "B"), name(m.kv_type),
                       scaled(static_cast<double>(m.kv_bytes), "B"));
  }
  return out;
}

std::string text_of(const ModelFacts& facts, const ShowFlags& f) {
  std::string out = facts.path + "\n" + line("form", form_of(facts));
  if (facts.config && !facts.config->name.empty()) out += line("name", printable(facts.config->name));
  if (!facts.architecture.empty())
    out += line("architecture", printable(facts.architecture) +
                                    (facts.config && facts.config->family != facts.architecture ? " (" + facts.config->family + ")" : ""));
  if (facts.parameters > 0) out += line("parameters", fmt::format("{} ({})", scaled(static_cast<double>(facts.parameters)), facts.parameters));
  if (facts.config) {
    out += line("layers", layers_of(*facts.config));
    out += line("context", context_of(*facts.config));
    out += line("vocabulary", fmt::format("{} rows", facts.config->vocab));
    if (facts.config->task != Task::language_model) out += line("task", task_of(*facts.config));
  }
  if (facts.weight_bytes > 0)
    out += line("weights",
                fmt::format("{}{}, {:.2f} bits per weight", scaled(static_cast<double>(facts.weight_bytes), "B"),
                            facts.checkpoint->has_weights() ? "" : " (not here)", bits(static_cast<uint64_t>(facts.weight_bytes), facts.parameters)));
  out += types_table(facts);
  out += line("tokenizer", tokenizer_line(facts));
  if (facts.tokenizer) out += line("chat template", templates_line(*facts.tokenizer));
  out += memory_table(facts);
  if (!facts.problem.empty()) out += line("cannot run", facts.problem);
  if (f.metadata || !facts.config) {
    out += "metadata\n";
    for (const auto& [key, value] : facts.metadata) out += fmt::format("  {} = {}\n", printable(key), printable(value, 200));
  }
  if (f.tensors) {
    out += "tensors\n";
    for (const CheckpointTensor& t : facts.checkpoint->tensors())
      out += fmt::format("  {:<52} {:<8} {:<20} {:>12}\n", printable(t.name), t.type_name, to_string(t.shape),
                         scaled(static_cast<double>(t.stored_bytes), "B"));
  }
  return out;
}

OrderedJson config_json(const ModelConfig& c) {
  OrderedJson json = {{"family", c.family},
                      {"name", c.name},
                      {"layers", c.layers},
                      {"hidden", c.hidden},
                      {"heads", c.heads},
                      {"kv_heads", c.kv_heads},
                      {"head_dim", c.head_dim},
                      {"ff", c.ff},
                      {"vocab", c.vocab},
                      {"context", c.max_positions},
                      {"tied", c.tied},
                      {"windows", c.windows},
                      {"rope_theta", c.rope.theta},
                      {"rope_dims", c.rope.dims},
                      {"rope_scaling", scaling_name(c.rope.scaling)}};
  if (c.experts > 0) json["experts"] = c.experts, json["experts_used"] = c.experts_used, json["expert_ff"] = c.expert_ff;
  json["task"] = task_name(c.task);
  if (!c.labels.empty()) json["labels"] = c.labels;
  json["bos"] = c.bos ? OrderedJson(*c.bos) : OrderedJson(nullptr);
  json["eos"] = c.eos;
  return json;
}

OrderedJson tokenizer_json(const ModelFacts& facts) {
  if (!facts.tokenizer) return nullptr;
  const Tokenizer& t = *facts.tokenizer;
  const SpecialIds& s = t.special();
  OrderedJson json = {{"kind", facts.tokenizer_kind}, {"tokens", t.vocab_size()}};
  for (auto [key, id] : {std::pair("bos", s.bos), std::pair("eos", s.eos), std::pair("unk", s.unk), std::pair("pad", s.pad), std::pair("sep", s.sep),
                         std::pair("cls", s.cls), std::pair("mask", s.mask)})
    json[key] = id < 0 ? OrderedJson(nullptr) : OrderedJson(id);
  json["end_of_generation"] = std::vector<int32_t>(t.end_of_generation().begin(), t.end_of_generation().end());
  json["chat_templates"] = OrderedJson::array();
  for (const auto& [name, source] : t.chat_templates()) json["chat_templates"].push_back(name);
  return json;
}

std::string json_of(const ModelFacts& facts, const ShowFlags& f) {
  OrderedJson json = {{"path", facts.path}, {"form", facts.checkpoint->gguf() ? "gguf" : "hf"}, {"architecture", facts.architecture}};
  json["supported"] = facts.problem.empty();
  if (!facts.problem.empty()) json["problem"] = facts.problem;
  json["parameters"] = facts.parameters;
  json["has_weights"] = facts.checkpoint->has_weights();
  json["weight_bytes"] = facts.weight_bytes;
  json["bits_per_weight"] = bits(static_cast<uint64_t>(facts.weight_bytes), facts.parameters);
  json["types"] = OrderedJson::array();
  for (const StoredType& t : facts.types) {
    json["types"].push_back(OrderedJson{{"type", t.name}, {"tensors", t.tensors}, {"elements", t.elements}, {"bytes", t.bytes}});
    if (t.kept) json["types"].back()["kept_as"] = name(*t.kept), json["types"].back()["kept_bytes"] = t.kept_bytes;
  }
  json["config"] = facts.config ? config_json(*facts.config) : OrderedJson(nullptr);
  json["tokenizer"] = tokenizer_json(facts);
  if (!facts.tokenizer_problem.empty()) json["tokenizer_problem"] = facts.tokenizer_problem;
  json["kv_elements_per_token"] = facts.kv_elements_per_token;
  json["memory"] = OrderedJson::array();
  for (const MemoryNeed& m : facts.memory)
    json["memory"].push_back(
        OrderedJson{{"context", m.context}, {"kv_type", name(m.kv_type)}, {"kv_bytes", m.kv_bytes}, {"total_bytes", m.total_bytes}});
  if (f.metadata || !facts.config)
    for (const auto& [key, value] : facts.metadata) json["metadata"][valid_utf8(key)] = OrderedJson::parse(value);
  if (f.tensors) {
    json["tensors"] = OrderedJson::array();
    for (const CheckpointTensor& t : facts.checkpoint->tensors())
      json["tensors"].push_back(
          OrderedJson{{"name", std::string(t.name)}, {"type", std::string(t.type_name)}, {"shape", t.shape}, {"bytes", t.stored_bytes}});
  }
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

int show(const ShowFlags& f) {
  std::optional<int64_t> context;
  if (!f.context.empty()) {
    context = parse_size(f.context);
    if (!context || *context < 1)
      fail(ErrorKind::usage, "flags", "--ctx-size should be a number of at least 1, such as 4096 or 8K, not '{}'", f.context);
  }
  const ModelFacts facts = model_facts(resolve_model(f.model), context);
  if (facts.tokenizer)
    for (const std::string& warning : facts.tokenizer->warnings()) fmt::print(stderr, "motley: {}\n", warning);
  return write_output(f.json ? json_of(facts, f) : text_of(facts, f)) ? 0 : static_cast<int>(ErrorKind::runtime);
}

}  // namespace

Body add_show(CLI::App& app) {
  auto f = std::make_shared<ShowFlags>();
  app.add_option("model,-m,--model", f->model, "a folder with config.json, a .gguf file, or org/name from the hub's cache");
  app.add_option("-c,--ctx-size,--max-model-len", f->context, "the context that memory is told for (default: 4096, and what the model allows)");
  app.add_flag("--tensors", f->tensors, "list the tensors");
  app.add_flag("--metadata", f->metadata, "list the file's own keys and values");
  app.add_flag("--json", f->json, "print one JSON object");
  return [f] { return show(*f); };
}

}  // namespace motley

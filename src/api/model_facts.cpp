#include "api/model_facts.h"

#include <algorithm>
#include <map>

#include "api/open_model.h"
#include "base/error.h"
#include "base/text.h"
#include "io/gguf.h"
#include "io/json.h"
#include "io/quantisation_config.h"
#include "io/tokenizer/pipeline.h"
#include "nn/shapes.h"

namespace motley {
namespace {

constexpr int64_t kUsualContext = 4096;

std::string gguf_value(const GgufFile& file, const GgufEntry& e) {
  if (e.type == GgufType::array) return Json(fmt::format("{} of {}", e.count, name(e.element))).dump();
  if (e.type == GgufType::string) return Json(valid_utf8(*file.find_string(e.key))).dump();
  if (e.type == GgufType::boolean) return *file.find_bool(e.key) ? "true" : "false";
  if (e.type == GgufType::f32 || e.type == GgufType::f64) return Json(*file.find_double(e.key)).dump();
  if (e.type == GgufType::u64 && static_cast<signed char>(file.value_bytes(e).back()) < 0) return "\"2^63 or more\"";
  return fmt::format("{}", *file.find_int(e.key));
}

std::vector<std::pair<std::string, std::string>> metadata_of(const Checkpoint& checkpoint) {
  std::vector<std::pair<std::string, std::string>> out;
  if (const GgufFile* file = checkpoint.gguf()) {
    for (const GgufEntry& e : file->entries()) out.emplace_back(std::string(e.key), gguf_value(*file, e));
  } else if (checkpoint.config().is_object()) {
    for (const auto& [key, value] : checkpoint.config().items()) out.emplace_back(key, value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return out;
}

std::string architecture_of(const Checkpoint& checkpoint) {
  if (checkpoint.gguf()) return std::string(checkpoint.gguf()->find_string("general.architecture").value_or(""));
  const Json& config = checkpoint.config();
  if (auto it = config.find("model_type"); it != config.end() && it->is_string()) return it->get<std::string>();
  if (auto it = config.find("architectures"); it != config.end() && it->is_array() && !it->empty() && (*it)[0].is_string())
    return (*it)[0].get<std::string>();
  return "";
}

// What config.json says its weights are stored as; F32 where it does not.
Dtype declared_type(const Json& config) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    auto it = config.find(key);
    if (it == config.end() || !it->is_string()) continue;
    if (*it == "bfloat16") return Dtype::bf16;
    if (*it == "float16") return Dtype::f16;
  }
  return Dtype::f32;
}

// As which type a weight of a quantised folder would be loaded (docs/formats/weights.md); embedding, head and vectors are stored as they are.
Dtype loaded_type(const StoredQuantisation& stored, const NamedType& weight, Dtype declared) {
  const bool linear = weight.type.rank() >= 2 && weight.name.find("embed") == std::string::npos && !weight.name.starts_with("lm_head");
  if (!linear || stored.method == QuantisationMethod::none || weight.type.dim(-1).n % 32 != 0) return declared;
  if (stored.method == QuantisationMethod::fp8 || stored.bits == 8) return Dtype::q8_0;
  return stored.bits == 4 ? Dtype::q5_0 : Dtype::q4_0;
}

ModelSource source_of(const ModelFacts& facts) {
  if (facts.checkpoint->has_weights()) return model_from_checkpoint(facts.checkpoint);
  const StoredQuantisation stored = read_quantisation(facts.checkpoint->config(), facts.path);
  auto types = std::make_shared<std::map<std::string, Type>>();
  for (NamedType& w : model_weights(*facts.config)) {
    w.type.dtype = loaded_type(stored, w, declared_type(facts.checkpoint->config()));
    (*types)[w.name] = w.type;
  }
  ModelSource source;
  source.name = facts.path;
  source.config = *facts.config;
  source.types = [types](const std::string& state) -> std::optional<Type> {
    auto it = types->find(state);
    return it == types->end() ? std::nullopt : std::optional(it->second);
  };
  return source;
}

void add_memory(ModelFacts& facts, std::optional<int64_t> context) {
  const ModelDemand demand = demand_of(source_of(facts));
  facts.kv_elements_per_token = demand.kv_row_elements;
  if (!facts.checkpoint->has_weights()) facts.weight_bytes = demand.weight_bytes;
  if (facts.config->task != Task::language_model) return;  // no keys and values are kept
  std::vector<int64_t> contexts;
  if (context) {
    contexts = {std::min(*context, demand.max_positions)};
  } else {
    if (demand.max_positions > kUsualContext) contexts.push_back(kUsualContext);
    contexts.push_back(demand.max_positions);
  }
  for (int64_t tokens : contexts)
    for (Dtype type : {Dtype::f32, Dtype::f16, Dtype::q8_0}) {
      Plan plan;
      plan.context = tokens, plan.kv_type = type, plan.batch_tokens = std::min(plan.batch_tokens, tokens);
      plan.pages = plan.blocks();
      facts.memory.push_back({tokens, type, kv_bytes(demand, plan), memory_bytes(demand, plan)});
    }
}

std::string kind_of(const Tokenizer& tokenizer) {
  const tok::GgmlFacts& facts = tokenizer.pipeline().ggml;
  if (facts.model == "gpt2") return facts.pre.empty() ? "byte-level BPE" : fmt::format("byte-level BPE ({})", facts.pre);
  if (facts.model == "llama") return "SentencePiece BPE";
  if (facts.model == "t5") return "Unigram";
  if (facts.model == "bert") return "WordPiece";
  if (&tokenizer.of_answers() != &tokenizer) return "Unigram, each language with its own";
  return "other";
}

}  // namespace

std::vector<StoredType> stored_types(const Checkpoint& checkpoint) {
  std::vector<StoredType> out;
  for (const CheckpointTensor& t : checkpoint.tensors()) {
    const std::optional<Dtype> kept = t.converted ? t.dtype : std::nullopt;
    auto it = std::ranges::find_if(out, [&](const StoredType& s) { return s.name == t.type_name && s.kept == kept; });
    if (it == out.end()) it = out.insert(it, StoredType{.name = std::string(t.type_name), .kept = kept});
    ++it->tensors;
    it->elements += num_elements(t.shape);
    it->bytes += t.stored_bytes;
    if (kept) it->kept_bytes += t.size_bytes;
  }
  std::ranges::stable_sort(out, std::ranges::greater{}, &StoredType::bytes);
  return out;
}

ModelFacts model_facts(const std::string& path, std::optional<int64_t> context) {
  ModelFacts facts;
  facts.path = path;
  facts.checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(path));
  const Checkpoint& checkpoint = *facts.checkpoint;
  facts.architecture = architecture_of(checkpoint);
  facts.metadata = metadata_of(checkpoint);
  facts.types = stored_types(checkpoint);
  for (const StoredType& t : facts.types) facts.parameters += t.elements;
  facts.weight_bytes = static_cast<int64_t>(checkpoint.weight_bytes());
  try {
    facts.config = read_config(checkpoint);
    add_memory(facts, context);
    if (!checkpoint.has_weights()) facts.parameters = count_parameters(*facts.config);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::file) throw;
    facts.problem = e.what();
  }
  try {
    facts.tokenizer = find_tokenizer(checkpoint);
    if (facts.tokenizer) facts.tokenizer_kind = kind_of(*facts.tokenizer);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::file) throw;
    facts.tokenizer_problem = e.what();
  }
  return facts;
}

}  // namespace motley

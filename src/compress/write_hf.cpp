#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "compress/weight_stream.h"
#include "io/gguf.h"
#include "io/ordered_json.h"
#include "io/safetensors_writer.h"
#include "io/tokenizer/write_vocabulary.h"

namespace motley {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr uint64_t kMaxSmallFile = 256 << 20;

// What belongs to a tokenizer in a Hugging Face folder, and to generating.
constexpr const char* kCompanions[] = {
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",     "vocab.json",
    "merges.txt",     "vocab.txt",       "spiece.model",          "chat_template.jinja",     "generation_config.json"};

// A folder under another name until it is complete; removed with all it holds when it is not to be.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& path)
      : path_(path.has_filename() ? path : path.parent_path()), temporary_(fmt::format("{}.tmp-{}", path_.string(), ::getpid())) {
    std::error_code error;
    if (fs::exists(path_, error) && !(fs::is_directory(path_, error) && fs::is_empty(path_, error)))
      fail(ErrorKind::usage, "convert", "{} is there already and not an empty folder; name a new one", path_.string());
    fs::create_directories(temporary_, error);
    if (error) fail(ErrorKind::runtime, "write", "cannot create {}: {}", temporary_.string(), error.message());
  }
  ~NewFolder() {
    std::error_code error;
    if (!committed_) fs::remove_all(temporary_, error);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  std::string file(const std::string& name) const { return temporary_ / name; }
  void write(const std::string& name, std::string_view text) const {
    AtomicFile out(file(name));
    out.write(text);
    out.commit();
  }
  void commit() {
    std::error_code error;
    fs::remove(path_, error);  // the empty folder that may be there
    fs::rename(temporary_, path_, error);
    if (error) fail(ErrorKind::runtime, "write", "cannot finish {}: {}", path_.string(), error.message());
    committed_ = true;
  }

 private:
  fs::path path_, temporary_;
  bool committed_ = false;
};

Dtype type_in_safetensors(const TensorPlan& plan, const std::optional<Recipe>& recipe) {
  if (recipe) return recipe->base;
  return is_quantised(plan.dtype) ? Dtype::f32 : plan.dtype;
}

const char* torch_name(const std::vector<PlannedTensor>& tensors) {
  std::map<Dtype, uint64_t> bytes;
  for (const PlannedTensor& t : tensors) bytes[t.type] += tensor_bytes(t.type, t.plan.shape);
  auto most = std::ranges::max_element(bytes, {}, [](const auto& b) { return b.second; });
  if (most == bytes.end() || most->first == Dtype::f32) return "float32";
  return most->first == Dtype::f16 ? "float16" : "bfloat16";
}

// The source's own configuration where it has one: it may say more than this program reads.
std::string config_text(const Checkpoint& checkpoint, const ModelConfig& config, const char* stored) {
  if (checkpoint.format() == CheckpointFormat::gguf) return hf_config_text(config, stored);
  const std::string path = checkpoint.folder() + "/config.json";
  OrderedJson json = parse_ordered_json(read_file(path, kMaxSmallFile), path);
  json[json.contains("dtype") ? "dtype" : "torch_dtype"] = stored;
  return json.dump(2) + "\n";
}

std::string generation_text(const ModelConfig& config, const Tokenizer* tokenizer) {
  OrderedJson json = OrderedJson::object();
  std::vector<int64_t> ends = config.eos;
  if (tokenizer)
    for (int32_t id : tokenizer->end_of_generation())
      if (std::ranges::find(ends, id) == ends.end()) ends.push_back(id);
  if (config.bos) json["bos_token_id"] = *config.bos;
  if (ends.size() == 1) json["eos_token_id"] = ends[0];
  if (ends.size() > 1) json["eos_token_id"] = ends;
  if (tokenizer && tokenizer->special().pad >= 0) json["pad_token_id"] = tokenizer->special().pad;
  return json.dump(2) + "\n";
}

void write_companions(const Checkpoint& checkpoint, const ModelConfig& config, const Tokenizer* tokenizer, const NewFolder& out,
                      std::vector<std::string>& warnings) {
  if (checkpoint.format() == CheckpointFormat::hf) {
    for (const char* name : kCompanions) {
      bool about_tokens = std::string_view(name) != "generation_config.json";
      std::string from = checkpoint.folder() + "/" + name;
      if (file_exists(from) && (tokenizer || !about_tokens)) out.write(name, read_file(from, kMaxSmallFile));
    }
  } else {
    out.write("generation_config.json", generation_text(config, tokenizer));
    if (tokenizer) {
      TokenizerFiles files = hf_tokenizer_files(*tokenizer);
      out.write("tokenizer.json", files.tokenizer_json);
      out.write("tokenizer_config.json", files.tokenizer_config_json);
      warnings.insert(warnings.end(), files.warnings.begin(), files.warnings.end());
    }
  }
  if (!tokenizer) warnings.emplace_back("the folder has no tokenizer; it runs with --ids");
}

// How many tensors, from the first on, go into each file.
std::vector<size_t> cut_into_shards(const std::vector<PlannedTensor>& tensors, uint64_t most) {
  std::vector<size_t> counts;
  uint64_t bytes = 0;
  for (const PlannedTensor& t : tensors) {
    const uint64_t size = tensor_bytes(t.type, t.plan.shape);
    if (counts.empty() || bytes + size > most) counts.push_back(0), bytes = 0;
    ++counts.back();
    bytes += size;
  }
  return counts;
}

void write_weights(const std::vector<PlannedTensor>& tensors, const WriteOptions& options, WeightStream& stream, const NewFolder& out) {
  const auto shards = cut_into_shards(tensors, options.max_shard_bytes);
  OrderedJson files = OrderedJson::object();
  uint64_t total = 0;
  size_t begin = 0;
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string file = shards.size() == 1 ? "model.safetensors" : fmt::format("model-{:05}-of-{:05}.safetensors", s + 1, shards.size());
    SafetensorsWriter writer(out.file(file));
    writer.set_metadata("format", "pt");
    const std::span part = std::span(tensors).subspan(begin, shards[s]);
    for (const PlannedTensor& t : part) {
      writer.declare(t.plan.name, t.type, t.plan.shape);
      files[t.plan.name] = file;
      total += tensor_bytes(t.type, t.plan.shape);
    }
    for (const PlannedTensor& t : part) {
      Tensor w = stream.next(t);
      writer.write(t.plan.name, {w.bytes(), w.size_bytes()});
    }
    writer.commit();
    begin += shards[s];
  }
  if (shards.size() > 1)
    out.write("model.safetensors.index.json", OrderedJson{{"metadata", {{"total_size", total}}}, {"weight_map", files}}.dump(2) + "\n");
}

}  // namespace

WriteReport write_hf(const Checkpoint& checkpoint, const Tokenizer* tokenizer, const std::string& folder, const WriteOptions& options) {
  if (options.recipe && is_quantised(options.recipe->base))
    fail(ErrorKind::usage, "convert", "safetensors has no type '{}': write a .gguf file, or choose f32, f16 or bf16", options.recipe->name);
  const ModelConfig config = read_config(checkpoint);
  WeightStream stream(checkpoint, config, options);
  std::vector<PlannedTensor> tensors;
  uint64_t total = 0;
  bool dequantised = false;
  for (TensorPlan& plan : plan_tensors(config, stream.weights(), CheckpointFormat::hf)) {
    Dtype type = type_in_safetensors(plan, options.recipe);
    dequantised = dequantised || (!options.recipe && is_quantised(plan.dtype));
    total += tensor_bytes(type, plan.shape);
    tensors.push_back({std::move(plan), type});
  }
  stream.expect_mergeable(tensors);
  NewFolder out(folder);
  check_room(folder, total);
  std::vector<std::string> warnings;
  if (dequantised) warnings.emplace_back("quantised weights were written as F32, which holds them exactly; --type f16 takes half the room");
  out.write("config.json", config_text(checkpoint, config, torch_name(tensors)));
  write_companions(checkpoint, config, tokenizer, out, warnings);
  write_weights(tensors, options, stream, out);
  out.commit();
  WriteReport report = stream.report();
  report.warnings.insert(report.warnings.end(), warnings.begin(), warnings.end());
  return report;
}

}  // namespace motley

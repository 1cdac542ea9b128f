#include "control/hf_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "io/ordered_json.h"
#include "io/safetensors_writer.h"
#include "io/sentence_modules.h"
#include "io/tokenizer/write_vocabulary.h"
#include "nn/convert.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr uint64_t kMaxSmallFile = 256 << 20;

// What belongs to a tokenizer in a Hugging Face folder.
constexpr const char* kTokenizerFiles[] = {"tokenizer.json",
                                           "tokenizer.model",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "vocab.txt",
                                           "spiece.model",
                                           "source.spm",
                                           "target.spm",
                                           "chat_template.jinja"};

std::string config_text(const HfDescription& d) {
  if (!d.checkpoint || d.checkpoint->format() == CheckpointFormat::gguf) return hf_config_text(d.config, d.stored);
  const std::string path = d.checkpoint->folder() + "/config.json";
  OrderedJson json = parse_ordered_json(read_file(path, kMaxSmallFile), path);
  json[json.contains("dtype") ? "dtype" : "torch_dtype"] = d.stored;
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

bool copy(const AtomicFolder& out, const std::string& folder, const char* name) {
  std::string from = folder + "/" + name;
  if (folder.empty() || !file_exists(from)) return false;
  out.write(name, read_file(from, kMaxSmallFile));
  return true;
}

}  // namespace

void write_description(const AtomicFolder& out, const HfDescription& d, std::vector<std::string>& warnings) {
  const bool from_hf = d.checkpoint && d.checkpoint->format() == CheckpointFormat::hf;
  out.write("config.json", config_text(d));
  if (d.sentence) {
    constexpr const char* kPooling[] = {"mean", "cls", "lasttoken"};
    check(d.config.pooling != Pooling::pooler, "a sentence-transformers folder has no name for a pooler");
    const SentenceModules modules{kPooling[static_cast<size_t>(d.config.pooling)], d.config.normalise, d.config.longest_text()};
    for (const auto& [name, text] : print_sentence_modules(modules, d.config.hidden)) out.write(name, text);
  }
  if (from_hf)
    copy(out, d.checkpoint->folder(), "generation_config.json");
  else
    out.write("generation_config.json", generation_text(d.config, d.tokenizer));
  if (!d.tokenizer) {
    warnings.emplace_back("the folder has no tokenizer; it runs with --ids");
    return;
  }
  const std::string folder = !d.tokenizer_folder.empty() ? d.tokenizer_folder : from_hf ? d.checkpoint->folder() : "";
  bool copied = false;
  for (const char* name : kTokenizerFiles) copied = copy(out, folder, name) || copied;
  if (copied) return;
  TokenizerFiles files = hf_tokenizer_files(*d.tokenizer);
  out.write("tokenizer.json", files.tokenizer_json);
  out.write("tokenizer_config.json", files.tokenizer_config_json);
  warnings.insert(warnings.end(), files.warnings.begin(), files.warnings.end());
}

void write_weights(const AtomicFolder& out, std::span<const StoredTensor> tensors, uint64_t max_shard_bytes,
                   const std::function<Tensor(size_t index)>& load) {
  std::vector<size_t> shards;  // how many tensors, from the first on, go into each file
  uint64_t bytes = 0, total = 0;
  for (const StoredTensor& t : tensors) {
    const uint64_t size = tensor_bytes(t.type, t.shape);
    if (shards.empty() || bytes + size > max_shard_bytes) shards.push_back(0), bytes = 0;
    ++shards.back();
    bytes += size, total += size;
  }
  OrderedJson files = OrderedJson::object();
  size_t begin = 0;
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string file = shards.size() == 1 ? "model.safetensors" : fmt::format("model-{:05}-of-{:05}.safetensors", s + 1, shards.size());
    SafetensorsWriter writer(out.file(file));
    writer.set_metadata("format", "pt");
    for (size_t i = begin; i < begin + shards[s]; ++i) {
      writer.declare(tensors[i].name, tensors[i].type, tensors[i].shape);
      files[tensors[i].name] = file;
    }
    for (size_t i = begin; i < begin + shards[s]; ++i) {
      Tensor t = load(i);
      writer.write(tensors[i].name, {t.bytes(), t.size_bytes()});
    }
    writer.commit();
    begin += shards[s];
  }
  if (shards.size() > 1)
    out.write("model.safetensors.index.json", OrderedJson{{"metadata", {{"total_size", total}}}, {"weight_map", files}}.dump(2) + "\n");
}

}  // namespace motley

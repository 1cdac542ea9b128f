#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "compress/weight_stream.h"
#include "control/model_source.h"
#include "io/gguf.h"
#include "io/gguf_writer.h"
#include "io/tokenizer/write_vocabulary.h"
#include "nn/families.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

// general.file_type, by the names of recipes: what programs show for a file.
constexpr std::array<std::pair<std::string_view, uint32_t>, 19> kFileTypes{{{"f32", 0},
                                                                            {"f16", 1},
                                                                            {"q4_0", 2},
                                                                            {"q4_1", 3},
                                                                            {"q8_0", 7},
                                                                            {"q5_0", 8},
                                                                            {"q5_1", 9},
                                                                            {"q2_k", 10},
                                                                            {"q3_k_s", 11},
                                                                            {"q3_k", 12},
                                                                            {"q3_k_m", 12},
                                                                            {"q4_k_s", 14},
                                                                            {"q4_k", 15},
                                                                            {"q4_k_m", 15},
                                                                            {"q5_k_s", 16},
                                                                            {"q5_k", 17},
                                                                            {"q5_k_m", 17},
                                                                            {"q6_k", 18},
                                                                            {"bf16", 32}}};

std::optional<uint32_t> file_type(std::string_view recipe) {
  for (auto [name, number] : kFileTypes)
    if (name == recipe) return number;
  return std::nullopt;
}

// The type that most of the matrices' bytes have.
Dtype main_type(const std::vector<PlannedTensor>& tensors) {
  std::map<Dtype, uint64_t> bytes;
  for (const PlannedTensor& t : tensors)
    if (t.plan.shape.size() >= 2) bytes[t.type] += tensor_bytes(t.type, t.plan.shape);
  auto most = std::ranges::max_element(bytes, {}, [](const auto& b) { return b.second; });
  return most == bytes.end() ? Dtype::f32 : most->first;
}

Dtype type_in_gguf(const TensorPlan& plan, const ModelConfig& config, const std::optional<Recipe>& recipe) {
  if (plan.keep_f32) return Dtype::f32;
  if (!recipe) return plan.dtype;
  const bool head = plan.name == "output.weight" || (config.tied && plan.name == "token_embd.weight");
  return recipe->type_of({plan.state, plan.shape, layer_of(plan.state), config.layers, head});
}

// "model-00002-of-00005.gguf" -> "model-"; the name itself for a file that is whole.
std::string without_part(const std::string& name) {
  auto of = name.rfind("-of-");
  return of == std::string::npos || of < 5 ? name : name.substr(0, of - 5);
}

void refuse_overwriting(const Checkpoint& checkpoint, const fs::path& path) {
  std::error_code error;
  const fs::path source = checkpoint.path();
  bool same = fs::equivalent(source, path, error);
  if (checkpoint.format() == CheckpointFormat::gguf && fs::exists(path, error))
    same = same || (fs::equivalent(fs::path(checkpoint.folder()), path.parent_path().empty() ? "." : path.parent_path(), error) &&
                    without_part(source.filename()) == without_part(path.filename()));
  if (same) fail(ErrorKind::usage, "convert", "{} is the model that is read; give the new file another name", path.string());
  if (fs::is_directory(path, error))
    fail(ErrorKind::usage, "convert", "{} is a folder; name a file, such as {}", path.string(), (path / "model.gguf").string());
}

// The keys of another file are kept, known or not, except those about how it is stored and cut up.
void copy_metadata(const GgufFile& from, GgufWriter& out) {
  for (const GgufEntry& e : from.entries())
    if (e.key != "general.alignment" && !e.key.starts_with("split.")) out.copy(from, e);
}

// The tokenizer's ends of generation come first, the configuration's after them.
void add_vocabulary(const ModelConfig& config, const Tokenizer& tokenizer, GgufWriter& out, std::vector<std::string>& warnings) {
  GgmlVocabulary v = ggml_vocabulary(tokenizer);
  if (v.special.bos < 0 && config.bos) v.special.bos = static_cast<int32_t>(*config.bos);
  for (int64_t id : config.eos) {
    if (v.special.eos < 0) v.special.eos = static_cast<int32_t>(id);
    if (id != v.special.eos && std::ranges::find(v.end_of_turn, id) == v.end_of_turn.end()) v.end_of_turn.push_back(static_cast<int32_t>(id));
  }
  if (v.end_of_turn.size() > 2)
    warnings.push_back(fmt::format("GGUF has keys for three ends of a text; {} of this model's were left out", v.end_of_turn.size() - 2));
  if (int64_t dropped = fit_vocabulary(v, config.vocab); dropped > 0)
    warnings.push_back(fmt::format("{} words of the tokenizer have no row in the model's embedding of {} and were left out", dropped, config.vocab));
  warnings.insert(warnings.end(), v.warnings.begin(), v.warnings.end());
  write_vocabulary(v, out);
}

void add_metadata(const Checkpoint& checkpoint, const ModelConfig& config, const Tokenizer* tokenizer, const WriteOptions& options, GgufWriter& out,
                  std::vector<std::string>& warnings) {
  if (checkpoint.gguf()) {
    copy_metadata(*checkpoint.gguf(), out);
    return;
  }
  auto metadata = gguf_metadata(config);
  write_metadata(metadata, out);
  out.set_string("general.type", "model");
  if (config.name.empty() && !options.name.empty()) out.set_string("general.name", options.name);
  if (tokenizer) {
    add_vocabulary(config, *tokenizer, out, warnings);
  } else {
    out.set_string("tokenizer.ggml.model", "none");
    warnings.emplace_back("the file has no tokenizer; it runs with --ids");
  }
}

}  // namespace

WriteReport write_gguf(const Checkpoint& checkpoint, const Tokenizer* tokenizer, const std::string& path, const WriteOptions& options) {
  refuse_overwriting(checkpoint, path);
  const ModelConfig config = read_config(checkpoint);
  WeightStream stream(checkpoint, config, options);

  // First, because it refuses what GGUF has no words for.
  std::vector<std::string> warnings;
  GgufWriter out(path);
  add_metadata(checkpoint, config, tokenizer, options, out, warnings);
  std::vector<PlannedTensor> tensors;
  for (TensorPlan& plan : plan_tensors(config, stream.weights().types(), checkpoint.path(), CheckpointFormat::gguf)) {
    Dtype type = type_in_gguf(plan, config, options.recipe);
    tensors.push_back({std::move(plan), type});
  }
  stream.expect_mergeable(tensors);
  // A GGUF file's tensors that no state names (rotary factors, parts of other models) go along as they are.
  std::vector<const CheckpointTensor*> copied;
  std::vector<MadeTensor> made;
  if (checkpoint.gguf()) {
    for (const CheckpointTensor& t : checkpoint.tensors())
      if (std::ranges::none_of(tensors, [&](const PlannedTensor& p) { return p.plan.name == t.name; })) copied.push_back(&t);
  } else {
    made = gguf_rope_tensors(config);
  }

  const Dtype most = main_type(tensors);
  const auto number = file_type(options.recipe ? options.recipe->name : name(most));
  // What another GGUF file says of itself stays, unless its weights come out in other types than they went in.
  const bool same_types = checkpoint.gguf() && !options.recipe && std::ranges::none_of(checkpoint.tensors(), &CheckpointTensor::converted);
  if (number && !same_types) out.set_u32("general.file_type", *number);
  if (is_quantised(most)) out.set_u32("general.quantization_version", 2);

  uint64_t total = 0;
  auto declare = [&](std::string_view tensor, Dtype type, const Shape& shape) {
    out.declare(tensor, type, shape);
    total += tensor_bytes(type, shape);
  };
  for (const MadeTensor& m : made) declare(m.name, m.values.dtype(), m.values.shape());
  for (const CheckpointTensor* t : copied) {
    if (!t->dtype)
      fail(ErrorKind::file, "convert", "{}: tensor '{}' is stored as {}, which cannot be copied", checkpoint.path(), t->name, t->type_name);
    declare(t->name, *t->dtype, t->shape);
  }
  for (const PlannedTensor& t : tensors) declare(t.plan.name, t.type, t.plan.shape);
  check_room(path, total);

  auto write = [&](std::string_view tensor, const Tensor& t) { out.write(tensor, {t.bytes(), t.size_bytes()}); };
  for (const MadeTensor& m : made) write(m.name, m.values);
  for (const CheckpointTensor* t : copied) write(t->name, stream.copy(*t));
  for (const PlannedTensor& t : tensors) write(t.plan.name, stream.next(t));
  out.commit();
  WriteReport report = stream.report();
  report.warnings.insert(report.warnings.end(), warnings.begin(), warnings.end());
  return report;
}

}  // namespace motley

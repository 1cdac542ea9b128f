#include "api/write_shape.h"

#include <fmt/core.h>

#include <string_view>

#include "base/check.h"
#include "io/gguf_writer.h"
#include "nn/convert.h"
#include "nn/families.h"
#include "nn/names.h"
#include "nn/shapes.h"

namespace motley {
namespace {

// Token types of tokenizer.ggml.token_type.
constexpr int32_t kNormal = 1, kUnknown = 2, kControl = 3, kByte = 6;

void write_vocabulary(GgufWriter& file, int64_t size) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> types = {kUnknown, kControl, kControl};
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(fmt::format("<0x{:02X}>", byte)), types.push_back(kByte);
  for (auto i = static_cast<int64_t>(tokens.size()); i < size; ++i) tokens.push_back(fmt::format("\xe2\x96\x81w{}", i)), types.push_back(kNormal);
  std::vector<std::string_view> views(tokens.begin(), tokens.end());
  std::vector<float> scores(tokens.size());
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = -static_cast<float>(i);
  file.set_string("tokenizer.ggml.model", "llama");
  file.set_strings("tokenizer.ggml.tokens", views);
  file.set_f32s("tokenizer.ggml.scores", scores);
  file.set_i32s("tokenizer.ggml.token_type", types);
  file.set_u32("tokenizer.ggml.bos_token_id", 1);
  file.set_u32("tokenizer.ggml.eos_token_id", 2);
  file.set_u32("tokenizer.ggml.unknown_token_id", 0);
}

}  // namespace

void write_shape(const ModelSource& source, const std::string& path, const std::function<void(int64_t, int64_t)>& progress) {
  GgufWriter file(path);
  write_metadata(gguf_metadata(source.config), file);
  write_vocabulary(file, source.config.vocab);
  const Family& family = family_of(source.config);
  auto weights = model_weights(source.config, source.types);
  auto made = gguf_rope_tensors(source.config);
  int64_t total = 0, done = 0;
  auto name_of = [&](const NamedType& w) {
    auto name = gguf_name(family, w.name);
    check(name.has_value(), "a known shape's weights have GGUF names");
    return *name;
  };
  for (const NamedType& w : weights) file.declare(name_of(w), w.type.dtype, bind(w.type.shape, {})), total += max_bytes(w.type);
  for (const MadeTensor& t : made) file.declare(t.name, t.values.dtype(), t.values.shape());
  for (const NamedType& w : weights) {
    Tensor t = source.load(w.name);
    file.write(name_of(w), {t.bytes(), t.size_bytes()});
    done += max_bytes(w.type);
    if (progress) progress(done, total);
  }
  for (const MadeTensor& t : made) file.write(t.name, {t.values.bytes(), t.values.size_bytes()});
  file.commit();
}

}  // namespace motley

// TextCNN (Kim 2014): convolutions of several widths over embedded tokens, each followed by batch norm, ReLU and the largest value over the
// text, and a dense layer on all of those.
//
//   {"model_type": "text-cnn", "vocab_size": 10000, "embedding_size": 64, "filters": 100, "kernel_sizes": [3, 4, 5], "batch_norm": true,
//    "dropout": 0.5, "max_tokens": 256, "id2label": {"0": "negative", "1": "positive"}}
//
// A window ends at a token of the text and may begin before the text, where there are zeros: so every text has windows, and padding after it
// is in none. While learning, batch norm counts the windows of padding too, as everybody's does.
//
// S texts of at most L tokens, E = hidden, F = ff filters of each width.
#include <fmt/core.h>

#include "nn/families_list.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

constexpr float kNowhere = -1e30f;  // so far below zero that ReLU makes it zero whatever is added
constexpr float kMomentum = 0.1f;   // of the running statistics, as in PyTorch

// x [S, L, E] -> the largest value of each filter [S, 1, F]. outside [S, L, 1]: what is added to windows of padding.
Value largest(Builder& b, const ModelConfig& c, Value x, Value outside, size_t which) {
  const int64_t width = c.kernel_sizes[which], steps = b.type(x).dim(1).n;
  auto scope = b.scope(fmt::format("convolutions.{}", which));
  Value w = b.as_f32(b.weight("weight", {c.ff, c.hidden, width})), bias = b.as_f32(b.weight("bias", {c.ff}));
  Value y = b.slice(b.emit(Conv1d{.padding = width - 1}, {x, w}), 1, 0, steps);
  y = b.add(y, bias);
  if (c.batch_norm) {
    auto norm = b.block(-1, fmt::format("norms.{}", which));
    y = b.batch_norm(y, c.norm_eps, kMomentum);
  }
  return b.emit(Pool{.kind = PoolKind::max, .kernel = steps}, {b.act(Activation::relu, b.add(y, outside))});
}

void build(Builder& b, const ModelConfig& c) {
  Value x = b.grid(embed(b, c, "embedding"));
  Value outside = b.mul(b.sub(b.scalar(1), b.grid_mask()), b.scalar(kNowhere));
  const Dim texts = b.type(x).dim(0);
  std::vector<Value> parts;
  for (size_t i = 0; i < c.kernel_sizes.size(); ++i) parts.push_back(largest(b, c, x, outside, i));
  const int64_t width = c.ff * static_cast<int64_t>(parts.size());
  Value all = parts.size() == 1 ? parts[0] : b.emit(Concat{-1}, parts);
  all = b.dropout(b.reshape(all, {texts, {width}}), c.head_dropout);
  b.output(linear(b, c, all, "classifier", width, c.num_labels(), true), "logits");
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.kernel_sizes = source.find_ints("kernel_sizes").value_or(std::vector<int64_t>{3, 4, 5});
  if (c.kernel_sizes.empty() || c.kernel_sizes.size() > 64)
    source.refuse("kernel_sizes", fmt::format("a list of {}", c.kernel_sizes.size()), "1 to 64 widths");
  for (int64_t width : c.kernel_sizes)
    if (width < 1 || width > 64) source.refuse("kernel_sizes", fmt::format("{}", width), "widths from 1 to 64");
  c.batch_norm = source.flag("batch_norm", true);
  c.head_dropout = static_cast<float>(source.number("dropout", {0, 0.99}, 0));
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("kernel_sizes", c.kernel_sizes);
  sink.set("batch_norm", c.batch_norm);
  sink.set("norm_eps", shortest_decimal(c.norm_eps));
  sink.set("dropout", shortest_decimal(c.head_dropout));
}

constexpr std::string_view kTypes[] = {"text-cnn"};
constexpr NamePair kAliases[] = {
    {"hidden_size", "embedding_size"}, {"intermediate_size", "filters"}, {"max_position_embeddings", "max_tokens"}, {"rms_norm_eps", "norm_eps"}};

}  // namespace

const Family kTextCnn = {
    .name = "text-cnn",
    .model_types = kTypes,
    .architecture = "TextCnn",
    .gguf = "",
    .weights_prefix = "",
    .build = build,
    .read_hf = read_hf,
    .write_hf = write_hf,
    .names = {},
    .aliases = kAliases,
    .layer_norm = true,
    .defaults = {.norm_eps = 1e-5, .partial_rotary = 0, .activation = Activation::relu, .layers = 1, .heads = 1, .max_positions = 512},
    .kind = FamilyKind::classifier,
    .grid = true};

}  // namespace motley

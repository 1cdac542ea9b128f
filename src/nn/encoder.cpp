#include "nn/encoder.h"

#include <fmt/core.h>

#include "base/error.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

Value embeddings(Builder& b, const ModelConfig& c, const EncoderNames& names) {
  auto scope = b.scope(names.embeddings);
  Value words = b.weight("word_embeddings.weight", {c.vocab, c.hidden});
  Value h = b.gather(words, b.tokens());
  Value kinds = c.token_types > 0 ? b.weight("token_type_embeddings.weight", {c.token_types, c.hidden}) : Value{};
  if (c.token_types > 1) h = b.add(h, b.gather(kinds, b.token_types()));
  if (c.token_types == 1) h = b.add(h, b.as_f32(kinds));
  Value places = b.weight("position_embeddings.weight", {c.max_positions, c.hidden});
  h = b.add(h, b.gather(places, b.positions()));
  return b.dropout(layer_norm(b, c, h, "LayerNorm"), c.dropout);
}

Value self_attention(Builder& b, const ModelConfig& c, const EncoderNames& names, int64_t layer, Value x) {
  auto heads = [&](std::string_view name) { return b.split_heads(linear(b, c, x, name, c.hidden, c.hidden, c.qkv_bias), c.heads); };
  Value q = heads(names.query), k = heads(names.key), v = heads(names.value);
  return b.dropout(linear(b, c, attend(b, c, layer, q, k, v), names.out, c.hidden, c.hidden, c.output_bias), c.dropout);
}

Value feed_forward(Builder& b, const ModelConfig& c, const EncoderNames& names, Value x) {
  Value y = b.act(c.activation, linear(b, c, x, names.up, c.hidden, c.ff, c.ff_bias));
  return b.dropout(linear(b, c, y, names.down, c.ff, c.hidden, c.ff_bias), c.dropout);
}

}  // namespace

Value encode(Builder& b, const ModelConfig& c, const EncoderNames& names) {
  Value h = embeddings(b, c, names);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name(names.layers, layer));
    h = layer_norm(b, c, b.add(h, self_attention(b, c, names, layer, h)), names.out_norm);
    h = layer_norm(b, c, b.add(h, feed_forward(b, c, names, h)), names.down_norm);
  }
  return h;
}

std::string word_table(const EncoderNames& names) { return fmt::format("{}.word_embeddings.weight", names.embeddings); }

bool answer_encoder(Builder& b, const ModelConfig& c, Value h) {
  switch (c.task) {
    case Task::embedding:
      if (c.pooling == Pooling::pooler) return false;
      sentence_embedding(b, c, c.pooling == Pooling::mean ? b.mean_rows(h) : c.pooling == Pooling::first ? b.first_rows(h) : b.last_rows(h));
      return true;
    case Task::token_classification:
      b.output(linear(b, c, b.dropout(h, c.head_dropout), "classifier", c.hidden, c.num_labels(), true), "logits");
      return true;
    case Task::question_answering:
      b.output(linear(b, c, h, "qa_outputs", c.hidden, 2, true), "logits");
      return true;
    default:
      return false;
  }
}

void masked_head(Builder& b, const ModelConfig& c, Value h, const MaskedHead& head, std::string_view table) {
  Value x = b.act(c.activation, linear(b, c, b.wanted_rows(h), head.dense, c.hidden, c.hidden, true));
  x = layer_norm(b, c, x, head.norm);
  Value w = b.weight(c.tied ? std::string(table) : fmt::format("{}.weight", head.decoder), {c.vocab, c.hidden});
  Value bias = b.as_f32(b.weight(head.bias, {c.vocab}));
  auto scope = b.scope(head.decoder);
  b.output(b.add(b.matmul(x, w), bias), "logits");
}

void encoder_read_hf(const ConfigSource& source, ModelConfig& c) {
  c.causal = false;
  for (const char* key : {"is_decoder", "add_cross_attention"})
    if (source.flag(key, false)) source.refuse(key, "true", "false: an encoder reads texts whole");
  if (auto kind = source.find_string("position_embedding_type"); kind && *kind != "absolute")
    source.refuse("position_embedding_type", *kind, "absolute");
  c.dropout = static_cast<float>(source.number("hidden_dropout_prob", {0, 0.99}, 0.1));
  c.head_dropout = static_cast<float>(source.number("classifier_dropout", {0, 0.99}, static_cast<double>(c.dropout)));
}

void encoder_write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("type_vocab_size", c.token_types);
  sink.set("hidden_dropout_prob", shortest_decimal(c.dropout));
  sink.set("classifier_dropout", shortest_decimal(c.head_dropout));
}

}  // namespace motley

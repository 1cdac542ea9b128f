// BART (Lewis et al. 2020) and Marian's translators (Junczys-Dowmunt et al. 2018): the encoder and decoder of Vaswani et al. 2017, with a norm behind
// attention and feed-forward and the embedding as the head. BART learned its positions and normalises what goes into the first layer; Marian's
// positions are sines.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "nn/families_list.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

// The encoder or the decoder.
struct Stack {
  std::string_view prefix;
  int64_t layers, heads, ff, first_block;
  bool causal;
};

Stack encoder(const ModelConfig& c) { return {"model.encoder", c.seq2seq.layers, c.seq2seq.heads, c.seq2seq.ff, 0, false}; }
Stack decoder(const ModelConfig& c) { return {"model.decoder", c.layers, c.heads, c.ff, c.seq2seq.layers, true}; }

std::string layer_name(const Stack& s, int64_t layer) { return block_name(fmt::format("{}.layers", s.prefix), layer); }

Value words(Builder& b, const ModelConfig& c) {
  Value h = embed(b, c, "model.shared");
  return c.seq2seq.scaled_embedding ? b.mul(h, b.scalar(static_cast<float>(std::sqrt(static_cast<double>(c.hidden))))) : h;
}

// [T, E]: what goes into the first layer.
using Embedding = Value (*)(Builder& b, const ModelConfig& c, const Stack& s);

// The table of positions begins with two rows that none has: fairseq, which BART was trained with, counts from behind its padding token.
Value embed_bart(Builder& b, const ModelConfig& c, const Stack& s) {
  constexpr int64_t kUnused = 2;
  Value table = b.weight(fmt::format("{}.embed_positions.weight", s.prefix), {c.max_positions + kUnused, c.hidden});
  Value rows = b.add(b.emit(Cast{Dtype::f32}, {b.positions()}), b.scalar(kUnused));
  Value h = b.add(words(b, c), b.gather(table, b.emit(Cast{Dtype::i32}, {rows})));
  return layer_norm(b, c, h, fmt::format("{}.layernorm_embedding", s.prefix));
}

// A position's first E / 2 elements are the sines of as many angles, the others their cosines: (0, 1) turned back by each angle.
Value embed_marian(Builder& b, const ModelConfig& c, const Stack&) {
  const int64_t half = c.hidden / 2;
  std::vector<float> upright(static_cast<size_t>(c.hidden), 0), back;
  std::fill(upright.begin() + half, upright.end(), 1.0f);
  for (int64_t i = 0; i < half; ++i)
    back.push_back(static_cast<float>(-std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(c.hidden))));
  const Dim tokens = b.type(b.positions()).dim(0);
  Value x = b.broadcast(b.constant({1, 1, c.hidden}, upright), {tokens, {1}, {c.hidden}});
  return b.add(words(b, c), b.merge_heads(b.rope(x, b.constant({half}, back), RopePairing::half, c.hidden)));
}

Value heads_of(Builder& b, const ModelConfig& c, int64_t heads, Value x, std::string_view name) {
  return b.split_heads(linear(b, c, x, name, c.hidden, c.hidden, true), heads);
}

float scale_of(const ModelConfig& c, int64_t heads) { return static_cast<float>(1 / std::sqrt(static_cast<double>(c.hidden / heads))); }

Value self_attention(Builder& b, const ModelConfig& c, const Stack& s, Value x) {
  auto scope = b.scope("self_attn");
  Value q = heads_of(b, c, s.heads, x, "q_proj"), k = heads_of(b, c, s.heads, x, "k_proj"), v = heads_of(b, c, s.heads, x, "v_proj");
  Value y = b.attend(q, k, v, {.scale = scale_of(c, s.heads), .causal = s.causal});
  return linear(b, c, b.merge_heads(y), "out_proj", c.hidden, c.hidden, true);
}

std::pair<Value, Value> source_rows(Builder& b, const ModelConfig& c, Value source) {
  return {heads_of(b, c, c.heads, source, "k_proj"), heads_of(b, c, c.heads, source, "v_proj")};
}

Value source_attention(Builder& b, const ModelConfig& c, Value x, Value source) {
  auto scope = b.scope("encoder_attn");
  Value q = heads_of(b, c, c.heads, x, "q_proj");
  Value y = b.attend_source(q, c.heads, scale_of(c, c.heads), [&] { return source_rows(b, c, source); });
  return linear(b, c, b.merge_heads(y), "out_proj", c.hidden, c.hidden, true);
}

Value feed_forward(Builder& b, const ModelConfig& c, const Stack& s, Value x) {
  return linear(b, c, b.act(c.activation, linear(b, c, x, "fc1", c.hidden, s.ff, true)), "fc2", s.ff, c.hidden, true);
}

Value run(Builder& b, const ModelConfig& c, const Stack& s, Embedding embedding, Value source) {
  Value h = b.dropout(embedding(b, c, s), c.dropout);
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    auto block = b.block(static_cast<int>(s.first_block + layer), layer_name(s, layer));
    auto add = [&](Value y, std::string_view norm) { h = layer_norm(b, c, b.add(h, b.dropout(y, c.dropout)), norm); };
    add(self_attention(b, c, s, h), "self_attn_layer_norm");
    if (s.causal) add(source_attention(b, c, h, source), "encoder_attn_layer_norm");
    add(feed_forward(b, c, s, h), "final_layer_norm");
  }
  return h;
}

template <Embedding kEmbedding>
void read_source(Builder& b, const ModelConfig& c) {
  const Stack s = decoder(c);
  Value source = run(b, c, encoder(c), kEmbedding, {});
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    auto block = b.block(static_cast<int>(s.first_block + layer), layer_name(s, layer) + ".encoder_attn");
    auto [k, v] = source_rows(b, c, source);
    b.keep_source(k, v);
  }
}

template <Embedding kEmbedding>
void build(Builder& b, const ModelConfig& c) {
  Value source = b.source([&] { return run(b, c, encoder(c), kEmbedding, {}); });
  Value x = b.wanted_rows(run(b, c, decoder(c), kEmbedding, source));
  Value w = b.weight("model.shared.weight", {c.vocab, c.hidden});
  // Most files hold zeros, some nothing.
  Value bias = b.has_weight("final_logits_bias") ? b.as_f32(b.weight("final_logits_bias", {1, c.vocab})) : Value{};
  auto scope = b.scope("lm_head");
  Value y = b.matmul(x, w);
  b.output(bias.valid() ? b.add(y, bias) : y, "logits");
}

void read_common(const ConfigSource& source, ModelConfig& c, int64_t eos) {
  Seq2SeqConfig& s = c.seq2seq;
  s.layers = source.integer("encoder_layers", {1, kMaxLayers});
  s.heads = source.integer("encoder_attention_heads", {1, kMaxHeads});
  s.ff = source.integer("encoder_ffn_dim", {1, kMaxWidth});
  if (c.hidden % s.heads != 0)
    source.refuse("encoder_attention_heads", fmt::format("{}", s.heads), fmt::format("a divisor of the {} channels", c.hidden));
  for (const char* key : {"normalize_before", "add_final_layer_norm"})
    if (source.flag(key, false)) source.refuse(key, "true", "false: a norm stands behind each part and nowhere else");
  if (!c.tied) source.refuse("tie_word_embeddings", "false", "true: the embedding is the head");
  s.scaled_embedding = source.flag("scale_embedding", false);
  c.dropout = static_cast<float>(source.number("dropout", {0, 0.99}, 0.1));
  if (c.eos.empty()) c.eos = {eos};
  if (auto pad = source.ids("pad_token_id"); !pad.empty()) s.pad = pad[0];
}

void read_bart(const ConfigSource& source, ModelConfig& c) {
  read_common(source, c, 2);
  if (!source.flag("normalize_embedding", true)) source.refuse("normalize_embedding", "false", "true: a norm stands before the first layer");
  if (source.flag("static_position_embeddings", false)) source.refuse("static_position_embeddings", "true", "false: positions are learned");
  c.seq2seq.start = source.integer("decoder_start_token_id", {0, kMaxId}, c.eos[0]);
}

void read_marian(const ConfigSource& source, ModelConfig& c) {
  read_common(source, c, 0);
  if (!source.flag("share_encoder_decoder_embeddings", true))
    source.refuse("share_encoder_decoder_embeddings", "false", "true: one vocabulary for both languages");
  if (auto words = source.integer("decoder_vocab_size", {1, kMaxVocab}, c.vocab); words != c.vocab)
    source.refuse("decoder_vocab_size", fmt::format("{}", words), fmt::format("{}, as vocab_size is: one vocabulary for both languages", c.vocab));
  if (source.flag("normalize_embedding", false)) source.refuse("normalize_embedding", "true", "false: no norm stands before the first layer");
  if (!source.flag("static_position_embeddings", true)) source.refuse("static_position_embeddings", "false", "true: positions are sines");
  if (c.hidden % 2 != 0) source.refuse("hidden_size", fmt::format("{}", c.hidden), "an even number: half are sines, half cosines");
  Seq2SeqConfig& s = c.seq2seq;
  s.start = s.pad ? source.integer("decoder_start_token_id", {0, kMaxId}, *s.pad) : source.integer("decoder_start_token_id", {0, kMaxId});
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  const Seq2SeqConfig& s = c.seq2seq;
  sink.set("is_encoder_decoder", true);
  sink.set("encoder_layers", s.layers);
  sink.set("encoder_attention_heads", s.heads);
  sink.set("encoder_ffn_dim", s.ff);
  sink.set("scale_embedding", s.scaled_embedding);
  sink.set("dropout", shortest_decimal(c.dropout));
  sink.set("pad_token_id", s.pad ? ConfigValue(*s.pad) : ConfigValue(nullptr));
  sink.set("decoder_start_token_id", s.start);
}

constexpr std::string_view kBartTypes[] = {"bart"}, kMarianTypes[] = {"marian"};
constexpr NamePair kAliases[] = {{"hidden_size", "d_model"},
                                 {"intermediate_size", "decoder_ffn_dim"},
                                 {"num_hidden_layers", "decoder_layers"},
                                 {"num_attention_heads", "decoder_attention_heads"},
                                 {"hidden_act", "activation_function"}};
constexpr HfDefaults kDefaults = {.norm_eps = 1e-5,
                                  .partial_rotary = 0,
                                  .activation = Activation::gelu,
                                  .tied = true,
                                  .qkv_bias = true,
                                  .output_bias = true,
                                  .ff_bias = true,
                                  .max_positions = 1024};

}  // namespace

const Family kBart = {.name = "bart",
                      .model_types = kBartTypes,
                      .architecture = "BartForConditionalGeneration",
                      .gguf = "",
                      .weights_prefix = "model.",
                      .build = build<embed_bart>,
                      .read_hf = read_bart,
                      .write_hf = write_hf,
                      .names = {},
                      .aliases = kAliases,
                      .layer_norm = true,
                      .defaults = kDefaults,
                      .kind = FamilyKind::seq2seq,
                      .read_source = read_source<embed_bart>};

const Family kMarian = {.name = "marian",
                        .model_types = kMarianTypes,
                        .architecture = "MarianMTModel",
                        .gguf = "",
                        .weights_prefix = "model.",
                        .build = build<embed_marian>,
                        .read_hf = read_marian,
                        .write_hf = write_hf,
                        .names = {},
                        .aliases = kAliases,
                        .layer_norm = true,
                        .defaults = kDefaults,
                        .kind = FamilyKind::seq2seq,
                        .read_source = read_source<embed_marian>};

}  // namespace motley

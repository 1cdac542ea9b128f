// T5 (Raffel et al. 2020) and its version 1.1, of which Flan-T5 and mT5 are made: an encoder and a decoder that know positions only by a bias on
// their scores, one for each head and kind of distance, which the first layer has for all. Scores are not scaled. Version 1.1 has a gate in the
// feed-forward and a head of its own, where the first ties it to the embedding and scales what goes into it.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
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

Stack encoder(const ModelConfig& c) { return {"encoder", c.seq2seq.layers, c.seq2seq.heads, c.seq2seq.ff, 0, false}; }
Stack decoder(const ModelConfig& c) { return {"decoder", c.layers, c.heads, c.ff, c.seq2seq.layers, true}; }

std::string layer_name(const Stack& s, int64_t layer) { return block_name(fmt::format("{}.block", s.prefix), layer); }

// Near distances have a bucket each, farther ones share one with all of a range that grows as they do; forward ones have the second half, where a
// token sees any. Single precision, as it was trained: the border of a range is a rounded logarithm.
int64_t bucket_of(int64_t distance, int64_t buckets, int64_t farthest, bool causal) {
  int64_t first = 0, away = causal ? std::max<int64_t>(0, -distance) : std::abs(distance);
  if (!causal) buckets /= 2, first = distance > 0 ? buckets : 0;
  const int64_t exact = buckets / 2;
  if (away < exact) return first + away;
  const float ratio = std::log(static_cast<float>(away) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(farthest) / static_cast<double>(exact)));
  return first + std::min(buckets - 1, exact + static_cast<int64_t>(ratio * static_cast<float>(buckets - exact)));
}

Value distance_bias(Builder& b, const ModelConfig& c, const Stack& s) {
  auto scope = b.scope(layer_name(s, 0) + ".layer.0.SelfAttention.relative_attention_bias");
  const int64_t reach = c.seq2seq.farthest, count = 2 * reach + 1;
  std::vector<float> buckets;
  for (int64_t distance = -reach; distance <= reach; ++distance)
    buckets.push_back(static_cast<float>(bucket_of(distance, c.seq2seq.buckets, reach, s.causal)));
  Value ids = b.emit(Cast{Dtype::i32}, {b.constant({count}, buckets)});
  return b.transpose(b.gather(b.weight("weight", {c.seq2seq.buckets, s.heads}), ids), {1, 0});
}

Value heads_of(Builder& b, const ModelConfig& c, int64_t heads, Value x, std::string_view name) {
  return b.split_heads(linear(b, c, x, name, c.hidden, heads * c.head_dim, false), heads);
}

Value self_attention(Builder& b, const ModelConfig& c, const Stack& s, Value x, Value bias) {
  auto scope = b.scope("SelfAttention");
  Value q = heads_of(b, c, s.heads, x, "q"), k = heads_of(b, c, s.heads, x, "k"), v = heads_of(b, c, s.heads, x, "v");
  Value y = b.attend(q, k, v, {.scale = static_cast<float>(c.attention_scale), .causal = s.causal, .bias = bias});
  return linear(b, c, b.merge_heads(y), "o", s.heads * c.head_dim, c.hidden, false);
}

std::pair<Value, Value> source_rows(Builder& b, const ModelConfig& c, Value source) {
  return {heads_of(b, c, c.heads, source, "k"), heads_of(b, c, c.heads, source, "v")};
}

Value source_attention(Builder& b, const ModelConfig& c, Value x, Value source) {
  auto scope = b.scope("EncDecAttention");
  Value q = heads_of(b, c, c.heads, x, "q");
  Value y = b.attend_source(q, c.heads, static_cast<float>(c.attention_scale), [&] { return source_rows(b, c, source); });
  return linear(b, c, b.merge_heads(y), "o", c.heads * c.head_dim, c.hidden, false);
}

Value feed_forward(Builder& b, const ModelConfig& c, const Stack& s, Value x) {
  auto scope = b.scope("DenseReluDense");
  Value y = c.seq2seq.gated ? b.glu(c.activation, linear(b, c, x, "wi_0", c.hidden, s.ff, false), linear(b, c, x, "wi_1", c.hidden, s.ff, false))
                            : b.act(c.activation, linear(b, c, x, "wi", c.hidden, s.ff, false));
  return linear(b, c, b.dropout(y, c.dropout), "wo", s.ff, c.hidden, false);
}

// The hidden states before the last norm.
Value run(Builder& b, const ModelConfig& c, const Stack& s, Value source) {
  Value bias = distance_bias(b, c, s);
  Value h = b.dropout(embed(b, c, "shared"), c.dropout);
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    auto block = b.block(static_cast<int>(s.first_block + layer), layer_name(s, layer));
    int64_t part = 0;
    auto add = [&](auto&& what) {
      auto scope = b.scope(fmt::format("layer.{}", part++));
      h = b.add(h, b.dropout(what(rms_norm(b, c, h, "layer_norm")), c.dropout));
    };
    add([&](Value x) { return self_attention(b, c, s, x, bias); });
    if (s.causal) add([&](Value x) { return source_attention(b, c, x, source); });
    add([&](Value x) { return feed_forward(b, c, s, x); });
  }
  return h;
}

Value encode(Builder& b, const ModelConfig& c) { return b.dropout(rms_norm(b, c, run(b, c, encoder(c), {}), "encoder.final_layer_norm"), c.dropout); }

void read_source(Builder& b, const ModelConfig& c) {
  const Stack s = decoder(c);
  Value source = encode(b, c);
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    auto block = b.block(static_cast<int>(s.first_block + layer), layer_name(s, layer) + ".layer.1.EncDecAttention");
    auto [k, v] = source_rows(b, c, source);
    b.keep_source(k, v);
  }
}

void build(Builder& b, const ModelConfig& c) {
  Value source = b.source([&] { return encode(b, c); });
  Value h = b.wanted_rows(run(b, c, decoder(c), source));
  Value x = b.dropout(rms_norm(b, c, h, "decoder.final_layer_norm"), c.dropout);
  if (c.tied) x = b.mul(x, b.scalar(static_cast<float>(1 / std::sqrt(static_cast<double>(c.hidden)))));
  answer(b, c, x, "lm_head", "shared");
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  Seq2SeqConfig& s = c.seq2seq;
  s.layers = c.layers, s.heads = c.heads, s.ff = c.ff;
  c.layers = source.integer("num_decoder_layers", {1, kMaxLayers}, c.layers);
  c.windows.assign(static_cast<size_t>(c.layers), 0);
  c.attention_scale = 1;
  s.buckets = source.integer("relative_attention_num_buckets", {4, 1 << 16}, 32);
  s.farthest = source.integer("relative_attention_max_distance", {2, 1 << 16}, 128);
  if (s.farthest <= s.buckets / 2)
    source.refuse("relative_attention_max_distance", fmt::format("{}", s.farthest), fmt::format("more than half of the {} buckets", s.buckets));
  const std::string kind = source.find_string("feed_forward_proj").value_or("relu");
  s.gated = kind.starts_with("gated-");
  if (kind == "gated-gelu") {
    c.activation = Activation::gelu_tanh;
  } else if (kind == "relu" || kind == "gated-silu" || kind == "gated-relu") {
    c.activation = kind == "gated-silu" ? Activation::silu : Activation::relu;
  } else {
    source.refuse("feed_forward_proj", kind, "one of relu, gated-gelu, gated-silu, gated-relu");
  }
  c.dropout = static_cast<float>(source.number("dropout_rate", {0, 0.99}, 0.1));
  if (auto pad = source.integer("pad_token_id", {-1, kMaxId}, 0); pad >= 0) s.pad = pad;
  s.start = source.integer("decoder_start_token_id", {0, kMaxId}, s.pad.value_or(0));
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  const Seq2SeqConfig& s = c.seq2seq;
  sink.set("is_encoder_decoder", true);
  sink.set("num_layers", s.layers);
  sink.set("num_decoder_layers", c.layers);
  sink.set("relative_attention_num_buckets", s.buckets);
  sink.set("relative_attention_max_distance", s.farthest);
  const char* kind = c.activation == Activation::relu ? "relu" : c.activation == Activation::silu ? "silu" : "gelu";
  sink.set("feed_forward_proj", fmt::format("{}{}", s.gated ? "gated-" : "", kind));
  sink.set("dropout_rate", shortest_decimal(c.dropout));
  sink.set("pad_token_id", s.pad ? ConfigValue(*s.pad) : ConfigValue(nullptr));
  sink.set("decoder_start_token_id", s.start);
}

constexpr std::string_view kTypes[] = {"t5", "mt5"};
constexpr NamePair kAliases[] = {{"hidden_size", "d_model"},
                                 {"intermediate_size", "d_ff"},
                                 {"head_dim", "d_kv"},
                                 {"num_hidden_layers", "num_layers"},
                                 {"num_attention_heads", "num_heads"},
                                 {"max_position_embeddings", "n_positions"},
                                 {"rms_norm_eps", "layer_norm_epsilon"}};

}  // namespace

const Family kT5 = {
    .name = "t5",
    .model_types = kTypes,
    .architecture = "T5ForConditionalGeneration",
    .gguf = "",
    .weights_prefix = "",
    .build = build,
    .read_hf = read_hf,
    .write_hf = write_hf,
    .names = {},
    .aliases = kAliases,
    .defaults =
        {.norm_eps = 1e-6, .partial_rotary = 0, .activation = Activation::relu, .tied = true, .head_dim = 64, .vocab = 32128, .max_positions = 512},
    .kind = FamilyKind::seq2seq,
    .read_source = read_source};

}  // namespace motley

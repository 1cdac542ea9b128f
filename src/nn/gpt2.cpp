// GPT-2 (Radford et al. 2019): layer norms with biases, learned positions, a plain feed-forward with tanh GELU.
#include "base/error.h"
#include "nn/families_list.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

Value self_attention(Builder& b, const ModelConfig& c, int64_t layer, Value x) {
  auto scope = b.scope("attn");
  Value qkv = linear(b, c, x, "c_attn", c.hidden, 3 * c.hidden, c.qkv_bias);
  auto part = [&](int64_t i) { return b.split_heads(b.slice(qkv, -1, i * c.hidden, c.hidden), c.heads); };
  return linear(b, c, attend(b, c, layer, part(0), part(1), part(2)), "c_proj", c.hidden, c.hidden, c.output_bias);
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  auto scope = b.scope("mlp");
  return linear(b, c, b.act(c.activation, linear(b, c, x, "c_fc", c.hidden, c.ff, c.ff_bias)), "c_proj", c.ff, c.hidden, c.ff_bias);
}

void build(Builder& b, const ModelConfig& c) {
  if (c.context > c.max_positions)
    fail(ErrorKind::usage, "model", "a context of {} was asked for, but this model has learned {} positions: ask for at most that", c.context,
         c.max_positions);
  Value position = b.gather(b.weight("transformer.wpe.weight", {c.max_positions, c.hidden}), b.positions());
  Value h = b.add(embed(b, c, "transformer.wte"), position);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name("transformer.h", layer));
    h = b.add(h, self_attention(b, c, layer, layer_norm(b, c, h, "ln_1")));
    h = b.add(h, feed_forward(b, c, layer_norm(b, c, h, "ln_2")));
  }
  answer(b, c, layer_norm(b, c, rows_to_answer(b, c, h), "transformer.ln_f"), "lm_head", "transformer.wte");
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.input_first = true;
  for (const char* key : {"scale_attn_by_inverse_layer_idx", "add_cross_attention"})
    if (source.flag(key, false)) source.refuse(key, "true", "false: this variant of GPT-2 is not supported");
  if (!source.flag("scale_attn_weights", true)) c.attention_scale = 1;
}

void write_hf(const ModelConfig& c, ConfigSink& sink) { sink.set("scale_attn_weights", c.attention_scale != 1); }

void read_gguf(const ConfigSource&, ModelConfig& c) { c.rope.dims = 0; }

constexpr std::string_view kTypes[] = {"gpt2"};
constexpr NamePair kNames[] = {{"transformer.wte", "token_embd"},
                               {"transformer.wpe", "position_embd"},
                               {"transformer.ln_f", "output_norm"},
                               {"transformer.h.{}.ln_1", "blk.{}.attn_norm"},
                               {"transformer.h.{}.attn.c_attn", "blk.{}.attn_qkv"},
                               {"transformer.h.{}.attn.c_proj", "blk.{}.attn_output"},
                               {"transformer.h.{}.ln_2", "blk.{}.ffn_norm"},
                               {"transformer.h.{}.mlp.c_fc", "blk.{}.ffn_up"},
                               {"transformer.h.{}.mlp.c_proj", "blk.{}.ffn_down"}};
constexpr NamePair kAliases[] = {{"hidden_size", "n_embd"},
                                 {"max_position_embeddings", "n_positions"},
                                 {"num_attention_heads", "n_head"},
                                 {"num_hidden_layers", "n_layer"},
                                 {"intermediate_size", "n_inner"},
                                 {"hidden_act", "activation_function"},
                                 {"rms_norm_eps", "layer_norm_epsilon"}};

}  // namespace

const Family kGpt2 = {.name = "gpt2",
                      .model_types = kTypes,
                      .architecture = "GPT2LMHeadModel",
                      .gguf = "gpt2",
                      .weights_prefix = "transformer.",
                      .build = build,
                      .read_hf = read_hf,
                      .write_hf = write_hf,
                      .read_gguf = read_gguf,
                      .names = kNames,
                      .aliases = kAliases,
                      .difference = FormatDifference::transposed,
                      .layer_norm = true,
                      .defaults = {.norm_eps = 1e-5,
                                   .partial_rotary = 0,
                                   .activation = Activation::gelu_tanh,
                                   .tied = true,
                                   .qkv_bias = true,
                                   .output_bias = true,
                                   .ff_bias = true,
                                   .max_positions = 1024}};

}  // namespace motley

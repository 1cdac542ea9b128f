// DistilBERT (Sanh et al. 2019): BERT with half the layers, without segments and without a pooler.
#include "nn/encoder.h"
#include "nn/families_list.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

constexpr EncoderNames kNames = {.embeddings = "distilbert.embeddings",
                                 .layers = "distilbert.transformer.layer",
                                 .query = "attention.q_lin",
                                 .key = "attention.k_lin",
                                 .value = "attention.v_lin",
                                 .out = "attention.out_lin",
                                 .out_norm = "sa_layer_norm",
                                 .up = "ffn.lin1",
                                 .down = "ffn.lin2",
                                 .down_norm = "output_layer_norm"};

void build(Builder& b, const ModelConfig& c) {
  Value h = encode(b, c, kNames);
  if (answer_encoder(b, c, h)) return;
  if (c.task == Task::masked_language_model) {
    masked_head(b, c, h, {.dense = "vocab_transform", .norm = "vocab_layer_norm", .decoder = "vocab_projector", .bias = "vocab_projector.bias"},
                word_table(kNames));
    return;
  }
  if (c.task == Task::embedding) refuse_pooler(c);
  Value x = b.act(Activation::relu, linear(b, c, b.first_rows(h), "pre_classifier", c.hidden, c.hidden, true));
  b.output(linear(b, c, b.dropout(x, c.head_dropout), "classifier", c.hidden, c.num_labels(), true), "logits");
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.causal = false;
  c.dropout = static_cast<float>(source.number("dropout", {0, 0.99}, 0.1));
  const bool question = c.task == Task::question_answering;
  c.head_dropout = static_cast<float>(source.number(question ? "qa_dropout" : "seq_classif_dropout", {0, 0.99}, question ? 0.1 : 0.2));
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("dropout", shortest_decimal(c.dropout));
  sink.set(c.task == Task::question_answering ? "qa_dropout" : "seq_classif_dropout", shortest_decimal(c.head_dropout));
}

constexpr std::string_view kTypes[] = {"distilbert"};
constexpr NamePair kAliases[] = {
    {"hidden_size", "dim"},       {"intermediate_size", "hidden_dim"}, {"num_attention_heads", "n_heads"}, {"num_hidden_layers", "n_layers"},
    {"hidden_act", "activation"}, {"rms_norm_eps", "layer_norm_eps"}};

}  // namespace

const Family kDistilBert = {.name = "distilbert",
                            .model_types = kTypes,
                            .architecture = "DistilBertModel",
                            .gguf = "",
                            .weights_prefix = "distilbert.",
                            .build = build,
                            .read_hf = read_hf,
                            .write_hf = write_hf,
                            .names = {},
                            .aliases = kAliases,
                            .layer_norm = true,
                            .defaults = {.norm_eps = 1e-12,
                                         .partial_rotary = 0,
                                         .activation = Activation::gelu,
                                         .tied = true,
                                         .qkv_bias = true,
                                         .output_bias = true,
                                         .ff_bias = true,
                                         .max_positions = 512},
                            .kind = FamilyKind::encoder};

}  // namespace motley

// BERT (Devlin et al. 2019), and RoBERTa (Liu et al. 2019), which is BERT trained in another way: its positions begin at two, it knows no
// segments, and its heads are its own.
#include "nn/encoder.h"
#include "nn/families_list.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

constexpr EncoderNames kBertNames = {.embeddings = "bert.embeddings",
                                     .layers = "bert.encoder.layer",
                                     .query = "attention.self.query",
                                     .key = "attention.self.key",
                                     .value = "attention.self.value",
                                     .out = "attention.output.dense",
                                     .out_norm = "attention.output.LayerNorm",
                                     .up = "intermediate.dense",
                                     .down = "output.dense",
                                     .down_norm = "output.LayerNorm"};

constexpr EncoderNames kRobertaNames = [] {
  EncoderNames names = kBertNames;
  names.embeddings = "roberta.embeddings", names.layers = "roberta.encoder.layer";
  return names;
}();

Value pooler(Builder& b, const ModelConfig& c, Value h, std::string_view name) {
  return b.emit(Tanh{}, {linear(b, c, b.first_rows(h), name, c.hidden, c.hidden, true)});
}

void build_bert(Builder& b, const ModelConfig& c) {
  Value h = encode(b, c, kBertNames);
  if (answer_encoder(b, c, h)) return;
  if (c.task == Task::masked_language_model) {
    masked_head(b, c, h,
                {.dense = "cls.predictions.transform.dense",
                 .norm = "cls.predictions.transform.LayerNorm",
                 .decoder = "cls.predictions.decoder",
                 .bias = "cls.predictions.bias"},
                word_table(kBertNames));
    return;
  }
  Value x = pooler(b, c, h, "bert.pooler.dense");
  if (c.task == Task::embedding) return sentence_embedding(b, c, x);
  b.output(linear(b, c, b.dropout(x, c.head_dropout), "classifier", c.hidden, c.num_labels(), true), "logits");
}

void build_roberta(Builder& b, const ModelConfig& c) {
  Value h = encode(b, c, kRobertaNames);
  if (answer_encoder(b, c, h)) return;
  if (c.task == Task::masked_language_model) {
    masked_head(b, c, h, {.dense = "lm_head.dense", .norm = "lm_head.layer_norm", .decoder = "lm_head.decoder", .bias = "lm_head.bias"},
                word_table(kRobertaNames));
    return;
  }
  if (c.task == Task::embedding) return sentence_embedding(b, c, pooler(b, c, h, "roberta.pooler.dense"));
  Value x = b.dropout(b.first_rows(h), c.head_dropout);
  x = b.emit(Tanh{}, {linear(b, c, x, "classifier.dense", c.hidden, c.hidden, true)});
  b.output(linear(b, c, b.dropout(x, c.head_dropout), "classifier.out_proj", c.hidden, c.num_labels(), true), "logits");
}

void read_bert(const ConfigSource& source, ModelConfig& c) {
  encoder_read_hf(source, c);
  c.token_types = source.integer("type_vocab_size", {0, kMaxVocab}, 2);
}

// The padding token's number is where positions begin to count: fairseq, which it was trained with, gave padding a position too.
void read_roberta(const ConfigSource& source, ModelConfig& c) {
  encoder_read_hf(source, c);
  c.token_types = source.integer("type_vocab_size", {0, kMaxVocab}, 2);
  c.first_position = source.integer("pad_token_id", {0, kMaxId - 1}, 1) + 1;
  if (c.first_position >= c.max_positions)
    source.refuse("pad_token_id", std::to_string(c.first_position - 1), "less than the number of positions, which begin to count after it");
}

void write_roberta(const ModelConfig& c, ConfigSink& sink) {
  encoder_write_hf(c, sink);
  sink.set("pad_token_id", c.first_position - 1);
}

constexpr std::string_view kBertTypes[] = {"bert"}, kRobertaTypes[] = {"roberta", "xlm-roberta", "camembert"};
constexpr NamePair kAliases[] = {{"rms_norm_eps", "layer_norm_eps"}};
constexpr HfDefaults kDefaults = {.norm_eps = 1e-12,
                                  .partial_rotary = 0,
                                  .activation = Activation::gelu,
                                  .tied = true,
                                  .qkv_bias = true,
                                  .output_bias = true,
                                  .ff_bias = true,
                                  .max_positions = 512};

}  // namespace

const Family kBert = {.name = "bert",
                      .model_types = kBertTypes,
                      .architecture = "BertModel",
                      .gguf = "",
                      .weights_prefix = "bert.",
                      .build = build_bert,
                      .read_hf = read_bert,
                      .write_hf = encoder_write_hf,
                      .names = {},
                      .aliases = kAliases,
                      .layer_norm = true,
                      .defaults = kDefaults,
                      .kind = FamilyKind::encoder};

const Family kRoberta = {.name = "roberta",
                         .model_types = kRobertaTypes,
                         .architecture = "RobertaModel",
                         .gguf = "",
                         .weights_prefix = "roberta.",
                         .build = build_roberta,
                         .read_hf = read_roberta,
                         .write_hf = write_roberta,
                         .names = {},
                         .aliases = kAliases,
                         .layer_norm = true,
                         .defaults = kDefaults,
                         .kind = FamilyKind::encoder};

}  // namespace motley

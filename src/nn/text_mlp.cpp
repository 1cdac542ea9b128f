// A bag of embeddings: the mean of a text's embedded tokens through dense layers with ReLU (Iyyer et al. 2015). The smallest classifier, and
// what any other has to beat.
//
//   {"model_type": "text-mlp", "vocab_size": 10000, "embedding_size": 64, "units": 64, "layers": 1, "dropout": 0.2, "max_tokens": 512,
//    "id2label": {"0": "negative", "1": "positive"}}
#include <fmt/core.h>

#include "nn/families_list.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

void build(Builder& b, const ModelConfig& c) {
  Value x = b.mean_rows(embed(b, c, "embedding"));  // [S, E]
  int64_t width = c.hidden;
  for (int64_t layer = 0; layer < c.layers; ++layer, width = c.ff)
    x = b.dropout(b.act(c.activation, linear(b, c, x, fmt::format("layers.{}", layer), width, c.ff, true)), c.dropout);
  b.output(linear(b, c, x, "classifier", width, c.num_labels(), true), "logits");
}

void read_hf(const ConfigSource& source, ModelConfig& c) { c.dropout = static_cast<float>(source.number("dropout", {0, 0.99}, 0)); }
void write_hf(const ModelConfig& c, ConfigSink& sink) { sink.set("dropout", shortest_decimal(c.dropout)); }

constexpr std::string_view kTypes[] = {"text-mlp"};
constexpr NamePair kAliases[] = {
    {"hidden_size", "embedding_size"}, {"intermediate_size", "units"}, {"num_hidden_layers", "layers"}, {"max_position_embeddings", "max_tokens"}};

}  // namespace

const Family kTextMlp = {.name = "text-mlp",
                         .model_types = kTypes,
                         .architecture = "TextMlp",
                         .gguf = "",
                         .weights_prefix = "",
                         .build = build,
                         .read_hf = read_hf,
                         .write_hf = write_hf,
                         .names = {},
                         .aliases = kAliases,
                         .layer_norm = true,
                         .defaults = {.partial_rotary = 0, .activation = Activation::relu, .layers = 1, .heads = 1, .max_positions = 512},
                         .kind = FamilyKind::classifier};

}  // namespace motley

// The classic text classifier: embedded tokens, layers of a recurrence (GRU, Cho et al. 2014; LSTM, Hochreiter & Schmidhuber 1997) read from
// left to right or in both directions, and a dense layer on what is left after the last token. Its weights have PyTorch's names, so that a
// module of `embedding`, `rnn` and `classifier` is this model.
//
//   {"model_type": "text-rnn", "vocab_size": 10000, "embedding_size": 64, "cell": "gru", "units": 64, "layers": 1, "bidirectional": false,
//    "dropout": 0.2, "max_tokens": 256, "id2label": {"0": "negative", "1": "positive"}}
//
// S texts of at most L tokens, E = hidden, U = ff units.
#include <fmt/core.h>

#include "nn/families_list.h"
#include "nn/layers.h"
#include "ops/builder.h"

namespace motley {
namespace {

// x [S, L, in] -> the states [S, L, U] of one direction.
Value recurrence(Builder& b, const ModelConfig& c, Value x, int64_t layer, bool reverse) {
  const int64_t in = b.type(x).dim(2).n, gates = (c.cell == RecurrentCell::gru ? 3 : 4) * c.ff;
  const std::string which = fmt::format("l{}{}", layer, reverse ? "_reverse" : "");
  Value w_in = b.weight("weight_ih_" + which, {gates, in}), w = b.as_f32(b.weight("weight_hh_" + which, {gates, c.ff}));
  Value bias_in = b.as_f32(b.weight("bias_ih_" + which, {gates})), bias = b.as_f32(b.weight("bias_hh_" + which, {gates}));
  auto scope = b.scope(which);
  Value from_input = b.add(b.matmul(x, w_in), bias_in);
  if (c.cell == RecurrentCell::lstm) return b.emit(Lstm{reverse}, {b.add(from_input, bias), w, b.lengths()});
  return b.emit(Gru{reverse}, {from_input, w, bias, b.lengths()});
}

void build(Builder& b, const ModelConfig& c) {
  Value x = b.grid(embed(b, c, "embedding"));  // [S, L, E]
  const Dim texts = b.type(x).dim(0), steps = b.type(x).dim(1);
  Value last;
  {
    auto scope = b.scope("rnn");
    for (int64_t layer = 0; layer < c.layers; ++layer) {
      if (layer > 0) x = b.dropout(x, c.dropout);
      Value states = recurrence(b, c, x, layer, false);
      last = b.slice(states, 1, steps.n - 1, 1);
      if (c.bidirectional) {
        Value backwards = recurrence(b, c, x, layer, true);
        last = b.emit(Concat{-1}, {last, b.slice(backwards, 1, 0, 1)});
        states = b.emit(Concat{-1}, {states, backwards});
      }
      x = states;
    }
  }
  const int64_t width = c.ff * (c.bidirectional ? 2 : 1);
  last = b.dropout(b.reshape(last, {texts, {width}}), c.head_dropout);
  b.output(linear(b, c, last, "classifier", width, c.num_labels(), true), "logits");
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  const std::string cell = source.find_string("cell").value_or("gru");
  if (cell != "gru" && cell != "lstm") source.refuse("cell", cell, "gru or lstm");
  c.cell = cell == "gru" ? RecurrentCell::gru : RecurrentCell::lstm;
  c.bidirectional = source.flag("bidirectional", false);
  c.dropout = c.head_dropout = static_cast<float>(source.number("dropout", {0, 0.99}, 0));
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("cell", std::string(c.cell == RecurrentCell::gru ? "gru" : "lstm"));
  sink.set("bidirectional", c.bidirectional);
  sink.set("dropout", shortest_decimal(c.dropout));
}

constexpr std::string_view kTypes[] = {"text-rnn"};
constexpr NamePair kAliases[] = {
    {"hidden_size", "embedding_size"}, {"intermediate_size", "units"}, {"num_hidden_layers", "layers"}, {"max_position_embeddings", "max_tokens"}};

}  // namespace

const Family kTextRnn = {.name = "text-rnn",
                         .model_types = kTypes,
                         .architecture = "TextRnn",
                         .gguf = "",
                         .weights_prefix = "",
                         .build = build,
                         .read_hf = read_hf,
                         .write_hf = write_hf,
                         .names = {},
                         .aliases = kAliases,
                         .layer_norm = true,
                         .defaults = {.partial_rotary = 0, .layers = 1, .heads = 1, .max_positions = 512},
                         .kind = FamilyKind::classifier,
                         .grid = true};

}  // namespace motley

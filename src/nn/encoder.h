// What BERT and those who follow it share: embeddings, blocks with a norm after each part, and the last layers of the usual tasks. They
// differ in the names of their weights.
//
//   Value h = encode(b, c, kNames);                       // [T, E]
//   if (answer_encoder(b, c, h)) return;                  // tasks whose last layer is the same everywhere
//   b.output(linear(b, c, b.first_rows(h), "classifier", c.hidden, c.num_labels(), true), "logits");
//
// T tokens, S texts, E = hidden.
#pragma once
#include <string_view>

#include "ir/graph.h"
#include "nn/config.h"
#include "nn/config_sink.h"
#include "nn/config_source.h"

namespace motley {

class Builder;

struct EncoderNames {
  std::string_view embeddings, layers;                // "bert.embeddings", "bert.encoder.layer"
  std::string_view query, key, value, out, out_norm;  // within a layer
  std::string_view up, down, down_norm;
};

Value encode(Builder& b, const ModelConfig& c, const EncoderNames& names);

// The weight of the table of words: the last layer of a masked language model that is tied to it.
std::string word_table(const EncoderNames& names);

// Embedding (but not by a pooler), token classification and question answering; false: another task.
bool answer_encoder(Builder& b, const ModelConfig& c, Value h);

// Masked language model: a dense layer with activation and norm, then a row for each word (tied or `decoder`) and its bias.
struct MaskedHead {
  std::string_view dense, norm, decoder, bias;
};
void masked_head(Builder& b, const ModelConfig& c, Value h, const MaskedHead& head, std::string_view table);

// What config.json says about all of them, and how it is written.
void encoder_read_hf(const ConfigSource& source, ModelConfig& c);
void encoder_write_hf(const ModelConfig& c, ConfigSink& sink);

}  // namespace motley

// What the configurations of models with an encoder mean where they say little.
#include "nn/config.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "base/file.h"
#include "io/io_test_support.h"
#include "translator.h"

namespace motley {
namespace {

// Files of BART as it came from its first training, before it had a task: their tensors' names begin behind "model.".
TEST(Seq2SeqConfig, AModelWithoutALastLayerHasItsEmbeddingForOne) {
  const Checkpoint whole = Checkpoint::open(seq2seq_folder("bart"));
  Json config = whole.config();
  config["architectures"] = Json::array({"BartModel"});
  std::string weights = read_file(seq2seq_folder("bart") + "/model.safetensors", 1 << 20);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, weights.data(), sizeof header_bytes);
  std::string header = weights.substr(sizeof header_bytes, header_bytes);
  for (size_t at = header.find("\"model."); at != header.npos; at = header.find("\"model.")) header.erase(at + 1, 6);
  header.resize(header_bytes, ' ');
  weights.replace(sizeof header_bytes, header_bytes, header);
  test::TemporaryFolder folder;
  folder.write("config.json", config.dump());
  folder.write("model.safetensors", weights);
  const ModelSource source = model_from_checkpoint(std::make_shared<const Checkpoint>(Checkpoint::open(folder.path())));
  EXPECT_EQ(source.config, read_config(whole));
  for (const char* name : {"model.shared.weight", "model.decoder.layers.2.encoder_attn.k_proj.bias", "final_logits_bias"})
    EXPECT_TRUE(source.types(name)) << name;
}

TEST(Seq2SeqConfig, WhatAFileDoesNotSayIsWhatTransformersAssumes) {
  Json config = Checkpoint::open(seq2seq_folder("bart")).config();
  for (const char* key : {"decoder_start_token_id", "eos_token_id", "activation_function", "scale_embedding"}) config.erase(key);
  const ModelConfig bart = read_config(config, "config.json");
  EXPECT_EQ(bart.seq2seq.start, 2);
  EXPECT_EQ(bart.eos, std::vector<int64_t>{2});
  EXPECT_EQ(bart.activation, Activation::gelu);
  EXPECT_FALSE(bart.seq2seq.scaled_embedding);
  config = Checkpoint::open(seq2seq_folder("marian")).config();
  for (const char* key : {"decoder_start_token_id", "eos_token_id"}) config.erase(key);
  const ModelConfig marian = read_config(config, "config.json");
  EXPECT_EQ(marian.seq2seq.start, 63);  // the padding token
  EXPECT_EQ(marian.eos, std::vector<int64_t>{0});
}

}  // namespace
}  // namespace motley

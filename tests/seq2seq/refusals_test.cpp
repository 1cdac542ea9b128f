// What cannot be asked of a model with an encoder, and what its files cannot say.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "compress/write_model.h"
#include "io/io_test_support.h"
#include "motley/error.h"
#include "nn/config.h"
#include "translator.h"

namespace motley {
namespace {

template <class Function>
std::string refusal(Function&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was refused";
}

TEST(Seq2SeqRefusals, NameWhatIsWrongWithARequest) {
  OpenModel model = open_translator("t5", {.sequences = 2});
  auto submit = [&](Request r) { return refusal([&] { Scheduler(*model.session).submit(std::move(r)); }); };
  EXPECT_EQ(submit(greedy_request(model, {}, 4)), "[generate] the text to read is empty; give at least one token");
  EXPECT_EQ(submit(greedy_request(model, std::vector<int32_t>(97, 5), 4)),
            "[generate] the text has 97 tokens and the context holds 96; shorten it or use a larger --ctx-size");
  EXPECT_EQ(submit(greedy_request(model, {64}, 4)), "[generate] the prompt holds token 64, the model's vocabulary has 64");
  Request beams = greedy_request(model, {5}, 4);
  beams.beams.count = 3;
  EXPECT_EQ(submit(beams), "[generate] 3 beams are more than the 2 sequences of the plan");
  beams.beams.count = 2;
  beams.on_logits = [](int64_t, std::span<const float>) {};
  EXPECT_EQ(submit(beams), "[generate] logits of each position are those of one text and not of beams");
}

TEST(Seq2SeqRefusals, NameTheKeyOfAConfiguration) {
  auto refused = [](const char* model, const char* changes) {
    Json config = Checkpoint::open(seq2seq_folder(model)).config();
    config.update(parse_json(changes, "changes"));
    return refusal([&] { read_config(config, "config.json"); });
  };
  EXPECT_EQ(refused("t5", R"({"feed_forward_proj": "gated-tanh"})"),
            "[config] config.json: 'feed_forward_proj' is gated-tanh, expected one of relu, gated-gelu, gated-silu, gated-relu");
  EXPECT_EQ(refused("t5", R"({"relative_attention_max_distance": 4})"),
            "[config] config.json: 'relative_attention_max_distance' is 4, expected more than half of the 8 buckets");
  EXPECT_EQ(refused("t5", R"({"decoder_start_token_id": 64})"),
            "[config] config.json: the token before every answer is 64, expected a number from 0 to 63");
  EXPECT_EQ(refused("bart", R"({"normalize_before": true})"),
            "[config] config.json: 'normalize_before' is true, expected false: a norm stands behind each part and nowhere else");
  EXPECT_EQ(refused("bart", R"({"normalize_embedding": false})"),
            "[config] config.json: 'normalize_embedding' is false, expected true: a norm stands before the first layer");
  EXPECT_EQ(refused("bart", R"({"static_position_embeddings": true})"),
            "[config] config.json: 'static_position_embeddings' is true, expected false: positions are learned");
  EXPECT_EQ(refused("bart", R"({"tie_word_embeddings": false})"),
            "[config] config.json: 'tie_word_embeddings' is false, expected true: the embedding is the head");
  EXPECT_EQ(refused("bart", R"({"encoder_attention_heads": 5})"),
            "[config] config.json: 'encoder_attention_heads' is 5, expected a divisor of the 32 channels");
  EXPECT_EQ(refused("bart", R"({"architectures": ["BartForSequenceClassification"]})"),
            "[config] config.json: 'architectures' names 'BartForSequenceClassification', a last layer that is not supported; supported for bart are "
            "language-model");
  EXPECT_EQ(refused("marian", R"({"share_encoder_decoder_embeddings": false})"),
            "[config] config.json: 'share_encoder_decoder_embeddings' is false, expected true: one vocabulary for both languages");
  EXPECT_EQ(refused("marian", R"({"decoder_vocab_size": 60})"),
            "[config] config.json: 'decoder_vocab_size' is 60, expected 64, as vocab_size is: one vocabulary for both languages");
  EXPECT_EQ(refused("marian", R"({"static_position_embeddings": false})"),
            "[config] config.json: 'static_position_embeddings' is false, expected true: positions are sines");
  EXPECT_EQ(refused("marian", R"({"decoder_start_token_id": null, "pad_token_id": null})"),
            "[config] config.json: 'decoder_start_token_id' is missing, expected a whole number from 0 to 2147483647");
  EXPECT_EQ(refused("t5", R"({"architectures": ["T5EncoderModel"]})"),
            "[config] config.json: 'architectures' names 'T5EncoderModel', a last layer that is not supported; supported for t5 are language-model");
}

TEST(Seq2SeqRefusals, SayThatThereAreNoGgufFiles) {
  test::TemporaryFolder folder;
  for (const char* model : {"t5", "bart", "marian"})
    EXPECT_EQ(refusal([&] { write_gguf(Checkpoint::open(seq2seq_folder(model)), nullptr, folder / "out.gguf", {}); }),
              fmt::format("[convert] this {} model cannot be written as GGUF: this program knows no GGUF files of it", model));
  EXPECT_TRUE(folder.empty());
}

}  // namespace
}  // namespace motley

// What cannot be asked of a model with an encoder, and what its files cannot say.
#include <gtest/gtest.h>

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
  EXPECT_EQ(refused("t5", R"({"architectures": ["T5EncoderModel"]})"),
            "[config] config.json: 'architectures' names 'T5EncoderModel', a last layer that is not supported; supported for t5 are language-model");
}

}  // namespace
}  // namespace motley

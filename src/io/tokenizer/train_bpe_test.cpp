#include "io/tokenizer/train_bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "io/io_test_support.h"
#include "io/json.h"
#include "io/tokenizer/tokenizer_test_support.h"
#include "io/tokenizer/write_vocabulary.h"

namespace motley {
namespace {

using test::message_of;

std::shared_ptr<const Tokenizer> trained(std::string_view text, BpeTraining options = {}) {
  WordCounts words;
  words.add(text);
  return train_bpe(words, options);
}

TEST(TrainBpe, JoinsTheMostFrequentPairFirst) {
  // hug 10, pug 5, pun 12, bun 4, hugs 5: the example of Hugging Face's course. u+g (20), u+n (16), h+ug (15), p+un (12), ...
  std::string text;
  auto put = [&](const char* word, int count) {
    for (int i = 0; i < count; ++i) text += std::string(word) + "\n";
  };
  put("hug", 10), put("pug", 5), put("pun", 12), put("bun", 4), put("hugs", 5);
  auto tokenizer = trained(text, {.vocabulary = 257 + 4});
  for (auto [id, token] : {std::pair(257, "ug"), std::pair(258, "un"), std::pair(259, "hug"), std::pair(260, "pun")})
    EXPECT_EQ(tokenizer->token_text(id), token);
  EXPECT_EQ(tokenizer->encode("hugpun", {.add_special = false}), (std::vector<int32_t>{259, 260}));
}

TEST(TrainBpe, OfEquallyFrequentPairsTheOneWithTheSmallerIds) {
  auto tokenizer = trained("zy\nzy\nab\nab\n", {.vocabulary = 259});
  EXPECT_EQ(tokenizer->token_text(257), "ab");
  EXPECT_EQ(tokenizer->token_text(258), "zy");
}

TEST(TrainBpe, StopsWhereNothingOccursOftenEnough) {
  EXPECT_EQ(trained("ab ab cd", {.vocabulary = 1000})->vocab_size(), 257 + 1);  // only "ab" twice: " ab" is another word
  EXPECT_EQ(trained("abc", {.vocabulary = 1000, .least_count = 1})->vocab_size(), 257 + 2);
  EXPECT_EQ(trained("", {.vocabulary = 1000})->vocab_size(), 257);
}

TEST(TrainBpe, RunsOfOneCharacterAreCountedAsTheyAreJoined) {
  auto tokenizer = trained("aaaaa\naaaaa\n", {.vocabulary = 260});
  EXPECT_EQ(tokenizer->token_text(257), "aa");
  EXPECT_EQ(tokenizer->token_text(258), "aaa");  // as often as "aaaa", which would be of larger ids
  EXPECT_EQ(tokenizer->token_text(259), "aaaaa");
}

TEST(TrainBpe, EveryTextComesBackAndTheFileSaysTheSame) {
  const std::string text = "It's 2024: na\xC3\xAFve caf\xC3\xA9s, \xE4\xB8\x96\xE7\x95\x8C \xF0\x9F\x98\x80!\n\n  It's 2024: it is.\tEnd\r\n";
  auto tokenizer = trained(text + text, {.vocabulary = 300, .special = {"<|endoftext|>", "<|pad|>"}});
  auto read = Tokenizer::from_tokenizer_json(hf_tokenizer_files(*tokenizer).tokenizer_json, "written");
  EXPECT_EQ(read->vocab_size(), tokenizer->vocab_size());
  for (const std::string& t : {text, std::string("other \xE2\x82\xAC \x01"), std::string()}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(t)), t);
    EXPECT_EQ(read->encode(t), tokenizer->encode(t));
  }
  EXPECT_EQ(tokenizer->encode("<|pad|>", {.parse_special = true}), std::vector<int32_t>{1});
  EXPECT_EQ(tokenizer->special().eos, 0);
  EXPECT_TRUE(tokenizer->is_end_of_generation(0));
}

TEST(TrainBpe, ABeginningOfTextIsAddedOnRequest) {
  auto tokenizer = trained("text", {.vocabulary = 257, .begin_of_text = true});
  EXPECT_EQ(tokenizer->encode("a").front(), 0);
  EXPECT_EQ(Tokenizer::from_tokenizer_json(hf_tokenizer_files(*tokenizer).tokenizer_json, "written")->encode("a"), tokenizer->encode("a"));
}

TEST(TrainBpe, WhatCannotBeIsRefused) {
  EXPECT_NE(message_of([] { trained("a", {.vocabulary = 256}); }).find("at least 257"), std::string::npos);
  EXPECT_NE(message_of([] { trained("a", {.special = {"<s>", "<s>"}}); }).find("given twice"), std::string::npos);
  EXPECT_NE(message_of([] { trained("a", {.special = {""}}); }).find("is empty"), std::string::npos);
  EXPECT_NE(message_of([] { trained("a", {.special = {}}); }).find("at least one"), std::string::npos);
}

// What the `tokenizers` package learned from the same text (tools/make_trained_tokenizer_vectors.py).
TEST(TrainBpe, LearnsWhatTheTokenizersPackageLearns) {
  const std::string path = own_vectors("trained.json");
  const Json recorded = parse_json(read_file(path, 4 << 20), path);
  for (const Json& c : recorded.at("cases")) {
    WordCounts words;
    for (const Json& text : c.at("texts")) words.add(text.get_ref<const std::string&>());
    auto tokenizer = train_bpe(words, {.vocabulary = c.at("vocabulary").get<int64_t>(), .least_count = c.at("least_count").get<int64_t>()});
    const Json ours = parse_json(hf_tokenizer_files(*tokenizer).tokenizer_json, "ours").at("model");
    EXPECT_EQ(ours.at("merges"), c.at("merges"));
    EXPECT_EQ(tokenizer->vocab_size(), c.at("vocab_size").get<int32_t>());
    for (const Json& t : c.at("encoded")) EXPECT_EQ(tokenizer->encode(t.at("text").get<std::string>()), t.at("ids").get<std::vector<int32_t>>());
  }
}

}  // namespace
}  // namespace motley

#include "io/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/text.h"
#include "io/io_test_support.h"
#include "io/json.h"
#include "io/tokenizer/tokenizer_test_support.h"
#include "io/tokenizer/unicode.h"

namespace motley {
namespace {

using Ids = std::vector<int32_t>;

// The tokenizer of that name among the recorded models.
std::shared_ptr<const Tokenizer> recorded(const std::string& name) {
  std::string path = own_vectors("models.json");
  Json all = parse_json(read_file(path, 4 << 20), path);
  for (const Json& c : all.at("cases"))
    if (c.at("name") == name) return Tokenizer::from_tokenizer_json(c.at("tokenizer").dump(), name);
  throw std::runtime_error("no recorded tokenizer " + name);
}

std::string random_text(std::mt19937& random, size_t characters) {
  const std::u32string pool = U"abcdefgh ABC 0123\n\t.,'\"éüñ世界あ한Привет😀\u0301\u200d";
  std::string text;
  for (size_t i = 0; i < characters; ++i) append_utf8(text, pool[random() % pool.size()]);
  return text;
}

TEST(Tokenizer, ByteLevelTokenizersGiveEveryTextBack) {
  auto tokenizer = recorded("BPE of bytes");
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string text = random_text(random, random() % 60);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(Tokenizer, TheCacheOfWordsChangesNothing) {
  // The same text twice, in another order, and by a new tokenizer, whose cache is empty.
  auto tokenizer = recorded("Llama 2");
  std::mt19937 random(2);
  std::vector<std::string> texts;
  std::vector<Ids> ids;
  for (int i = 0; i < 300; ++i) texts.push_back(random_text(random, 1 + random() % 200));
  for (const auto& text : texts) ids.push_back(tokenizer->encode(text));
  for (size_t i = texts.size(); i-- > 0;) EXPECT_EQ(tokenizer->encode(texts[i]), ids[i]);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(recorded("Llama 2")->encode(texts[i]), ids[i]);
}

TEST(Tokenizer, ManyThreadsUseOne) {
  auto tokenizer = recorded("BPE of bytes");
  std::vector<std::string> texts;
  std::vector<Ids> ids;
  std::mt19937 random(3);
  for (int i = 0; i < 50; ++i) texts.push_back(random_text(random, 100));
  for (const auto& text : texts) ids.push_back(tokenizer->encode(text));
  std::vector<int> wrong(4, 0);
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < wrong.size(); ++t)
      threads.emplace_back([&, t] {
        for (size_t i = 0; i < texts.size(); ++i)
          wrong[t] +=
              tokenizer->encode(texts[(i + t * 7) % texts.size()]) != ids[(i + t * 7) % texts.size()] || tokenizer->decode(ids[i]) != texts[i];
      });
  }
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Tokenizer, TextFromUsersCannotSpellControlTokens) {
  auto tokenizer = recorded("BPE of bytes");
  int32_t end = tokenizer->token_id("<|end|>");
  ASSERT_GE(end, 0);
  EXPECT_TRUE(tokenizer->is_special(end));
  EXPECT_TRUE(tokenizer->is_end_of_generation(end));
  EXPECT_EQ(tokenizer->encode("<|end|>", {.parse_special = true}), Ids{end});
  Ids spelled = tokenizer->encode("<|end|>");
  EXPECT_EQ(std::count(spelled.begin(), spelled.end(), end), 0);
  EXPECT_EQ(tokenizer->decode(spelled), "<|end|>");
  for (const char* name : {"Unigram", "WordPiece", "WordLevel", "Llama 2"}) {
    auto other = recorded(name);
    for (int32_t id = 0; id < other->vocab_size(); ++id) {
      if (!other->is_special(id) || id == other->special().unk) continue;
      Ids ids = other->encode(std::string(other->token_text(id)), {.add_special = false});
      EXPECT_EQ(std::count(ids.begin(), ids.end(), id), 0) << name << " " << other->token_text(id);
    }
  }
}

TEST(Tokenizer, MalformedTextIsReadWithReplacementCharacters) {
  auto tokenizer = recorded("BPE of bytes");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\xFF\xE4\xB8z\xC3")), "a\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD");
  EXPECT_EQ(tok::lossy_utf8("\xF0\x9F\x98\xE4\xB8\x96\xED\xA0\x80"), "\xEF\xBF\xBD\xE4\xB8\x96\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Tokenizer, IdsOutsideTheVocabularyHaveNoText) {
  auto tokenizer = recorded("BPE of bytes");
  EXPECT_EQ(tokenizer->decode(Ids{-1, tokenizer->vocab_size(), INT32_MAX}), "");
  EXPECT_EQ(tokenizer->token_text(-5), "");
  EXPECT_EQ(tokenizer->token_bytes(INT32_MAX), "");
  EXPECT_FALSE(tokenizer->is_special(-1));
}

TEST(Tokenizer, TokenBytesJoinToTheText) {
  for (const char* name : {"BPE of bytes", "Llama 2", "Unigram, byte_fallback"}) {
    auto tokenizer = recorded(name);
    std::string text = "the old 世 \n mill é", joined;
    for (int32_t id : tokenizer->encode(text, {.add_special = false})) joined += tokenizer->token_bytes(id);
    // SentencePiece puts a space before the first word, and a token does not know that it is the first.
    EXPECT_EQ(joined, std::string(name) == "BPE of bytes" ? text : " " + text) << name;
  }
  auto bert = recorded("WordPiece");
  EXPECT_EQ(bert->token_bytes(bert->token_id("##e")), "e");
  EXPECT_EQ(bert->token_bytes(bert->token_id("the")), " the");
}

TEST(StreamDecoder, GivesTextOnlyInWholeCharacters) {
  for (const char* name : {"BPE of bytes", "Llama 2"}) {
    auto tokenizer = recorded(name);
    std::mt19937 random(4);
    for (int round = 0; round < 50; ++round) {
      std::string text = random_text(random, 40), joined;
      Ids ids = tokenizer->encode(text, {.add_special = false});
      StreamDecoder stream(tokenizer);
      for (int32_t id : ids) {
        std::string part = stream.put(id);
        EXPECT_TRUE(tok::is_valid_utf8(part)) << part;
        joined += part;
      }
      EXPECT_EQ(stream.finish(), "");
      EXPECT_EQ(joined, text);
    }
  }
}

TEST(StreamDecoder, CharactersComeOutWithTheirLastByte) {
  auto tokenizer = recorded("Llama 2");
  Ids ids;
  for (const char* byte : {"<0xF0>", "<0x9F>", "<0x98>", "<0x80>"}) ids.push_back(tokenizer->token_id(byte));
  StreamDecoder stream(tokenizer);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(stream.put(ids[i]), "");
  EXPECT_EQ(stream.put(ids[3]), "\xF0\x9F\x98\x80");
  EXPECT_EQ(stream.put(ids[0]), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
}

TEST(StreamDecoder, TheFirstWordKeepsItsSpaceAfterAPrompt) {
  auto tokenizer = recorded("Llama 2");
  Ids prompt = tokenizer->encode("the old"), answer = tokenizer->encode("mill", {.add_special = false});
  std::string begun, continued;
  StreamDecoder fresh(tokenizer), after(tokenizer);
  after.skip(prompt);
  for (int32_t id : answer) begun += fresh.put(id), continued += after.put(id);
  EXPECT_EQ(begun, "mill");
  EXPECT_EQ(continued, " mill");
}

TEST(CleanUp, TakesOutTheSpacesThatWordsCameWith) {
  EXPECT_EQ(clean_up_spaces("how are you ? i ' m fine , it 's ok ."), "how are you? i'm fine, it's ok.");
}

}  // namespace
}  // namespace motley

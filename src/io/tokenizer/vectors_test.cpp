// Each component of tokenizer.json and of SentencePiece models, as the PyPI packages compute it (tools/make_tokenizer_vectors.py).
#include <gtest/gtest.h>

#include "io/json.h"
#include "io/tokenizer/base64.h"
#include "io/tokenizer/ggml_vocabulary.h"
#include "io/tokenizer/pipeline.h"
#include "io/tokenizer/tokenizer.h"
#include "io/tokenizer/tokenizer_test_support.h"
#include "io/tokenizer/write_vocabulary.h"
#include "motley/error.h"

namespace motley {
namespace {

using Ids = std::vector<int32_t>;

Json read_cases(const std::string& subject) {
  std::string path = own_vectors(subject + ".json");
  return parse_json(read_file(path, 4 << 20), path).at("cases");
}

std::string streamed(const std::shared_ptr<const Tokenizer>& tokenizer, const Ids& ids, bool skip_special) {
  StreamDecoder stream(tokenizer, {.skip_special = skip_special});
  std::string out;
  for (int32_t id : ids) out += stream.put(id);
  return out + stream.finish();
}

// A stream keeps the valid characters of a malformed run of byte tokens, which decode() gives up as a whole.
bool malformed(const std::string& text) { return text.find("\xEF\xBF\xBD") != std::string::npos; }

class Components : public ::testing::TestWithParam<const char*> {};

TEST_P(Components, IdsAndDecodingsAsTheTokenizersPackage) {
  size_t checked = 0;
  for (const Json& c : read_cases(GetParam())) {
    const std::string name = c.at("name").get<std::string>();
    SCOPED_TRACE(name);
    auto tokenizer = Tokenizer::from_tokenizer_json(c.at("tokenizer").dump(), name);
    for (const Json& test : c.at("tests")) {
      std::string text = test.at("text").get<std::string>();
      Ids want = test.at("ids").get<Ids>();
      EXPECT_EQ(tokenizer->encode(text, {.add_special = false, .parse_special = true}), want) << "'" << text << "'";
      if (test.contains("with_special")) {
        Ids special = test.at("with_special").get<Ids>();
        EXPECT_EQ(tokenizer->encode(text, {.parse_special = true}), special) << "'" << text << "'";
        EXPECT_EQ(tokenizer->decode(special), test.at("decoded_special").get<std::string>());
      }
      if (test.contains("decoded")) {
        std::string decoded = test.at("decoded").get<std::string>();
        EXPECT_EQ(tokenizer->decode(want, {.skip_special = true}), decoded) << "'" << text << "'";
        if (!malformed(decoded)) {
          EXPECT_EQ(streamed(tokenizer, want, true), decoded);
        }
      }
      ++checked;
    }
    for (const Json& test : c.at("decodings")) {
      Ids ids = test.at("ids").get<Ids>();
      std::string decoded = test.at("decoded").get<std::string>();
      EXPECT_EQ(tokenizer->decode(ids), decoded) << test.at("ids");
      if (!malformed(decoded)) {
        EXPECT_EQ(streamed(tokenizer, ids, false), decoded) << test.at("ids");
      }
      ++checked;
    }
  }
  EXPECT_GE(checked, 15u);
}

INSTANTIATE_TEST_SUITE_P(Subjects, Components,
                         ::testing::Values("normalizers", "pre_tokenizers", "models", "added_tokens", "post_processors", "decoders"),
                         [](const auto& p) { return std::string(p.param); });

TEST(SentencePieceModels, IdsAndDecodingsAsTheSentencePiecePackage) {
  size_t checked = 0;
  for (const Json& c : read_cases("sentencepiece")) {
    const std::string name = c.at("name").get<std::string>();
    SCOPED_TRACE(name);
    auto tokenizer = Tokenizer::from_sentencepiece(*tok::decode_base64(c.at("model").get<std::string>()), name);
    const Json& roles = c.at("roles");
    EXPECT_EQ(tokenizer->special().bos, roles.at("bos").get<int32_t>());
    EXPECT_EQ(tokenizer->special().eos, roles.at("eos").get<int32_t>());
    EXPECT_EQ(tokenizer->special().unk, roles.at("unk").get<int32_t>());
    EXPECT_EQ(tokenizer->special().pad, roles.at("pad").get<int32_t>());
    for (const Json& test : c.at("tests")) {
      std::string text = test.at("text").get<std::string>();
      Ids want = test.at("ids").get<Ids>();
      EXPECT_EQ(tokenizer->encode(text, {.add_special = false}), want) << "'" << text << "'";
      std::string decoded = test.at("decoded").get<std::string>();
      EXPECT_EQ(tokenizer->decode(want, {.skip_special = true}), decoded) << "'" << text << "'";
      EXPECT_EQ(streamed(tokenizer, want, true), decoded) << "'" << text << "'";
      ++checked;
    }
  }
  EXPECT_GE(checked, 100u);
}

void expect_same(const Tokenizer& made, const Tokenizer& original, const Json& tests, bool marks = true) {
  EXPECT_EQ(made.special().bos, original.special().bos);
  EXPECT_EQ(made.special().eos, original.special().eos);
  for (const Json& test : tests) {
    std::string text = test.at("text").get<std::string>();
    if (!marks && text.find("\xCC") != text.npos) continue;
    for (EncodeOptions options : {EncodeOptions{true, false}, EncodeOptions{false, true}})
      EXPECT_EQ(made.encode(text, options), original.encode(text, options)) << "'" << text << "'";
    Ids ids = original.encode(text, {.add_special = false});
    EXPECT_EQ(made.decode(ids), original.decode(ids)) << "'" << text << "'";
  }
}

class Converted : public ::testing::Test {
 protected:
  // What convert writes into a GGUF file gives the same ids when it is read back, and so does the tokenizer.json made from that.
  void check(const std::shared_ptr<const Tokenizer>& original, const Json& tests, const std::string& name) {
    SCOPED_TRACE(name);
    const GgmlVocabulary vocabulary = ggml_vocabulary(*original);
    EXPECT_EQ(vocabulary.warnings.empty(), vocabulary.model != "llama" || vocabulary.merges.empty());
    auto back = std::make_shared<Tokenizer>(make_ggml_pipeline(vocabulary, name));
    EXPECT_EQ(Ids(back->end_of_generation().begin(), back->end_of_generation().end()),
              Ids(original->end_of_generation().begin(), original->end_of_generation().end()));
    expect_same(*back, *original, tests);
    if (vocabulary.model != "bert") {
      const TokenizerFiles files = hf_tokenizer_files(*back);
      // The one thing that tokenizer.json cannot say is said.
      EXPECT_EQ(files.warnings.empty(), vocabulary.space_prefix != "sentencepiece");
      SCOPED_TRACE("as tokenizer.json");
      // A composed character and its marks are one to the character map there.
      const bool marks = vocabulary.charsmap.empty();
      if (files.warnings.empty()) expect_same(*Tokenizer::from_tokenizer_json(files.tokenizer_json, name), *original, tests, marks);
    }
    ++checked;
  }
  size_t checked = 0;
};

TEST_F(Converted, SentencePieceModelsGiveTheSameIds) {
  for (const Json& c : read_cases("sentencepiece")) {
    const std::string name = c.at("name").get<std::string>();
    if (name != "unigram, suffix")
      check(Tokenizer::from_sentencepiece(*tok::decode_base64(c.at("model").get<std::string>()), name), c.at("tests"), name);
  }
  EXPECT_EQ(checked, 7u);
}

TEST_F(Converted, TokenizerJsonGivesTheSameIds) {
  for (const Json& c : read_cases("models")) {
    const std::string name = c.at("name").get<std::string>();
    auto original = Tokenizer::from_tokenizer_json(c.at("tokenizer").dump(), name);
    if (!original->pipeline().ggml.model.empty() && original->pipeline().ggml.obstacle.empty()) check(original, c.at("tests"), name);
  }
  EXPECT_GE(checked, 9u);
}

TEST(GgmlVocabularies, WhatGgufCannotSayIsRefused) {
  for (const Json& c : read_cases("models")) {
    const std::string name = c.at("name").get<std::string>();
    if (name != "WordLevel" && name != "BPE of characters, unk") continue;
    auto tokenizer = Tokenizer::from_tokenizer_json(c.at("tokenizer").dump(), name);
    EXPECT_THROW(ggml_vocabulary(*tokenizer), Error) << name;
  }
}

}  // namespace
}  // namespace motley

#include "io/tokenizer/write_vocabulary.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <tuple>

#include "base/error.h"
#include "io/gguf.h"
#include "io/gguf_writer.h"
#include "io/json.h"
#include "io/tokenizer/base64.h"
#include "io/tokenizer/pipeline.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

const char* const kTexts[] = {"",
                              "Hello world",
                              "  two  spaces ",
                              "don't SHOUT\n\n\nnow",
                              "3.14159 and 1234567",
                              "naïve café — 日本語 🙂",
                              "\t x\r\n",
                              "<s>a</s>",
                              "▁under_score",
                              "aaaaaaaa",
                              "e\xCC\x81 \xC3\xA9",
                              "lower low",
                              "low<tool>er",
                              "low <tool> er<tool>",
                              "<tool>low",
                              "<tool>",
                              "lower<s> low",
                              "<s> </s>",
                              "wool",
                              " ▁",
                              "  "};

// A file of the shared material, or "".
std::string shared(const char* path) {
  const char* folder = std::getenv("MOTLEY_SHARED");
  fs::path file = fs::path(folder ? folder : MOTLEY_SOURCE_DIR "/../shared") / "data/tokenizers" / path;
  return fs::exists(file) ? file.string() : "";
}

// "low" and "lower" in both kinds of vocabulary, with one control and one user-defined token.
GgmlVocabulary small(const std::string& model) {
  GgmlVocabulary v;
  v.model = model;
  auto add = [&](const char* text, TokenType type, float score) {
    v.tokens.emplace_back(text);
    v.types.push_back(static_cast<int32_t>(type));
    if (model != "gpt2") v.scores.push_back(score);
  };
  add("<unk>", TokenType::unknown, 0);
  add("<s>", TokenType::control, 0);
  add("</s>", TokenType::control, 0);
  add("<tool>", TokenType::user_defined, 0);
  for (const char* c : {"l", "o", "w", "e", "r"}) add(c, TokenType::normal, -10);
  add(model == "gpt2" ? "Ġ" : "▁", TokenType::normal, -9);
  add("lo", TokenType::normal, -1);
  add("low", TokenType::normal, -2);
  add("er", TokenType::normal, -3);
  add("lower", TokenType::normal, -4);
  if (model == "gpt2") {
    v.pre = "gpt-2";
    v.merges = {"l o", "lo w", "e r", "low er"};
  }
  v.special.unk = 0, v.special.bos = 1, v.special.eos = 2;
  v.add_bos = true;
  v.add_eos = false;
  v.add_space_prefix = model != "gpt2";
  v.chat_templates = {{"default", "{{ messages }}"}, {"rag", "{{ documents }}"}};
  return v;
}

// All that GGUF has no standard keys for.
GgmlVocabulary unusual(const std::string& model) {
  GgmlVocabulary v = small(model);
  if (model == "gpt2") {
    v.pre = "llama-bpe";
    v.nfc = true;
    v.ignore_merges = false;
    v.add_space_prefix = true;
  } else {
    v.space_prefix = model == "llama" ? "first" : "always";
  }
  if (model == "llama") v.merges = {"l o", "lo w", "e r"};  // "low er" is not joined, though it is a word
  if (model == "t5") v.remove_extra_whitespaces = true;
  v.lstrip = {3};
  v.rstrip = {1, 3};
  v.single_word = {3};
  if (model == "t5") v.before = {1, 3}, v.after = {2, 2};
  v.add_eos = true;
  return v;
}

std::shared_ptr<const Tokenizer> make(GgmlVocabulary v) { return std::make_shared<Tokenizer>(make_ggml_pipeline(std::move(v), "small")); }

void expect_same_ids(const Tokenizer& a, const Tokenizer& b, const char* what) {
  for (const char* text : kTexts) {
    EXPECT_EQ(a.encode(text), b.encode(text)) << what << ": " << text;
    EXPECT_EQ(a.encode(text, {.add_special = false, .parse_special = true}), b.encode(text, {.add_special = false, .parse_special = true}))
        << what << ": " << text;
    EXPECT_EQ(a.decode(a.encode(text)), b.decode(a.encode(text))) << what << ": " << text;
  }
}

class Written : public testing::TestWithParam<const char*> {
 protected:
  static void check_json(const GgmlVocabulary& v) {
    auto before = make(v);
    auto after = Tokenizer::from_tokenizer_json(hf_tokenizer_files(*before).tokenizer_json, "tokenizer.json");
    expect_same_ids(*before, *after, "tokenizer.json");
  }
};

TEST_P(Written, TokenizerJsonGivesTheSameIds) {
  auto before = make(small(GetParam()));
  TokenizerFiles files = hf_tokenizer_files(*before);
  auto after = Tokenizer::from_tokenizer_json(files.tokenizer_json, "tokenizer.json");
  expect_same_ids(*before, *after, GetParam());
  EXPECT_EQ(before->encode("lower").front(), 1);
  EXPECT_EQ(before->encode("low<tool>er", {.add_special = false}).at(GetParam() == std::string("gpt2") ? 1 : 2), 3);
  Json config = parse_json(files.tokenizer_config_json, "config");
  EXPECT_EQ(config["bos_token"], "<s>");
  EXPECT_EQ(config["eos_token"], "</s>");
  EXPECT_EQ(config["chat_template"][1]["name"], "rag");
}

TEST_P(Written, TokenizerJsonOfUnusualOnesToo) {
  check_json(unusual(GetParam()));
  GgmlVocabulary v = small(GetParam());
  v.add_space_prefix = false;
  v.nfc = true;
  check_json(v);
  v.remove_extra_whitespaces = true;
  v.add_space_prefix = true;
  check_json(v);
}

TEST_P(Written, GgufKeepsAll) {
  const std::string path = fs::temp_directory_path() / ("motley-vocabulary-" + std::to_string(getpid()) + GetParam() + ".gguf");
  GgmlVocabulary v = unusual(GetParam());
  v.end_of_turn = {3};
  // A map of no characters: a trie of four bytes, which is its root, and no replacements.
  if (GetParam() != std::string("gpt2")) v.charsmap = std::string("\4\0\0\0\0\0\0\0", 8);
  auto before = make(v);
  GgufWriter out(path);
  out.set_string("general.architecture", "llama");
  write_vocabulary(ggml_vocabulary(*before), out);
  out.commit();
  GgufFile file = GgufFile::open(path);
  auto after = Tokenizer::from_gguf(file);
  expect_same_ids(*before, *after, GetParam());
  EXPECT_EQ(after->special().bos, 1);
  EXPECT_TRUE(after->is_end_of_generation(3));
  EXPECT_EQ(after->chat_template("rag"), "{{ documents }}");
  EXPECT_EQ(file.find_strings("tokenizer.chat_templates"), (std::vector<std::string_view>{"rag"}));
  const GgmlVocabulary a = ggml_vocabulary(*before), b = ggml_vocabulary(*after);
  EXPECT_EQ(std::tie(a.model, a.pre, a.tokens, a.scores, a.types, a.merges, a.charsmap, a.nfc, a.space_prefix, a.ignore_merges),
            std::tie(b.model, b.pre, b.tokens, b.scores, b.types, b.merges, b.charsmap, b.nfc, b.space_prefix, b.ignore_merges));
  EXPECT_EQ(std::tie(a.add_bos, a.add_eos, a.add_space_prefix, a.remove_extra_whitespaces, a.lstrip, a.rstrip, a.single_word, a.before, a.after),
            std::tie(b.add_bos, b.add_eos, b.add_space_prefix, b.remove_extra_whitespaces, b.lstrip, b.rstrip, b.single_word, b.before, b.after));
  EXPECT_EQ(b.rstrip, (std::vector<int32_t>{1, 3}));
  fs::remove(path);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Written, testing::Values("gpt2", "llama", "t5"), [](const auto& i) { return std::string(i.param); });

TEST(Vocabulary, IsAsLongAsTheEmbedding) {
  GgmlVocabulary v = small("llama");
  const auto size = static_cast<int64_t>(v.tokens.size());
  EXPECT_EQ(fit_vocabulary(v, size + 2), 0);
  EXPECT_EQ(v.tokens.back(), "[PAD" + std::to_string(size + 1) + "]");
  EXPECT_EQ(v.types.back(), static_cast<int32_t>(TokenType::unused));
  EXPECT_EQ(v.scores.size(), v.tokens.size());
  v.special.pad = static_cast<int32_t>(size);
  v.end_of_turn = {2, static_cast<int32_t>(size)};
  EXPECT_EQ(fit_vocabulary(v, size - 1), 3);
  EXPECT_EQ(v.tokens.size(), static_cast<size_t>(size - 1));
  EXPECT_EQ(v.special.pad, -1);
  EXPECT_EQ(v.end_of_turn, (std::vector<int32_t>{2}));
}

TEST(Vocabulary, PaddingIsNoWordOfTokenizerJson) {
  GgmlVocabulary v = small("gpt2");
  fit_vocabulary(v, 20);
  Json json = parse_json(hf_tokenizer_files(*make(v)).tokenizer_json, "tokenizer.json");
  EXPECT_EQ(json["model"]["vocab"].size(), 14u);
  EXPECT_FALSE(json["model"]["vocab"].contains("[PAD19]"));
}

// A user-defined run of spaces is looked for in the text before the spaces become U+2581, by us and by others.
TEST(Vocabulary, UserDefinedSpacesAreSpacesInGguf) {
  GgmlVocabulary v = small("llama");
  v.tokens[3] = "  ";
  v.add_space_prefix = false;
  auto before = make(v);
  EXPECT_EQ(before->encode("low  lo", {.add_special = false}), (std::vector<int32_t>{11, 3, 10}));
  expect_same_ids(*before, *Tokenizer::from_tokenizer_json(hf_tokenizer_files(*before).tokenizer_json, "tokenizer.json"), "spaces");
}

TEST(Vocabulary, MergesThatScoresCannotSayAreKept) {
  GgmlVocabulary v = unusual("llama");
  v.scores.assign(v.tokens.size(), 0);
  const GgmlVocabulary again = ggml_vocabulary(*make(v));
  EXPECT_EQ(again.merges, v.merges);
  EXPECT_EQ(again.warnings.size(), 1u);
  v.merges = {"l o", "lo w", "e r", "low er"};  // what the scores say
  EXPECT_TRUE(ggml_vocabulary(*make(v)).merges.empty());
}

TEST(Vocabulary, WhatGgufCannotSayIsNamed) {
  auto json = parse_json(hf_tokenizer_files(*make(small("llama"))).tokenizer_json, "tokenizer.json");
  json["normalizer"] = {{"type", "NFKC"}};
  json["model"]["byte_fallback"] = true;
  auto tokenizer = Tokenizer::from_tokenizer_json(json.dump(), "tokenizer.json");
  try {
    ggml_vocabulary(*tokenizer);
    FAIL() << "NFKC was forgotten";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("NFKC"), std::string::npos) << e.what();
  }
}

TEST(Vocabulary, WordPieceHasNoForm) {
  auto bert = Tokenizer::from_vocab_txt("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\n", "vocab.txt");
  EXPECT_THROW(hf_tokenizer_files(*bert), Error);
}

TEST(Vocabulary, Base64ThereAndBack) {
  std::string bytes;
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(tok::decode_base64(tok::encode_base64(bytes)), bytes);
    bytes += static_cast<char>(i * 37 + 200);
  }
  EXPECT_EQ(tok::encode_base64("hi"), "aGk=");
  EXPECT_EQ(tok::encode_base64("hi!!"), "aGkhIQ==");
}

TEST(Vocabulary, SharedOnesGiveTheSameIdsAsTokenizerJson) {
  int found = 0;
  for (const char* path :
       {"llama2/tokenizer.model", "llama2/ggml-vocab-llama-spm.gguf", "gpt2/ggml-vocab-gpt-2.gguf", "gguf-vocab/ggml-vocab-deepseek-coder.gguf",
        "gguf-vocab/ggml-vocab-starcoder.gguf", "gguf-vocab/ggml-vocab-gpt-neox.gguf", "llama3/tokenizer.tiktoken.model", "qwen2/vocab.json"}) {
    const std::string file = shared(path);
    if (file.empty()) continue;
    auto before = Tokenizer::load(file);
    expect_same_ids(*before, *Tokenizer::from_tokenizer_json(hf_tokenizer_files(*before).tokenizer_json, path), path);
    ++found;
  }
  if (found == 0) GTEST_SKIP() << "needs shared/data/tokenizers";
}

}  // namespace
}  // namespace motley

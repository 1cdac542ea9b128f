// Every recorded tokenization in the shared material: real vocabularies, ids made by the programs they come from.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/text.h"
#include "io/json.h"
#include "io/tokenizer/tokenizer.h"
#include "io/tokenizer/tokenizer_test_support.h"

namespace motley {
namespace {

using Ids = std::vector<int32_t>;

Ids ids_of(const Json& json) { return json.get<Ids>(); }

// The first n code points, as Python's text[:n].
std::string first_characters(const std::string& text, size_t n) {
  size_t i = 0;
  for (size_t k = 0; k < n && i < text.size(); ++k) i += static_cast<size_t>(decode_utf8(text, i).length);
  return text.substr(0, i);
}

std::string digest(const Ids& ids);

// ------------------------------------------------------------------------------------------------ llama.cpp's inputs and outputs

struct Recorded {
  const char* vectors;
  const char* tokenizer;
};
class LlamaCppVectors : public ::testing::TestWithParam<Recorded> {};

TEST_P(LlamaCppVectors, EveryBlockGivesTheRecordedIds) {
  const std::string base = std::string("tokenizers/llamacpp-vectors/ggml-vocab-") + GetParam().vectors + ".gguf";
  MOTLEY_NEEDS(inputs, base + ".inp");
  MOTLEY_NEEDS(outputs, base + ".out");
  MOTLEY_NEEDS(path, std::string("tokenizers/") + GetParam().tokenizer);
  auto tokenizer = Tokenizer::load(path);
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::string text = read_file(inputs, 1 << 20), expected = read_file(outputs, 1 << 20);
  std::istringstream lines(expected);
  size_t blocks = 0;
  for (size_t at = 0; at <= text.size(); ++blocks) {
    size_t end = text.find(separator, at);
    // The last separator ends the file: nothing follows it.
    if (end == std::string::npos) break;
    std::string block = text.substr(at, end - at), line;
    at = end + separator.size();
    ASSERT_TRUE(std::getline(lines, line)) << "block " << blocks;
    Ids want;
    std::istringstream numbers(line);
    for (int32_t id; numbers >> id;) want.push_back(id);
    EXPECT_EQ(tokenizer->encode(block, {.add_special = false}), want) << "block " << blocks << ": " << block;
  }
  EXPECT_GE(blocks, 46u);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, LlamaCppVectors,
                         ::testing::Values(Recorded{"gpt-2", "gpt2/ggml-vocab-gpt-2.gguf"}, Recorded{"gpt-2", "gpt2/vocab.json"},
                                           Recorded{"llama-spm", "llama2/ggml-vocab-llama-spm.gguf"}, Recorded{"llama-spm", "llama2/tokenizer.model"},
                                           Recorded{"llama-spm", "llama2/tokenizer.bin"}, Recorded{"llama-bpe", "llama3"}, Recorded{"qwen2", "qwen2"},
                                           Recorded{"bert-bge", "bert-base-uncased/ggml-vocab-bert-bge.gguf"},
                                           Recorded{"bert-bge", "bert-base-uncased/tokenizer.json"},
                                           Recorded{"bert-bge", "bert-base-uncased/vocab.txt"},
                                           Recorded{"deepseek-coder", "gguf-vocab/ggml-vocab-deepseek-coder.gguf"},
                                           Recorded{"starcoder", "gguf-vocab/ggml-vocab-starcoder.gguf"}),
                         [](const auto& p) {
                           std::string name = std::string(p.param.vectors) + "_" + p.param.tokenizer;
                           for (char& c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return name;
                         });

// ------------------------------------------------------------------------------------------------ ids and decodings of short texts

struct Model {
  const char* key;
  const char* tokenizer;
  bool cleans_up = true;
};
class TokenizerTests : public ::testing::TestWithParam<Model> {};

TEST_P(TokenizerTests, IdsAndDecodingsAsRecorded) {
  MOTLEY_NEEDS(file, "tokenizers/tokenizer_tests.json");
  MOTLEY_NEEDS(path, std::string("tokenizers/") + GetParam().tokenizer);
  auto tokenizer = Tokenizer::load(path);
  Json all = parse_json(read_file(file, 1 << 20), file);
  const Json& cases = all.at(GetParam().key);
  EXPECT_GE(cases.size(), 3u);
  for (const Json& c : cases) {
    std::string input = c.at("input").get<std::string>();
    Ids want = ids_of(c.at("encoded").at("input_ids"));
    EXPECT_EQ(tokenizer->encode(input, {.parse_special = true}), want) << input;
    // The records were made with clean_up_tokenization_spaces where the model's configuration has it.
    auto shown = [&](std::string text) { return GetParam().cleans_up ? clean_up_spaces(std::move(text)) : text; };
    EXPECT_EQ(shown(tokenizer->decode(want)), c.at("decoded_with_special").get<std::string>()) << input;
    EXPECT_EQ(shown(tokenizer->decode(want, {.skip_special = true})), c.at("decoded_without_special").get<std::string>()) << input;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TokenizerTests,
                         ::testing::Values(Model{"bert-base-uncased", "bert-base-uncased"}, Model{"distilgpt2", "gpt2/vocab.json"},
                                           Model{"coreml-projects/Llama-2-7b-chat-coreml", "llama2/tokenizer.model", false},
                                           Model{"pcuenq/Llama-3.2-1B-Instruct-tokenizer", "llama3"}),
                         [](const auto& p) { return "Model" + std::to_string(p.index); });

class EncodedText : public ::testing::TestWithParam<Model> {};

TEST_P(EncodedText, TokensIdsAndDecodingAsRecorded) {
  MOTLEY_NEEDS(file, std::string("tokenizers/") + GetParam().key);
  MOTLEY_NEEDS(path, std::string("tokenizers/") + GetParam().tokenizer);
  auto tokenizer = Tokenizer::load(path);
  Json c = parse_json(read_file(file, 1 << 20), file);
  Ids want = ids_of(c.at("token_ids"));
  Ids plain = tokenizer->encode(c.at("text").get<std::string>(), {.add_special = false});
  // Some records begin with BOS.
  bool with_special = want.size() != plain.size();
  EXPECT_EQ(with_special ? tokenizer->encode(c.at("text").get<std::string>()) : plain, want);
  std::vector<std::string> tokens;
  for (int32_t id : plain) tokens.emplace_back(tokenizer->token_text(id));
  EXPECT_EQ(tokens, c.at("bpe_tokens").get<std::vector<std::string>>());
  std::string decoded = tokenizer->decode(want);
  EXPECT_EQ(GetParam().cleans_up ? clean_up_spaces(decoded) : decoded, c.at("decoded_text").get<std::string>());
}

INSTANTIATE_TEST_SUITE_P(Models, EncodedText,
                         ::testing::Values(Model{"gpt2/gpt2_encoded_tokens.json", "gpt2"},
                                           Model{"llama2/llama_encoded.json", "llama2/tokenizer.model", false},
                                           Model{"llama3/llama_3.2_encoded.json", "llama3"},
                                           Model{"bert-base-uncased/bert_uncased_encoded.json", "bert-base-uncased"}),
                         [](const auto& p) { return "Model" + std::to_string(p.index); });

// ------------------------------------------------------------------------------------------------ tiktoken, BERT questions, long texts

class Tiktoken : public ::testing::TestWithParam<const char*> {};

TEST_P(Tiktoken, EveryVector) {
  const std::string name = GetParam();
  MOTLEY_NEEDS(file, "tokenizers/tiktoken/" + name + "_vectors.json");
  MOTLEY_NEEDS(path, "tokenizers/tiktoken/" + name + "_base.tiktoken");
  auto tokenizer = Tokenizer::load(path);
  Json cases = parse_json(read_file(file, 1 << 20), file);
  EXPECT_GE(cases.size(), 47u);
  for (const Json& c : cases) {
    std::string text = c.at("text").get<std::string>();
    EXPECT_EQ(tokenizer->encode(text, {.add_special = false}), ids_of(c.at("ids"))) << text;
    EXPECT_EQ(tokenizer->decode(ids_of(c.at("ids"))), text);
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, Tiktoken, ::testing::Values("cl100k", "o200k"), [](const auto& p) { return std::string(p.param); });

TEST(BertQuestions, All10570AsRecorded) {
  MOTLEY_NEEDS(texts, "tokenizers/bert-base-uncased/question_tokens.json");
  MOTLEY_NEEDS(ids, "tokenizers/bert-base-uncased/tokenized_questions.json");
  MOTLEY_NEEDS(path, "tokenizers/bert-base-uncased");
  auto tokenizer = Tokenizer::load(path);
  Json questions = parse_json(read_file(texts, 8 << 20), texts), want = parse_json(read_file(ids, 8 << 20), ids);
  ASSERT_EQ(questions.size(), 10570u);
  ASSERT_EQ(want.size(), 10570u);
  size_t right = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    std::string text = questions[i].at("original").get<std::string>();
    right += tokenizer->encode(text, {.add_special = false}) == ids_of(want[i]);
  }
  EXPECT_EQ(right, 10570u);
}

TEST(LongTexts, CountsFirstIdsAndDigestsAsRecorded) {
  MOTLEY_NEEDS(file, "tokenizers/long_text_vectors.json");
  Json all = parse_json(read_file(file, 1 << 20), file);
  for (const Json& entry : all) {
    std::string what = entry.at("text").get<std::string>();  // "first 20000 characters of text/..."
    std::string inside = what.substr(what.rfind(' ') + 1);
    MOTLEY_NEEDS(text_path, inside);
    std::string whole = read_file(text_path, 16 << 20);
    for (const Json& v : entry.at("v")) {
      std::string name = v.at("tokenizer").get<std::string>();
      MOTLEY_NEEDS(path, "tokenizers/" + name);
      std::string text = first_characters(whole, v.at("chars").get<size_t>());
      Ids ids = Tokenizer::load(path)->encode(text, {.add_special = false});
      EXPECT_EQ(ids.size(), v.at("n_ids").get<size_t>()) << name << ", " << what;
      Ids first = ids_of(v.at("first_40"));
      EXPECT_EQ(Ids(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(first.size())), first) << name << ", " << what;
      EXPECT_EQ(digest(ids), v.at("sha256_of_ids_joined_by_space").get<std::string>()) << name << ", " << what;
    }
  }
}

// ------------------------------------------------------------------------------------------------ the same vocabulary in several files

TEST(SameVocabulary, DifferentFilesGiveTheSameIds) {
  const std::vector<std::vector<const char*>> groups{
      {"gpt2/vocab.json", "gpt2/ggml-vocab-gpt-2.gguf"},
      {"llama2/tokenizer.model", "llama2/tokenizer.bin", "llama2/ggml-vocab-llama-spm.gguf"},
      {"bert-base-uncased/tokenizer.json", "bert-base-uncased/vocab.txt", "bert-base-uncased/ggml-vocab-bert-bge.gguf"}};
  MOTLEY_NEEDS(text_path, "text/tinystories/tinystories_sample_2MiB.txt");
  std::string text = read_file(text_path, 16 << 20).substr(0, 100000);
  for (const auto& group : groups) {
    Ids first;
    for (const char* file : group) {
      MOTLEY_NEEDS(path, std::string("tokenizers/") + file);
      auto tokenizer = Tokenizer::load(path);
      Ids ids = tokenizer->encode(text, {.add_special = false});
      if (first.empty()) first = ids;
      EXPECT_EQ(ids, first) << file;
      if (std::string_view(file).find("bert") == std::string_view::npos) {
        EXPECT_EQ(tokenizer->decode(ids), text) << file;
      }
    }
  }
}

TEST(DamagedFile, TheFolderFallsBackAndSaysSo) {
  MOTLEY_NEEDS(path, "tokenizers/llama2");
  auto tokenizer = Tokenizer::load(path);
  ASSERT_EQ(tokenizer->warnings().size(), 1u);
  EXPECT_NE(tokenizer->warnings()[0].find("entry 18917"), std::string::npos) << tokenizer->warnings()[0];
  EXPECT_EQ(tokenizer->vocab_size(), 32000);
}

// ------------------------------------------------------------------------------------------------ SHA-256, to compare digests

std::string digest(const Ids& ids) {
  std::string message;
  for (int32_t id : ids) message += (message.empty() ? "" : " ") + std::to_string(id);
  static constexpr uint32_t k[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
      0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
      0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
      0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
      0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
      0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const uint64_t bits = message.size() * 8;
  message += '\x80';
  while (message.size() % 64 != 56) message += '\0';
  for (int i = 7; i >= 0; --i) message += static_cast<char>(static_cast<unsigned char>(bits >> (8 * i)));
  auto rotate = [](uint32_t v, int n) { return v >> n | v << (32 - n); };
  for (size_t at = 0; at < message.size(); at += 64) {
    uint32_t w[64];
    for (size_t i = 0; i < 16; ++i) {
      w[i] = 0;
      for (size_t b = 0; b < 4; ++b) w[i] = w[i] << 8 | static_cast<unsigned char>(message[at + 4 * i + b]);
    }
    for (size_t i = 16; i < 64; ++i)
      w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
             (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    uint32_t v[8];
    std::copy(h, h + 8, v);
    for (size_t i = 0; i < 64; ++i) {
      uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      std::copy_backward(v, v + 7, v + 8);
      v[4] += t1;
      v[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; ++i) h[i] += v[i];
  }
  std::string out;
  for (uint32_t x : h)
    for (int i = 28; i >= 0; i -= 4) out += "0123456789abcdef"[x >> i & 15];
  return out;
}

}  // namespace
}  // namespace motley

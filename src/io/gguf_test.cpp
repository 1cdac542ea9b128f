// What a good GGUF file says, read back, and random files round trip. Damaged files are in gguf_damage_test.cpp.
#include "io/gguf.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "base/file.h"
#include "io/gguf_writer.h"
#include "io/io_test_support.h"
#include "motley/error.h"
#include "quant/stored.h"

namespace motley {
namespace {

using test::message_of;
using test::TemporaryFolder;

TEST(Gguf, TypeTableAgreesWithTheDtypes) {
  for (const auto& t : ggml_types()) {
    EXPECT_EQ(find_ggml_type(t.id), &t);
    if (!t.dtype) {
      EXPECT_TRUE(parse_dtype(t.nearest)) << t.name;
      if (const StoredFormat* stored = find_stored_format(t.name)) {
        EXPECT_EQ(t.block, stored->block) << t.name;
        EXPECT_EQ(t.block_bytes, stored->block_bytes) << t.name;
        EXPECT_EQ(parse_dtype(t.nearest), stored->kept) << t.name;
      }
      continue;
    }
    EXPECT_EQ(t.block, info(*t.dtype).block) << t.name;
    EXPECT_EQ(t.block_bytes, info(*t.dtype).block_bytes) << t.name;
    EXPECT_EQ(parse_dtype(t.name), t.dtype);
    EXPECT_EQ(ggml_type_id(*t.dtype), t.id);
  }
  EXPECT_EQ(find_ggml_type(4711), nullptr);
  EXPECT_FALSE(ggml_type_id(Dtype::boolean));
}

TEST(Gguf, ReadsStories260K) {
  auto path = test::shared_file("data/weights/stories260K/stories260K.gguf");
  if (path.empty()) GTEST_SKIP() << "needs shared/data/weights/stories260K";
  auto file = GgufFile::open(path);
  EXPECT_EQ(file.string("general.architecture"), "llama");
  EXPECT_EQ(file.integer("llama.block_count"), 5);
  EXPECT_NEAR(file.number("llama.attention.layer_norm_rms_epsilon"), 1e-5, 1e-9);
  auto words = file.strings("tokenizer.ggml.tokens");
  ASSERT_EQ(words.size(), 512u);
  EXPECT_EQ(words[1].size() > 0, true);
  EXPECT_EQ(file.find_floats("tokenizer.ggml.scores")->size(), 512u);
  EXPECT_EQ(file.find_ints("tokenizer.ggml.token_type")->at(2), 3);
  EXPECT_FALSE(file.find_string("no.such.key"));
  EXPECT_EQ(file.tensors().size(), 48u);
  Tensor up = file.load("blk.4.ffn_up.weight");
  EXPECT_EQ(up.shape(), (Shape{172, 64}));
  std::vector<std::byte> copy(up.size_bytes());
  file.read(*file.find_tensor("blk.4.ffn_up.weight"), copy);
  EXPECT_EQ(std::memcmp(copy.data(), up.bytes(), copy.size()), 0);
  file.drop(*file.find_tensor("blk.4.ffn_up.weight"));
  EXPECT_EQ(std::memcmp(copy.data(), up.bytes(), copy.size()), 0);  // dropped pages come back from the file
}

TEST(Gguf, ReadsVocabularyOnlyFiles) {
  struct Expected {
    const char* path;
    const char* family;
    size_t words;
  };
  for (auto e :
       {Expected{"gpt2/ggml-vocab-gpt-2.gguf", "gpt2", 50257}, Expected{"llama2/ggml-vocab-llama-spm.gguf", "llama", 32000},
        Expected{"bert-base-uncased/ggml-vocab-bert-bge.gguf", "bert", 30522}, Expected{"gguf-vocab/ggml-vocab-starcoder.gguf", "starcoder2", 49152},
        Expected{"gguf-vocab/ggml-vocab-deepseek-coder.gguf", "llama", 32256}, Expected{"gguf-vocab/ggml-vocab-gpt-neox.gguf", "gptneox", 50432}}) {
    auto path = test::shared_file(std::string("data/tokenizers/") + e.path);
    if (path.empty()) GTEST_SKIP() << "needs shared/data/tokenizers";
    auto file = GgufFile::open(path);
    EXPECT_EQ(file.string("general.architecture"), e.family) << e.path;
    EXPECT_EQ(file.strings("tokenizer.ggml.tokens").size(), e.words) << e.path;
    EXPECT_TRUE(file.tensors().empty());
  }
}

TEST(Gguf, WrongTypesNameTheKey) {
  TemporaryFolder folder;
  GgufWriter out(folder / "m.gguf");
  out.set_string("general.architecture", "llama");
  out.set_u32("count", 7);
  out.set_u64("huge", UINT64_MAX);
  out.set_f32("eps", 0.5f);
  out.set_bool("flag", true);
  out.set_strings("words", std::vector<std::string_view>{"a", "", "bc"});
  out.set_i32s("kinds", std::vector<int32_t>{-1, 2});
  out.set_f32s("scores", std::vector<float>{1.5f});
  out.set_bools("flags", {true, false});
  out.set_u32("gone", 1);
  out.unset("gone");
  out.commit();
  auto file = GgufFile::open(folder / "m.gguf");
  EXPECT_EQ(file.number("count"), 7.0);
  EXPECT_EQ(file.find_bool("flag"), true);
  EXPECT_EQ(file.strings("words"), (std::vector<std::string_view>{"a", "", "bc"}));
  EXPECT_EQ(file.find_ints("kinds"), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(file.find_floats("scores"), std::vector<float>{1.5f});
  EXPECT_EQ(file.find_bools("flags"), (std::vector<bool>{true, false}));
  EXPECT_EQ(file.find("gone"), nullptr);
  auto expect = [](const std::string& message, std::string_view part) { EXPECT_NE(message.find(part), message.npos) << message; };
  expect(message_of([&] { file.integer("general.architecture"); }), "metadata 'general.architecture' (byte 56) should be an integer, found string");
  expect(message_of([&] { file.integer("huge"); }), "'huge' (byte 106) should be an integer below 2^63, found uint64");
  expect(message_of([&] { file.integer("eps"); }), "should be an integer, found float32");
  expect(message_of([&] { file.find_bool("count"); }), "'count' (byte 86) should be a bool, found uint32");
  expect(message_of([&] { file.string("words"); }), "should be a string, found an array of 3 string");
  expect(message_of([&] { file.find_strings("kinds"); }), "should be an array of strings, found an array of 2 int32");
  expect(message_of([&] { file.find_ints("scores"); }), "should be an array of integers, found an array of 1 float32");
  expect(message_of([&] { file.find_floats("count"); }), "should be an array of floats, found uint32");
  expect(message_of([&] { file.find_bools("kinds"); }), "should be an array of bools");
  expect(message_of([&] { file.number("flag"); }), "'flag'");
  expect(message_of([&] { file.integer("absent"); }), "metadata 'absent' is missing");
  expect(message_of([&] { file.load("absent"); }), "there is no tensor 'absent'");
}

// Writes random metadata and tensors of every type, reads them back, and copies the file key by key.
TEST(Gguf, RandomFilesRoundTrip) {
  TemporaryFolder folder;
  std::mt19937 random(20240601);
  auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  for (int round = 0; round < 40; ++round) {
    auto path = folder / "r.gguf";
    uint32_t alignment = 8u << below(6);
    struct Stored {
      std::string name;
      Dtype dtype;
      Shape shape;
      std::vector<std::byte> bytes;
    };
    std::vector<Stored> tensors;
    std::vector<std::string> texts;
    {
      GgufWriter out(path, alignment);
      for (uint32_t i = 0, n = below(20); i < n; ++i) {
        texts.push_back(std::string(below(300), static_cast<char>('a' + i)));
        out.set_string("text." + std::to_string(i), texts.back());
        out.set_i32("number." + std::to_string(i), static_cast<int32_t>(i) - 10);
      }
      for (uint32_t i = 0, n = below(8); i < n; ++i) {
        auto dtype = dtypes()[below(static_cast<uint32_t>(dtypes().size()))].dtype;
        if (!ggml_type_id(dtype)) continue;
        Shape shape;
        for (uint32_t d = 0, dims = below(4); d < dims; ++d) shape.push_back(1 + below(5));
        shape.push_back(info(dtype).block * (1 + below(3)));
        Stored t{"t" + std::to_string(i), dtype, shape, std::vector<std::byte>(static_cast<size_t>(row_bytes(dtype, num_elements(shape))))};
        for (auto& b : t.bytes) b = static_cast<std::byte>(random());
        out.declare(t.name, dtype, shape);
        tensors.push_back(std::move(t));
      }
      for (const auto& t : tensors) {
        auto cut = below(static_cast<uint32_t>(t.bytes.size()));
        if (cut > 0) out.write(t.name, std::span(t.bytes).first(cut));
        out.write(t.name, std::span(t.bytes).subspan(cut));
      }
      out.commit();
    }
    auto check_file = [&](const std::string& p) {
      auto file = GgufFile::open(p);
      for (size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(file.string("text." + std::to_string(i)), texts[i]);
        EXPECT_EQ(file.integer("number." + std::to_string(i)), static_cast<int64_t>(i) - 10);
      }
      ASSERT_EQ(file.tensors().size(), tensors.size());
      for (const auto& t : tensors) {
        Tensor loaded = file.load(t.name);
        EXPECT_EQ(loaded.dtype(), t.dtype);
        EXPECT_EQ(loaded.shape(), t.shape);
        ASSERT_EQ(loaded.size_bytes(), t.bytes.size());
        EXPECT_EQ(std::memcmp(loaded.bytes(), t.bytes.data(), t.bytes.size()), 0);
        EXPECT_EQ(file.find_tensor(t.name)->offset % file.alignment(), 0u);
      }
    };
    check_file(path);
    auto original = GgufFile::open(path);
    EXPECT_EQ(original.alignment(), alignment);
    GgufWriter again(folder / "copy.gguf");
    for (const auto& e : original.entries()) again.copy(original, e);
    for (const auto& t : tensors) again.declare(t.name, t.dtype, t.shape);
    for (const auto& t : tensors) again.write(t.name, t.bytes);
    again.commit();
    check_file(folder / "copy.gguf");
  }
}

TEST(Gguf, NothingAppearsBeforeCommit) {
  TemporaryFolder folder;
  {
    GgufWriter out(folder / "m.gguf");
    out.set_u32("a", 1);
    out.declare("w", Dtype::f32, {2});
    out.write("w", std::vector<std::byte>(8));
  }
  EXPECT_FALSE(file_exists(folder / "m.gguf"));
  EXPECT_TRUE(folder.empty());
}

TEST(Gguf, WriterRefusesWhatTheFormatCannotHold) {
  TemporaryFolder folder;
  GgufWriter out(folder / "m.gguf");
  auto message = message_of([&] { out.declare("flags", Dtype::boolean, {2}); });
  EXPECT_NE(message.find("'flags' is bool, a type that GGUF tensors cannot have"), message.npos) << message;
  message = message_of([&] { out.declare("w", Dtype::q8_0, {2, 33}); });
  EXPECT_NE(message.find("shape [2,33] cannot be stored as q8_0"), message.npos) << message;
  message = message_of([&] { out.declare(std::string(65, 'x'), Dtype::f32, {1}); });
  EXPECT_NE(message.find("GGUF allows 1 to 64"), message.npos) << message;
}

}  // namespace
}  // namespace motley

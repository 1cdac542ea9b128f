// Good safetensors files read back, random ones round trip, and every kind of damage is refused with the field and its byte.
#include "io/safetensors.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "base/file.h"
#include "io/io_test_support.h"
#include "io/safetensors_writer.h"

namespace motley {
namespace {

using test::Bytes;
using test::expect_refused;
using test::message_of;
using test::TemporaryFolder;

std::string file_of(std::string_view header, size_t data_bytes) { return Bytes().u64(header.size()).raw(header).zeros(data_bytes).text(); }

void refused(const std::string& bytes, std::initializer_list<std::string_view> parts) {
  {
    SCOPED_TRACE("from memory");
    expect_refused([&] { SafetensorsFile::from_bytes(test::as_vector(bytes), "bad.safetensors"); }, parts);
  }
  TemporaryFolder folder;
  auto path = folder.write("bad.safetensors", bytes);
  expect_refused([&] { SafetensorsFile::open(path); }, parts);
}
void refused(std::string_view header, size_t data_bytes, std::initializer_list<std::string_view> parts) {
  refused(file_of(header, data_bytes), parts);
}

TEST(Safetensors, ReadsStories260K) {
  auto path = test::shared_file("data/weights/stories260K/hf/model.safetensors");
  if (path.empty()) GTEST_SKIP() << "needs shared/data/weights/stories260K";
  auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file.metadata()[0], (std::pair<std::string, std::string>("format", "pt")));
  Tensor w = file.load("model.embed_tokens.weight");
  EXPECT_EQ(w.shape(), (Shape{512, 64}));
  EXPECT_EQ(w.dtype(), Dtype::f32);
  std::vector<std::byte> copy(w.size_bytes());
  file.read(*file.find_tensor("model.embed_tokens.weight"), copy);
  file.drop(*file.find_tensor("model.embed_tokens.weight"));
  EXPECT_EQ(std::memcmp(copy.data(), w.bytes(), copy.size()), 0);
}

TEST(Safetensors, ReadsFilesOfTheReferenceImplementation) {
  struct Expected {
    const char* name;
    Dtype dtype;
    Shape shape;
  };
  for (const auto& e : {Expected{"tensor-1d-int32", Dtype::i32, {3}}, Expected{"tensor-2d-float64", Dtype::f64, {2, 3}},
                        Expected{"tensor-3d-float32", Dtype::f32, {2, 2, 3}}, Expected{"tensor-4d-float32", Dtype::f32, {2, 3, 1, 3}}}) {
    auto path = test::shared_file(std::string("data/reference/safetensors/") + e.name + ".safetensors");
    if (path.empty()) GTEST_SKIP() << "needs shared/data/reference/safetensors";
    Tensor t = SafetensorsFile::open(path).load("embedding");  // outlives the file: it shares the mapping
    EXPECT_EQ(t.dtype(), e.dtype);
    EXPECT_EQ(t.shape(), e.shape);
    if (e.dtype == Dtype::f64) {
      EXPECT_EQ(t.data<double>()[0], 1.0);
    }
  }
}

TEST(Safetensors, RandomFilesRoundTrip) {
  TemporaryFolder folder;
  std::mt19937 random(7);
  auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  for (int round = 0; round < 60; ++round) {
    struct Stored {
      std::string name;
      Dtype dtype;
      Shape shape;
      std::vector<std::byte> bytes;
    };
    std::vector<Stored> tensors;
    auto path = folder / "r.safetensors";
    SafetensorsWriter out(path);
    if (round % 2) out.set_metadata("k\"\n\\", "v\tü\x01");
    for (size_t i = 0, n = below(8); i < n; ++i) {
      Dtype dtype = dtypes()[below(dtypes().size())].dtype;
      if (!safetensors_name(dtype)) continue;
      Shape shape;
      for (size_t d = below(4); d > 0; --d) shape.push_back(static_cast<int64_t>(below(5)));
      Stored t{"tensor \"" + std::to_string(i) + "\"é", dtype, shape,
               std::vector<std::byte>(static_cast<size_t>(row_bytes(dtype, num_elements(shape))))};
      for (auto& b : t.bytes) b = static_cast<std::byte>(random());
      out.declare(t.name, dtype, shape);
      tensors.push_back(std::move(t));
    }
    for (const auto& t : tensors) {
      size_t cut = below(t.bytes.size() + 1);
      out.write(t.name, std::span(t.bytes).first(cut));
      out.write(t.name, std::span(t.bytes).subspan(cut));
    }
    out.commit();
    auto file = SafetensorsFile::open(path);
    if (round % 2) {
      EXPECT_EQ(file.metadata()[0], (std::pair<std::string, std::string>("k\"\n\\", "v\tü\x01")));
    }
    ASSERT_EQ(file.tensors().size(), tensors.size());
    for (const auto& t : tensors) {
      Tensor loaded = file.load(t.name);
      EXPECT_EQ(loaded.dtype(), t.dtype);
      EXPECT_EQ(loaded.shape(), t.shape);
      ASSERT_EQ(loaded.size_bytes(), t.bytes.size());
      if (!t.bytes.empty()) {
        EXPECT_EQ(std::memcmp(loaded.bytes(), t.bytes.data(), t.bytes.size()), 0);
      }
      EXPECT_EQ(reinterpret_cast<uintptr_t>(loaded.bytes()) % static_cast<uintptr_t>(info(t.dtype).block_bytes),
                0u);  // copied where the file is not aligned
    }
  }
}

TEST(Safetensors, WriterRefusesQuantisedTypes) {
  TemporaryFolder folder;
  {
    SafetensorsWriter out(folder / "q.safetensors");
    auto message = message_of([&] { out.declare("w", Dtype::q4_0, {32}); });
    EXPECT_NE(message.find("'w' is q4_0, which the format cannot hold; write a GGUF file instead"), message.npos) << message;
  }
  EXPECT_TRUE(folder.empty());
}

TEST(Safetensors, UnsupportedDtypesAreRefusedByNameWhenLoaded) {
  auto file = SafetensorsFile::from_bytes(
      test::as_vector(
          file_of(R"({"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]},"f":{"dtype":"F4","shape":[3,2],"data_offsets":[4,7]}})", 7)),
      "f8");
  EXPECT_EQ(file.find_tensor("w")->size_bytes, 4u);
  expect_refused([&] { file.load("w"); }, {"f8: tensor 'w' has dtype F8_E4M3, which cannot be computed with here. Convert the model to BF16"});
  expect_refused([&] { file.load("f"); }, {"dtype F4"});
  expect_refused([&] { file.load("x"); }, {"there is no tensor 'x'"});
}

TEST(SafetensorsDamage, HeaderLength) {
  refused("", {"has 0 bytes"});
  refused("1234567", {"has 7 bytes, a safetensors file has at least 8"});
  refused(Bytes().u64(uint64_t{1} << 63).zeros(100).text(), {"the header's length at byte 0 is 9223372036854775808, more than the 100000000"});
  refused(Bytes().u64(UINT64_MAX).zeros(100).text(), {"the header's length at byte 0 is 18446744073709551615"});
  refused(Bytes().u64(101).zeros(100).text(), {"the header's length at byte 0 is 101, but the file ends at byte 108"});
  refused(Bytes().u64(0).text(), {"the JSON text ends at byte 8 where an object should be"});
}

TEST(SafetensorsDamage, HeaderOfAHundredMegabytes) {
  TemporaryFolder folder;
  auto path = folder.write("big.safetensors", Bytes().u64(100'000'001).raw("{").text());
  std::filesystem::resize_file(path, 100'000'100);
  expect_refused([&] { SafetensorsFile::open(path); }, {"the header's length at byte 0 is 100000001, more than the 100000000"});
  // One byte less is allowed; what fills it is read in a small window and found wanting.
  path = folder.write("full.safetensors", Bytes().u64(100'000'000).raw("{" + std::string(1 << 20, ' ') + "]").text());
  std::filesystem::resize_file(path, 100'000'100);
  expect_refused([&] { SafetensorsFile::open(path); }, {"']' at byte 1048585 where a key in quotes should be"});
  // 100 MB of small tensors: stopped at the bound on their number.
  std::string many = "{";
  for (int i = 0; many.size() < 20'000'000; ++i) many += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)";
  path = folder.write("many.safetensors", file_of(many, 1));
  expect_refused([&] { SafetensorsFile::open(path); }, {"there are more than 262144 tensors at byte "});
}

TEST(SafetensorsDamage, DeepNesting) {
  constexpr size_t kDeep = 1'000'000;
  refused(std::string(kDeep, '['), 0, {"'[' at byte 8 where an object should be"});
  refused("{\"a\":" + std::string(kDeep, '['), 0, {"'[' at byte 13 where an object should be"});
  std::string objects = "{";
  for (size_t i = 0; i < kDeep / 8; ++i) objects += "\"a\":{";
  refused(objects, 0, {"tensor 'a' has a key 'a' before byte 18"});
  refused("{\"a\":{\"shape\":" + std::string(kDeep, '['), 0, {"'[' at byte 23 where a whole number should be"});
  refused("{\"__metadata__\":{\"a\":" + std::string(kDeep, '['), 0, {"'[' at byte 29 where a string should be"});
}

TEST(SafetensorsDamage, Json) {
  refused("[]", 0, {"'[' at byte 8 where an object should be"});
  refused("{", 0, {"the JSON text ends at byte 9 where a key in quotes should be"});
  refused("{a", 0, {"'a' at byte 9 where a key in quotes should be"});
  refused("{\"a", 0, {"the JSON text ends at byte 11 where the rest of a string should be"});
  refused("{\"a\n\"", 0, {"'\\x0a' at byte 11"});
  refused("{\"a\" 1", 0, {"'1' at byte 13 where a colon should be"});
  refused("{\"\\q\":1}", 0, {"'q' at byte 11 where an escape should be"});
  refused("{\"\\u12g4\":1}", 0, {"'g' at byte 14 where a hexadecimal digit should be"});
  refused("{\"\\ud800\":1}", 0, {"where the second half of a surrogate pair should be"});
  refused("{\"\\ud800\\u0041\":1}", 0, {"a surrogate without its second half"});
  refused("{\"\\udc00\":1}", 0, {"a surrogate without its first half"});
  refused("{\"\xff\":1}", 0, {"the string at byte 10 is not valid UTF-8"});
  refused("{\"" + std::string(1025, 'n') + "\":1}", 0, {"the string at byte 10 is longer than 1024 bytes"});
  refused("{} x", 0, {"'x' at byte 11 where nothing more should be"});
  refused(R"({"__metadata__":{"a":1}})", 0, {"'1' at byte 29 where a string should be"});
  refused(std::string("{}\0\0", 4), 0, {"'\\x00' at byte 10 where nothing more should be"});
}

std::string tensor(std::string_view dtype, std::string_view shape, std::string_view offsets, std::string_view name = "w") {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}
std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets) { return "{" + tensor(dtype, shape, offsets) + "}"; }

TEST(SafetensorsDamage, Fields) {
  refused(R"({"w":{"shape":[1],"data_offsets":[0,1]}})", 1, {"tensor 'w' at byte 13 has no 'dtype'"});
  refused(R"({"w":{"dtype":"U8","data_offsets":[0,1]}})", 1, {"tensor 'w' at byte 13 has no 'shape'"});
  refused(R"({"w":{"dtype":"U8","shape":[1]}})", 1, {"tensor 'w' at byte 13 has no 'data_offsets'"});
  refused(R"({"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1, {"tensor 'w' has 'dtype' twice"});
  refused(R"({"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1, {"tensor 'w' has 'shape' twice"});
  refused(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"data_offsets":[0,1]}})", 1, {"tensor 'w' has 'data_offsets' twice"});
  refused(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"strides":[1]}})", 1, {"tensor 'w' has a key 'strides' before byte 70"});
  refused(R"({"w":7})", 0, {"'7' at byte 13 where an object should be"});
  refused(one("F31", "[1]", "[0,4]"), 4, {"tensor 'w' has dtype 'F31' (byte 22), which the format does not define"});
  refused(one(std::string(40, 'F'), "[1]", "[0,4]"), 4, {"longer than 32 bytes"});
  refused(one("U8", "[-1]", "[0,1]"), 1, {"'-' at byte ", "where a whole number should be"});
  refused(one("U8", "[1.0]", "[0,1]"), 1, {"'.' at byte ", "where a whole number should be"});
  refused(one("U8", "[1e0]", "[0,1]"), 1, {"'e' at byte "});
  refused(one("U8", "[01]", "[0,1]"), 1, {"begins with a zero"});
  refused(one("U8", "[\"1\"]", "[0,1]"), 1, {"'\"' at byte "});
  refused(one("U8", "null", "[0,1]"), 1, {"'n' at byte ", "where an array of numbers should be"});
  refused(one("U8", "[9223372036854775808]", "[0,1]"), 1, {"is not below 2^63"});
  refused(one("U8", "[99999999999999999999999999]", "[0,1]"), 1, {"is not below 2^63"});
  refused(one("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, {"has more than 32 numbers"});
  refused(one("U8", "[1]", "[0]"), 1, {"data_offsets of tensor 'w' at byte ", "should be a begin and a later or equal end"});
  refused(one("U8", "[1]", "[0,1,2]"), 1, {"has more than 2 numbers"});
  refused(one("U8", "[1]", "[1,0]"), 1, {"should be a begin and a later or equal end"});
}

TEST(SafetensorsDamage, Sizes) {
  refused(one("F32", "[2]", "[0,4]"), 4, {"tensor 'w' at byte 13 is F32 of shape [2], 8 bytes, but its data_offsets span 4"});
  refused(one("F32", "[0]", "[0,4]"), 4, {"0 bytes, but its data_offsets span 4"});
  refused(one("F4", "[3]", "[0,1]"), 1, {"is F4 of shape [3]"});  // one and a half bytes
  refused(one("U8", "[4294967296,4294967296]", "[0,0]"), 0, {"takes more than 2^63 bits"});
  refused(one("F64", "[2305843009213693952]", "[0,0]"), 0, {"takes more than 2^63 bits"});  // wraps to 0 bytes in 64 bits
  refused(one("U8", "[0,9223372036854775807,4]", "[0,0]"), 0, {"takes more than 2^63 bits"});
}

TEST(SafetensorsDamage, Spans) {
  auto two = [](std::string_view a, std::string_view b) { return "{" + tensor("U8", "[4]", a, "a") + "," + tensor("U8", "[4]", b, "b") + "}"; };
  refused(two("[0,4]", "[2,6]"), 6, {"tensor 'b' (byte 65) has data_offsets 2 to 6, but the tensor before it ends at offset 4"});
  refused(two("[0,4]", "[0,4]"), 4, {"but the tensor before it ends at offset 4"});
  refused(two("[0,4]", "[6,10]"), 10, {"tensor 'b' (byte 65) has data_offsets 6 to 10, but there is a hole: the tensor before it ends at offset 4"});
  refused(two("[1,5]", "[5,9]"), 9, {"tensor 'a' (byte 13) has data_offsets 1 to 5, but there is a hole"});
  refused(two("[0,4]", "[4,8]"), 7, {"tensor 'b' (byte 65) has data_offsets 4 to 8, but only 7 bytes of data follow the header", "download"});
  refused(two("[0,4]", "[4,8]"), 9, {"but the file has ", "1 belong to nothing"});
  refused("{}", 3, {"3 belong to nothing"});
  refused(one("U8", "[4]", "[9223372036854775800,9223372036854775804]"), 4, {"but only 4 bytes of data follow"});
}

TEST(SafetensorsDamage, Duplicates) {
  refused("{" + tensor("U8", "[1]", "[0,1]") + "," + tensor("U8", "[1]", "[1,2]") + "}", 2, {"tensor 'w' appears twice, at bytes 13 and 65"});
  refused("{" + tensor("U8", "[1]", "[0,1]", "a") + "," + tensor("U8", "[1]", "[1,2]", "\\u0061") + "}", 2, {"tensor 'a' appears twice"});
  refused(R"({"__metadata__":{},"__metadata__":{}})", 0, {"'__metadata__' appears twice"});
  refused(R"({"__metadata__":{"a":"1","a":"2"}})", 0, {"the metadata key 'a' appears twice"});
}

bool use_all(const std::string& text) {
  try {
    auto file = SafetensorsFile::from_bytes(test::as_vector(text), "mutant");
    size_t sum = 0;
    for (const auto& t : file.tensors()) {
      std::vector<std::byte> bytes(t.size_bytes);
      file.read(t, bytes);
      for (auto b : bytes) sum += static_cast<size_t>(b);
      if (t.dtype()) {
        EXPECT_EQ(file.load(t.name).size_bytes(), t.size_bytes);
      }
    }
    EXPECT_GT(sum, 0u);
    return true;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::file) << e.what();
    EXPECT_EQ(std::string_view(e.what()).substr(0, 22), "[safetensors] mutant: ") << e.what();
    return false;
  }
}

TEST(SafetensorsDamage, EveryTruncationIsRefusedAndEveryFlippedByteSurvived) {
  std::string header =
      R"({"__metadata__":{"format":"pt"},)" + tensor("F32", "[2,2]", "[0,16]", "a.weight") + "," + tensor("I64", "[1]", "[16,24]", "b") + "}   ";
  std::string good = Bytes().u64(header.size()).raw(header).raw("0123456789abcdefghijklmn").text();
  ASSERT_TRUE(use_all(good));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(use_all(good.substr(0, size))) << size;
  EXPECT_FALSE(use_all(good + "x"));
  size_t accepted = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    for (int flip : {0x01, 0x04, 0x10, 0x20, 0x80, 0xFF}) {
      auto bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      accepted += use_all(bad);
    }
  }
  EXPECT_GT(accepted, 24 * 6u);  // the weights, and letters of names
  EXPECT_LT(accepted, good.size() * 3);
}

class Index : public ::testing::Test {
 protected:
  Index() {
    folder.write("m-00001-of-00002.safetensors", file_of("{" + tensor("U8", "[1]", "[0,1]", "a") + "}", 1));
    folder.write("m-00002-of-00002.safetensors", file_of("{" + tensor("U8", "[2]", "[0,2]", "b") + "}", 2));
  }
  std::string index(std::string_view text) { return folder.write("model.safetensors.index.json", text); }
  void refuse(std::string_view text, std::initializer_list<std::string_view> parts) {
    auto path = index(text);
    expect_refused([&] { open_safetensors_index(path); }, parts);
  }
  TemporaryFolder folder;
};

TEST_F(Index, OpensItsShards) {
  auto shards = open_safetensors_index(index(
      R"({"metadata":{"total_size":3,"x":[true,{"y":null}]},"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors"}})"));
  ASSERT_EQ(shards.size(), 2u);
  EXPECT_TRUE(shards[0].find_tensor("a"));
  EXPECT_EQ(shards[1].load("b").size(), 2);
}

TEST_F(Index, RefusesWhatLeadsAstray) {
  for (const char* bad :
       {"../m.safetensors", "/etc/passwd", "sub/m.safetensors", "..\\\\m.safetensors", "m.bin", "", ".hidden.safetensors", "a\\u0000.safetensors"})
    refuse(fmt::format(R"({{"weight_map":{{"a":"{}"}}}})", bad),
           {"tensor 'a' is said to be in '", "which is not the name of a .safetensors file beside it"});
  refuse(R"({"weight_map":{"a":"m-00003-of-00002.safetensors"}})", {"names m-00003-of-00002.safetensors, which is not there"});
  refuse(R"({"weight_map":{"b":"m-00001-of-00002.safetensors"}})", {"tensor 'b' should be in m-00001-of-00002.safetensors, but is not"});
  refuse(R"({"weight_map":{"a":"m-00001-of-00002.safetensors","a":"m-00001-of-00002.safetensors"}})", {"tensor 'a' appears twice in 'weight_map'"});
  refuse(R"({"weight_map":{},"weight_map":{}})", {"'weight_map' appears twice"});
  refuse(R"({"metadata":{}})", {"has no 'weight_map'"});
  refuse(R"({"weight_map":[]})", {"'[' at byte 14 where an object should be"});
  refuse("{\"metadata\":" + std::string(1'000'000, '['), {"nested deeper than 64 levels at byte "});
  refuse("{\"metadata\":}", {"'}' at byte 12 where a value should be"});
  folder.write("m-00002-of-00002.safetensors", file_of("{" + tensor("U8", "[1]", "[0,1]", "a") + "}", 1));
  EXPECT_EQ(open_safetensors_index(index(R"({"weight_map":{"a":"m-00001-of-00002.safetensors"}})")).size(), 1u);  // only the files named are opened
  folder.write("m-00002-of-00002.safetensors", file_of("{" + tensor("U8", "[1]", "[0,1]", "a") + "," + tensor("U8", "[1]", "[1,2]", "b") + "}", 2));
  refuse(R"({"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors"}})",
         {"tensor 'a' is both in ", "m-00002-of-00002.safetensors"});
}

}  // namespace
}  // namespace motley

// Every known way to hurt a GGUF reader, made by hand: each file is refused with the field and its byte, quickly and in little memory.
#include <gtest/gtest.h>

#include <cstring>

#include "io/gguf.h"
#include "io/gguf_writer.h"
#include "io/io_test_support.h"

namespace motley {
namespace {

using test::Bytes;
using test::expect_refused;
using test::TemporaryFolder;

constexpr uint32_t kU8 = 0, kU32 = 4, kF32 = 6, kBool = 7, kString = 8, kArray = 9, kU64 = 10;

Bytes header(uint64_t num_tensors, uint64_t num_entries, uint32_t version = 3) {
  return Bytes().raw("GGUF").u32(version).u64(num_tensors).u64(num_entries);  // 24 bytes
}

// One tensor's row of the table; 2 floats unless told otherwise.
struct Row {
  std::string name = "w";
  std::vector<uint64_t> dims = {2};
  uint32_t type = 0;
  uint64_t offset = 0;
};
Bytes& put(Bytes& b, const Row& r) {
  b.string(r.name).u32(r.dims.size());
  for (auto d : r.dims) b.u64(d);
  return b.u32(r.type).u64(r.offset);
}
// A file with these tensors and data_bytes of data.
Bytes file_of(std::initializer_list<Row> rows, size_t data_bytes = 64) {
  Bytes b = header(rows.size(), 0);
  for (const auto& r : rows) put(b, r);
  return b.align(32).zeros(data_bytes);
}

void refused(const Bytes& bytes, std::initializer_list<std::string_view> parts) {
  SCOPED_TRACE(::testing::Message() << "from memory");
  expect_refused([&] { GgufFile::from_bytes(test::as_vector(bytes.text()), "bad.gguf"); }, parts);
  TemporaryFolder folder;
  auto path = folder.write("bad.gguf", bytes.text());
  expect_refused([&] { GgufFile::open(path); }, parts);
}

TEST(GgufDamage, MagicAndVersion) {
  refused(Bytes(), {"bad.gguf: is empty"});
  refused(Bytes().raw("<!DOCTYPE html><html>"), {"bad.gguf: is a web page, not a model"});
  refused(Bytes().raw("GGU"), {"is not a GGUF file"});
  refused(Bytes().raw("GGMF").zeros(40), {"is not a GGUF file"});
  refused(Bytes().raw("GGUF"), {"version of header at byte 4 needs 4 bytes", "file ends at byte 4"});
  refused(header(0, 0, 0), {"GGUF version 0 (byte 4)"});
  refused(header(0, 0, 1), {"GGUF version 1 (byte 4)", "Convert the model again"});
  refused(header(0, 0, 4), {"GGUF version 4 (byte 4)"});
  refused(header(0, 0, 0xFFFF0001), {"GGUF version 4294901761 (byte 4)"});
  refused(header(0, 0, 0x03000000), {"big-endian GGUF file", "byte 4"});
}

TEST(GgufDamage, Counts) {
  refused(Bytes().raw("GGUF").u32(3).u32(0), {"number of tensors of header at byte 8 needs 8 bytes"});
  refused(Bytes().raw("GGUF").u32(3).u64(0).u32(7), {"number of metadata entries of header at byte 16 needs 8 bytes"});
  refused(header(UINT64_MAX, 0), {"number of tensors at byte 8 is 18446744073709551615"});
  refused(header(0, UINT64_MAX), {"number of metadata entries at byte 16 is 18446744073709551615"});
  refused(header(1000, 0).zeros(100), {"number of tensors at byte 8 is 1000, but only 108 bytes follow"});
  refused(header(0, 1000).zeros(100), {"number of metadata entries at byte 16 is 1000, but only 100 bytes follow"});
}

TEST(GgufDamage, Keys) {
  refused(header(0, 1).u64(UINT64_MAX).zeros(16), {"key of metadata entry 0 at byte 24 is 18446744073709551615 bytes long"});
  refused(header(0, 1).u64(65535).zeros(16), {"key of metadata entry 0 at byte 32 needs 65535 bytes, but the file ends at byte 48"});
  refused(header(0, 1).string("").u32(kU8).zeros(16), {"key of metadata entry 0 at byte 24 is 0 bytes long"});
  refused(header(0, 1).string(std::string(70000, 'k')).u32(kU8).zeros(16), {"at byte 24 is 70000 bytes long"});
  refused(header(0, 1).string(std::string_view("a\0b", 3)).u32(kU8).zeros(16), {"key of metadata entry 0 at byte 24 contains a zero byte"});
  refused(header(0, 2).string("twice").u32(kU8).put<uint8_t>(1).string("twice").u32(kU8).put<uint8_t>(1),
          {"metadata key 'twice' of entry 1 appears twice"});
}

TEST(GgufDamage, Values) {
  refused(header(0, 1).string("k").u32(13).zeros(16), {"value type of metadata 'k' at byte 33 is 13, it should be 0 to 12"});
  refused(header(0, 1).string("k").u32(UINT32_MAX).zeros(16), {"value type of metadata 'k' at byte 33 is 4294967295"});
  refused(header(0, 1).string("k").u32(kU64).u32(1), {"value of metadata entry 0 at byte 37 needs 8 bytes"});
  refused(header(0, 1).string("k").u32(kBool).put<uint8_t>(2), {"metadata 'k' at byte 37 is a bool of value 2"});
  refused(header(0, 1).string("k").u32(kString).u64(uint64_t{1} << 30).zeros(100), {"string of metadata entry 0", "1073741824"});
  refused(header(0, 1).string("k").u32(kString).u64(UINT64_MAX - 3).zeros(100),
          {"string of metadata entry 0 at byte 37 is 18446744073709551612 bytes long"});
  refused(header(0, 1).string("bad\xFF\nkey").u32(99).zeros(9), {"metadata 'bad\\xff\\x0akey'"});
}

TEST(GgufDamage, Arrays) {
  auto array = [](uint32_t element, uint64_t count) { return header(0, 1).string("k").u32(kArray).u32(element).u64(count); };
  refused(array(13, 0), {"element type of metadata 'k' at byte 37 is 13"});
  refused(array(kArray, 1).u32(kU8).u64(1).zeros(1), {"metadata 'k' at byte 37 is an array of arrays"});
  refused(array(kU8, uint64_t{1} << 30).zeros(80),
          {"array 'k' at byte 41 announces 1073741824 elements of at least 1 bytes, but only 80 bytes follow"});
  refused(array(kU64, UINT64_MAX / 8 + 2).zeros(80), {"array 'k' at byte 41 announces 2305843009213693953 elements"});
  refused(array(kString, uint64_t{1} << 61).zeros(80), {"array 'k' at byte 41 announces 2305843009213693952 elements of at least 8 bytes"});
  refused(array(kString, 2).string("a").u64(1000).zeros(8), {"string of metadata entry 0 at byte 66 needs 1000 bytes"});
  refused(array(kBool, 3).put<uint8_t>(0).put<uint8_t>(1).put<uint8_t>(7), {"metadata 'k' at byte 51 is a bool of value 7"});
}

TEST(GgufDamage, Alignment) {
  auto with = [](uint32_t type, auto v) { return header(0, 1).string("general.alignment").u32(type).put(v); };
  refused(with(kU64, uint64_t{32}), {"'general.alignment' at byte 53 should be uint32, found uint64"});
  refused(with(kF32, 32.0f), {"'general.alignment' at byte 53 should be uint32, found float32"});
  refused(header(0, 1).string("general.alignment").u32(kString).string("32"), {"'general.alignment' at byte 53 should be uint32, found string"});
  for (uint32_t bad : {0u, 1u, 13u, 48u, 1u << 21, 1u << 31, UINT32_MAX})
    refused(with(kU32, bad), {"'general.alignment' at byte 53 is " + std::to_string(bad)});
  // Declared alignment and layout disagree: the second tensor lies at a multiple of 32 where 64 was announced.
  Bytes b = header(2, 1).string("general.alignment").u32(kU32).u32(64);
  put(put(b, {.name = "a", .dims = {8}}), {.name = "b", .dims = {8}, .offset = 32});
  refused(b.align(64).zeros(128), {"tensor 'b' begins at offset 32", "alignment 64"});
}

TEST(GgufDamage, TensorNames) {
  refused(file_of({{.name = ""}}), {"name of tensor 0 at byte 24 is 0 bytes long"});
  refused(file_of({{.name = std::string(65, 'n')}}), {"name of tensor 0 at byte 24 is 65 bytes long, it should be 1 to 64"});
  refused(file_of({{.name = std::string("a\0", 2)}}), {"name of tensor 0 at byte 24 contains a zero byte"});
  refused(file_of({{.name = "same"}, {.name = "same", .offset = 32}}), {"tensor name 'same' of tensor 1 appears twice"});
  Bytes b = header(1, 0).u64(UINT64_MAX).zeros(40);
  refused(b, {"name of tensor 0 at byte 24 is 18446744073709551615 bytes long"});
}

TEST(GgufDamage, Shapes) {
  refused(file_of({{.dims = {2, 1, 1, 1, 1}}}), {"tensor 'w' has 5 dimensions (byte 33), at most 4"});
  Bytes many = header(1, 0).string("w").u32(UINT32_MAX).zeros(64);
  refused(many, {"tensor 'w' has 4294967295 dimensions (byte 33)"});
  refused(file_of({{.dims = {2, 0}}}), {"dimension 1 of tensor 'w' at byte 45 is 0"});
  refused(file_of({{.dims = {UINT64_MAX}}}), {"dimension 0 of tensor 'w' at byte 37 is 18446744073709551615"});
  refused(file_of({{.dims = {uint64_t{1} << 32, uint64_t{1} << 32}}}), {"more than 2^63 elements (dimension 1 at byte 45"});
  refused(file_of({{.dims = {3, uint64_t{1} << 62}}}), {"more than 2^63 elements"});
  // As many elements as fit a number, but not as bytes: 2^62 floats wrap to zero bytes in 64 bits.
  refused(file_of({{.dims = {uint64_t{1} << 62}}}), {"tensor 'w' of type F32 (byte 45) would take more than 2^63 bytes"});
  refused(file_of({{.dims = {uint64_t{1} << 40}}}), {"tensor 'w' takes 4398046511104 bytes from offset 0 (byte 49)", "file ends at byte 128"});
}

TEST(GgufDamage, Types) {
  refused(file_of({{.type = 42}}), {"tensor 'w' has type 42 (byte 45)"});
  refused(file_of({{.type = UINT32_MAX}}), {"tensor 'w' has type 4294967295 (byte 45)"});
  refused(file_of({{.dims = {31}, .type = 8}}), {"rows of 31 elements, not a multiple of the 32 that type Q8_0 (byte 45) groups"});
  refused(file_of({{.dims = {128, 2}, .type = 12}}), {"rows of 128 elements, not a multiple of the 256 that type Q4_K"});
}

TEST(GgufDamage, Spans) {
  refused(file_of({{.offset = 1}}), {"tensor 'w' begins at offset 1 (byte 49), not a multiple of the file's alignment 32"});
  refused(file_of({{.offset = 64}}), {"tensor 'w' takes 8 bytes from offset 64 (byte 49)", "the file ends at byte 128"});
  refused(file_of({{.offset = uint64_t{1} << 63}}), {"tensor 'w' takes 8 bytes from offset 9223372036854775808"});
  refused(file_of({{.offset = UINT64_MAX - 31}}), {"tensor 'w' takes 8 bytes from offset 18446744073709551584"});  // offset + size wraps
  refused(file_of({{.dims = {17}}}), {"tensor 'w' takes 68 bytes", "Is the download complete?"});
  refused(file_of({{.name = "a", .dims = {16}}, {.name = "b", .offset = 32}}, 128),
          {"tensor 'b' begins at byte 128 (offset field at byte 82), inside tensor 'a' of bytes 96 to 160"});
  refused(file_of({{.name = "a"}, {.name = "b"}}, 128), {"inside tensor"});
  // Sizes that add up to less than a file by wrapping: 2^60 tensors' worth of bytes in two rows.
  refused(file_of({{.name = "a", .dims = {uint64_t{1} << 60}}, {.name = "b", .dims = {uint64_t{3} << 60}, .offset = uint64_t{1} << 62}}),
          {"tensor 'b'"});
}

TEST(GgufDamage, TypesWithoutKernelsAreRefusedOnlyWhenLoaded) {
  for (const auto& type : ggml_types()) {
    if (type.dtype) continue;
    uint64_t row = type.block ? static_cast<uint64_t>(type.block) : 32;
    auto bytes = file_of({{.dims = {row}, .type = type.id}, {.name = "other", .offset = 320}}, 384);
    auto file = GgufFile::from_bytes(test::as_vector(bytes.text()), "odd.gguf");
    EXPECT_EQ(file.load("other").size(), 2);
    expect_refused([&] { file.load("w"); }, {"odd.gguf: tensor 'w' has type ", type.name, "the nearest that can is ", type.nearest});
  }
}

// A small valid file with a bit of everything.
std::string small_file() {
  TemporaryFolder folder;
  GgufWriter out(folder / "small.gguf");
  out.set_string("general.architecture", "llama");
  out.set_u32("llama.block_count", 1);
  out.set_bool("tokenizer.ggml.add_bos_token", true);
  out.set_strings("tokenizer.ggml.tokens", std::vector<std::string_view>{"<s>", "a", "b"});
  out.set_f32s("tokenizer.ggml.scores", std::vector<float>{0, -1, -2});
  out.declare("token_embd.weight", Dtype::f32, {3, 4});
  out.declare("blk.0.q.weight", Dtype::q8_0, {2, 32});
  out.write("token_embd.weight", std::vector<std::byte>(48, std::byte{7}));
  out.write("blk.0.q.weight", std::vector<std::byte>(68, std::byte{9}));
  out.commit();
  std::ifstream in(folder / "small.gguf", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Reads whatever the file offers. True when it was accepted.
bool use_all(const std::string& text) {
  try {
    auto file = GgufFile::from_bytes(test::as_vector(text), "mutant.gguf");
    size_t sum = 0;
    for (const auto& e : file.entries()) {
      for (char c : file.value_bytes(e)) sum += static_cast<unsigned char>(c);
      try {
        if (e.element == GgufType::string && e.type == GgufType::array) sum += file.strings(e.key).size();
        sum += file.find_ints(e.key)->size();
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::file);
      }
    }
    for (const auto& t : file.tensors()) {
      std::vector<std::byte> bytes(t.size_bytes);
      file.read(t, bytes);
      for (auto b : bytes) sum += static_cast<unsigned char>(b);
      if (t.dtype()) sum += static_cast<size_t>(file.load(t.name).bytes()[0]);
    }
    EXPECT_GT(sum, 0u);
    return true;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::file) << e.what();
    EXPECT_EQ(std::string_view(e.what()).substr(0, 20), "[gguf] mutant.gguf: ") << e.what();
    return false;
  }
}

TEST(GgufDamage, EveryTruncationIsRefused) {
  auto good = small_file();
  ASSERT_TRUE(use_all(good));
  auto file = GgufFile::from_bytes(test::as_vector(good), "good");
  uint64_t end = file.tensors().back().offset + file.tensors().back().size_bytes;  // what follows is padding
  for (size_t size = 0; size < good.size(); ++size) EXPECT_EQ(use_all(good.substr(0, size)), size >= end) << size;
}

TEST(GgufDamage, EveryFlippedByteIsSurvived) {
  auto good = small_file();
  size_t accepted = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    for (int flip : {0x01, 0x10, 0x80, 0xFF}) {
      auto bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      accepted += use_all(bad);
    }
  }
  EXPECT_GT(accepted, 0u);               // letters of names and the weights may change
  EXPECT_LT(accepted, 4 * good.size());  // lengths and counts may not
}

// An announced 1 GiB of metadata that is really there, as a sparse file: refused at the bound, without reading it all.
TEST(GgufDamage, MetadataBeyondTheBound) {
  TemporaryFolder folder;
  auto path = folder.write("huge.gguf", header(0, 1).string("k").u32(kArray).u32(kU8).u64(uint64_t{1} << 30).text());
  std::filesystem::resize_file(path, (uint64_t{1} << 30) + 4096);
  expect_refused([&] { GgufFile::open(path); }, {"value of metadata entry 0 at byte 49 goes on past 256 MiB of metadata"});
}

TEST(GgufDamage, FileTruncatedWhileInUse) {
  TemporaryFolder folder;
  auto path = folder.write("shrinks.gguf", small_file());
  auto file = GgufFile::open(path);
  std::filesystem::resize_file(path, 100);
  EXPECT_EQ(file.string("general.architecture"), "llama");  // the header is our own copy
  const GgufTensor* t = file.find_tensor("token_embd.weight");
  std::vector<std::byte> bytes(t->size_bytes);
  expect_refused([&] { file.read(*t, bytes); }, {"shrinks.gguf ends at byte ", "Was it replaced while in use?"});
}

}  // namespace
}  // namespace motley

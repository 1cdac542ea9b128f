// Files written by the reference packages (tools/make_io_vectors.py) say here what they were given there.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "io/gguf.h"
#include "io/safetensors.h"

namespace motley {
namespace {

const std::string kFolder = MOTLEY_SOURCE_DIR "/tests/data/io/";

TEST(ForeignFiles, GgufOfThePythonPackage) {
  auto file = GgufFile::open(kFolder + "python.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.string("general.architecture"), "llama");
  EXPECT_EQ(file.integer("k.u8"), 200);
  EXPECT_EQ(file.integer("k.i8"), -100);
  EXPECT_EQ(file.integer("k.u16"), 60000);
  EXPECT_EQ(file.integer("k.i16"), -30000);
  EXPECT_EQ(file.integer("k.u32"), 4000000000);
  EXPECT_EQ(file.integer("k.i32"), -2000000000);
  EXPECT_EQ(file.integer("k.u64"), int64_t{1} << 40);
  EXPECT_EQ(file.integer("k.i64"), -(int64_t{1} << 40));
  EXPECT_EQ(file.number("k.f32"), 0.25);
  EXPECT_EQ(file.number("k.f64"), 0.1);
  EXPECT_EQ(file.find_bool("k.bool"), true);
  EXPECT_EQ(file.string("k.string"), "grüß");
  EXPECT_EQ(file.strings("a.strings"), (std::vector<std::string_view>{"x", "", "▁yz"}));
  EXPECT_EQ(file.find_ints("a.ints"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(file.find_bools("a.bools"), (std::vector<bool>{true, false}));
  EXPECT_EQ(file.find_floats("a.floats"), (std::vector<float>{0.5, -1.5}));
  ASSERT_EQ(file.tensors().size(), 3u);
  Tensor matrix = file.load("matrix");
  EXPECT_EQ(matrix.shape(), (Shape{2, 3}));
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(matrix.data<float>()[i], static_cast<float>(i));
  EXPECT_EQ(file.load("half").data<uint16_t>()[1], 0xC000);
  EXPECT_EQ(file.load("quantised").dtype(), Dtype::q8_0);
  EXPECT_EQ(file.load("quantised").shape(), (Shape{2, 64}));
}

TEST(ForeignFiles, SafetensorsOfThePythonPackage) {
  auto file = SafetensorsFile::open(kFolder + "python.safetensors");
  EXPECT_EQ(file.metadata()[0].second, "np");
  EXPECT_EQ(file.load("x").shape(), (Shape{2, 2}));
  EXPECT_EQ(file.load("x").data<uint16_t>()[3], 0x4400);  // 4.0
  EXPECT_EQ(file.load("none").shape(), (Shape{0, 2}));
  EXPECT_EQ(file.load("scalar").data<double>()[0], 3.5);
  EXPECT_EQ(file.load("flags").dtype(), Dtype::boolean);
  EXPECT_EQ(file.load("flags").data<uint8_t>()[2], 1);
}

}  // namespace
}  // namespace motley

#include "io/dataset/byte_stream.h"

#include <random>

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;

std::string read_all(ByteStream in) {
  std::string out;
  for (std::string_view bytes = in.ahead(); !bytes.empty(); bytes = in.ahead()) {
    out += bytes;
    in.skip(bytes.size());
  }
  return out;
}

std::string random_text(size_t n) {
  std::mt19937 random(7);
  std::string text;
  for (size_t i = 0; i < n; ++i) text += static_cast<char>('a' + random() % 20);
  return text;
}

TEST(ByteStream, GivesWhatWasPackedWhateverTheName) {
  for (size_t n : {0, 1, 3, 1000, 300'000, 2'000'000}) {
    const std::string text = random_text(n);
    EXPECT_EQ(read_all(stream_of(text)), text) << n;
    EXPECT_EQ(read_all(stream_of(gzip(text))), text) << n;
    EXPECT_EQ(read_all(stream_of(zstd(text))), text) << n;
  }
  EXPECT_EQ(stream_of(gzip("x")).packing(), "gzip");
  EXPECT_EQ(stream_of(zstd("x")).packing(), "zstd");
  EXPECT_EQ(stream_of("x").packing(), "");
}

TEST(ByteStream, PackedPartsOneBehindTheOtherAreOneText) {
  const std::string skippable("\x50\x2a\x4d\x18\x04\0\0\0abcd", 12);
  EXPECT_EQ(read_all(stream_of(gzip("one ") + gzip("two") + gzip(""))), "one two");
  EXPECT_EQ(read_all(stream_of(zstd("one ") + skippable + zstd("two"))), "one two");
}

TEST(ByteStream, AFileThatUnpacksTwiceItsBufferIsReadToTheEnd) {
  // The last bytes of the file are read long before the last bytes of the text come out.
  const std::string text(1'000'000, 'x');
  EXPECT_EQ(read_all(stream_of(gzip(text))), text);
  EXPECT_EQ(read_all(stream_of(zstd(text))), text);
}

TEST(ByteStream, WhatIsCutShortOrFollowedByOtherBytesIsRefused) {
  for (const std::string& packed : {gzip(random_text(500)), zstd(random_text(500))}) {
    for (size_t n = 4; n < packed.size(); ++n) expect_refused([&] { read_all(stream_of(packed.substr(0, n))); }, {"input"});
    expect_refused([&] { read_all(stream_of(packed + "and more")); }, {"that are not", "begin at byte"});
  }
}

TEST(ByteStream, ADamagedByteIsToldOrChangesNothing) {
  const std::string text = random_text(2000);
  std::mt19937 random(3);
  for (std::string packed : {gzip(text), zstd(text)})
    for (int i = 0; i < 300; ++i) {
      std::string damaged = packed;
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      try {
        read_all(stream_of(damaged));
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::file);
      }
    }
}

TEST(ByteStream, AFewBytesThatUnpackToVeryManyAreRefused) {
  const std::string zeros(ByteStream::kFreeBytes + (8 << 20), '\0');
  expect_refused(
      [&, packed = zstd(zeros)] {
        ByteStream in = stream_of(packed);
        for (std::string_view bytes = in.ahead(); !bytes.empty(); bytes = in.ahead()) in.skip(bytes.size());
      },
      {"unpack to more than", "which no text does"});
}

}  // namespace
}  // namespace motley

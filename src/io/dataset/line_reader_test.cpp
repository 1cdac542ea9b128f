#include "io/dataset/line_reader.h"

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;

std::vector<std::string> lines_of(std::string_view text) {
  ByteStream in = stream_of(text);
  LineReader lines(in);
  std::vector<std::string> out;
  while (lines.next()) {
    out.emplace_back(lines.text());
    EXPECT_EQ(lines.number(), static_cast<int64_t>(out.size()));
  }
  return out;
}

TEST(LineReader, KnowsBothLineEndsAndPassesOverTheMark) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(lines_of(""), Lines{});
  EXPECT_EQ(lines_of("a\n\r\nb\r\n"), (Lines{"a", "", "b"}));
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"
                     "a\nb"),
            (Lines{"a", "b"}));
  EXPECT_EQ(lines_of("\n"), Lines{""});
  EXPECT_EQ(lines_of(std::string("a\0b\n", 4)), (Lines{std::string("a\0b", 3)}));
}

TEST(LineReader, LinesThatCrossTheBlocksOfAFileAreWhole) {
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    expected.push_back(std::string(static_cast<size_t>(i * 17 % 5000), static_cast<char>('a' + i % 26)));
    text += expected.back() + (i % 3 ? "\n" : "\r\n");
  }
  EXPECT_EQ(lines_of(text), expected);
}

TEST(LineReader, AVeryLongLineComesInPieces) {
  const std::string text = "short\n" + std::string(LineReader::kMostBytes + 10, 'x') + "\nend";
  ByteStream in = stream_of(text);
  LineReader lines(in);
  ASSERT_TRUE(lines.next());
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.text().size(), LineReader::kMostBytes);
  EXPECT_TRUE(lines.first_piece() && !lines.last_piece());
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.text(), std::string(10, 'x'));
  EXPECT_TRUE(!lines.first_piece() && lines.last_piece() && lines.has_end());
  EXPECT_EQ(lines.number(), 2);
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.text(), "end");
  EXPECT_EQ(lines.number(), 3);
  EXPECT_FALSE(lines.has_end());
}

}  // namespace
}  // namespace motley

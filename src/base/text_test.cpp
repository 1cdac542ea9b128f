#include "base/text.h"

#include <gtest/gtest.h>

namespace motley {
namespace {

TEST(Text, NumbersAreWholeOrNothing) {
  EXPECT_EQ(parse_int("42"), 42);
  EXPECT_EQ(parse_int("-7"), -7);
  for (const char* s : {"", "4x", " 4", "99999999999999999999"}) EXPECT_FALSE(parse_int(s)) << s;
  EXPECT_EQ(parse_double("1e3"), 1000.0);
  EXPECT_FALSE(parse_double("1e3 "));
}

TEST(Text, SizesTakeTheUnitsPeopleWrite) {
  EXPECT_EQ(parse_size("4096"), 4096);
  EXPECT_EQ(parse_size("8k"), 8000);
  EXPECT_EQ(parse_size("8K"), 8192);
  EXPECT_EQ(parse_size("1GiB"), int64_t{1} << 30);
  EXPECT_EQ(parse_size("1.5GB"), 1500000000);
  EXPECT_EQ(parse_size("10B"), 10);
  for (const char* s : {"", "k", "1x", "1kib2", "-1", "0.3", "1e30G"}) EXPECT_FALSE(parse_size(s)) << s;
}

TEST(Text, NearestFindsSlips) {
  std::string_view words[] = {"run", "chat", "quantize", "devices"};
  EXPECT_EQ(nearest("quantise", words), "quantize");
  EXPECT_EQ(nearest("rnu", words), std::nullopt);  // two edits in three letters could be anything
  EXPECT_EQ(nearest("chta", words), std::nullopt);
  EXPECT_EQ(nearest("device", words), "devices");
  EXPECT_FALSE(nearest("serve", words));
}

TEST(Text, Utf8RoundTripsAndSurvivesGarbage) {
  for (char32_t c : {U'a', U'\u00e9', U'\u20ac', U'\U0001F600', char32_t{0x10FFFF}}) {
    std::string s;
    append_utf8(s, c);
    auto back = decode_utf8(s, 0);
    EXPECT_EQ(back.value, c);
    EXPECT_EQ(static_cast<size_t>(back.length), s.size());
  }
  for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80"}) {
    auto c = decode_utf8(bad, 0);
    EXPECT_EQ(c.value, char32_t{0xFFFD}) << bad;
    EXPECT_EQ(c.length, 1);
  }
  EXPECT_EQ(valid_utf8("a\xff z"), "a\xef\xbf\xbd z");
}

TEST(Text, CompletePrefixHoldsBackHalfACharacter) {
  EXPECT_EQ(complete_utf8_prefix("ab"), 2u);
  EXPECT_EQ(complete_utf8_prefix("ab\xe2\x82"), 2u);
  EXPECT_EQ(complete_utf8_prefix("\xe2\x82\xac"), 3u);
  EXPECT_EQ(complete_utf8_prefix("\xf0\x9f\x98"), 0u);
  EXPECT_EQ(complete_utf8_prefix(""), 0u);
}

TEST(Text, PrintableIsSafeToShow) {
  EXPECT_EQ(printable("gr\u00fc\u00df 'x'"), "gr\u00fc\u00df 'x'");
  EXPECT_EQ(printable("a\n\x1b[31m\xff\xc2\x80"), "a\\x0a\\x1b[31m\\xff\\xc2\\x80");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(Text, PrintableLinesKeepTheirEnds) {
  EXPECT_EQ(printable_lines("a\tb\n\x1b[31m\r\n\n"), "a\tb\n\\x1b[31m\\x0d\n\n");
  EXPECT_EQ(printable_lines(""), "");
  std::string longer(1000, 'x');
  EXPECT_EQ(printable_lines(longer), longer);
}

}  // namespace
}  // namespace motley

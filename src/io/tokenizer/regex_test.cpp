#include "io/tokenizer/regex.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/text.h"
#include "io/io_test_support.h"
#include "io/tokenizer/oniguruma.h"
#include "io/tokenizer/patterns.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

using test::expect_refused;

std::vector<std::string> matches(std::string_view pattern, std::string_view text) {
  Regex regex(pattern, "test");
  Regex::Scratch scratch;
  scratch.begin_text(text.size());
  std::vector<std::string> out;
  regex.for_each(text, scratch, [&](size_t begin, size_t end) { out.emplace_back(text.substr(begin, end - begin)); });
  return out;
}

using Texts = std::vector<std::string>;

TEST(Regex, FindsAllMatchesFromLeftToRight) {
  EXPECT_EQ(matches("a+|b", "aabxa"), (Texts{"aa", "b", "a"}));
  EXPECT_EQ(matches("x*", "axxb"), (Texts{"", "xx", ""}));
  EXPECT_EQ(matches("", "\xC3\xA9z"), (Texts{"", "", ""}));
}

TEST(Regex, ReadsOnigurumasLanguage) {
  EXPECT_EQ(matches(R"(\h+)", "xyzab12"), Texts{"ab12"});
  EXPECT_EQ(matches(R"(\p{N}{1,3}+)", "x123456789y"), Texts{"123456789"});
  EXPECT_EQ(matches("[a-z&&[^aeiou]]+", "hello"), (Texts{"h", "ll"}));
  EXPECT_EQ(matches("(?m:a.b)", "a\nb"), Texts{"a\nb"});
  EXPECT_EQ(matches("a$", "a\nba"), (Texts{"a", "a"}));
  EXPECT_EQ(matches(R"(\s)", "a\xE1\xA0\x8E\x62"), Texts{});                             // U+180E is no white space any more
  EXPECT_EQ(matches(R"(\p{Han}+)", "\xE4\xB8\x96\xE3\x80\x82"), Texts{"\xE4\xB8\x96"});  // the full stop belongs to several scripts
  EXPECT_EQ(matches(R"((?i:'s))", "'\xC5\xBF"), Texts{"'\xC5\xBF"});
}

TEST(Regex, WhatCannotBeUsedIsRefusedByName) {
  expect_refused([] { Regex("(a", "file: field"); }, {"[tokenizer]", "file: field", "'(a'"});
  expect_refused([] { Regex("[a", "w"); }, {"a character class without end at byte 2"});
  expect_refused([] { Regex("*", "w"); }, {"a repetition of nothing"});
  expect_refused([] { Regex("[]", "w"); }, {"a character class without end"});
  expect_refused([] { Regex(R"(\p{Klingon})", "w"); }, {"Klingon"});
  expect_refused([] { Regex(R"(\u12)", "w"); }, {"four hexadecimal digits"});
  expect_refused([] { Regex(std::string(100000, 'a'), "w"); }, {"100000 bytes, expected at most 16384"});
  expect_refused([] { Regex(std::string(5000, '(') + std::string(5000, ')'), "w"); }, {"regular expression"});
  expect_refused([] { Regex(std::string(5000, '['), "w"); }, {"nested too deeply"});
  expect_refused([] { Regex("(?:(?:a{60000}){60000}){60000}", "w"); }, {"regular expression"});
  expect_refused([] { Regex("\xFF", "w"); }, {"not UTF-8"});
}

TEST(Regex, PatternsThatBacktrackWithoutEndAreGivenUp) {
  for (const char* pattern : {"(a+)+$", "(a|aa)+$", "(a+a+)+[yz]", R"(^(\p{L}+\s?)*!$)"}) {
    std::string text = std::string(60, 'a') + "!c";
    expect_refused([&] { matches(pattern, text); }, {"gave up at byte", "text of 62 bytes"});
  }
}

TEST(Regex, SearchesThatEachRunFarHaveALimitTogether) {
  // Every search looks to the end of the text: the square of its length in all.
  const std::string text(400'000, 'a');
  try {
    matches("(?=.*x)b|(?=.*y)a|(?!.*z)aaaaaaa", text);
    ADD_FAILURE() << "expected an Error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::file);
    EXPECT_NE(std::string(e.what()).find("takes too long on a text of 400000 bytes"), std::string::npos) << e.what();
  }
}

TEST(Regex, OneLongWordNeedsNoStack) {
  std::string word(4'000'000, 'a');
  EXPECT_EQ(matches(kGpt2Pattern, word), Texts{word});
  EXPECT_EQ(matches(kO200kPattern, word), Texts{word});
  EXPECT_EQ(matches(kLlama3Pattern, std::string(1'000'000, ' ')).size(), 1u);
}

// Each known set of expressions cuts any text without losing a byte.
TEST(Patterns, CoverRandomText) {
  std::mt19937 random(11);
  const std::u32string pool = U"abcXYZ0189 \t\n\r.,'\"!$+-_/()éßÀıſK世界あカ한ㄱПρ\u0301\u200d\u00a0\u3000😀";
  for (const PrePattern& pre : pre_patterns()) {
    for (int round = 0; round < 30; ++round) {
      std::string text;
      for (int i = 0; i < 40; ++i) append_utf8(text, pool[random() % pool.size()]);
      Texts pieces{text};
      for (std::string_view split : pre.splits) {
        Texts next;
        Regex regex(split, std::string(pre.name));
        Regex::Scratch scratch;
        for (const std::string& piece : pieces) {
          size_t done = 0;
          regex.for_each(piece, scratch, [&](size_t begin, size_t end) {
            if (begin > done) next.push_back(piece.substr(done, begin - done));
            if (end > begin) next.push_back(piece.substr(begin, end - begin));
            done = end;
          });
          if (done < piece.size()) next.push_back(piece.substr(done));
        }
        pieces = std::move(next);
      }
      std::string joined;
      for (const auto& piece : pieces) {
        EXPECT_TRUE(is_valid_utf8(piece)) << pre.name;
        joined += piece;
      }
      EXPECT_EQ(joined, text) << pre.name;
    }
  }
}

TEST(Patterns, AreKnownByTheirExpressions) {
  EXPECT_EQ(name_of_patterns({std::string(kGpt2Pattern)}, false), "gpt-2");
  EXPECT_EQ(name_of_patterns({std::string(kLlama3Pattern)}, true), "llama-bpe");
  EXPECT_EQ(name_of_patterns({std::string(kLlama3Pattern)}, false), "dbrx");
  EXPECT_EQ(name_of_patterns({std::string(kQwen2Pattern)}, false), "qwen2");
  EXPECT_EQ(name_of_patterns({R"(\p{N})", std::string(kGpt2Pattern)}, false), "starcoder");
  EXPECT_EQ(name_of_patterns({"[^x]+"}, false), std::nullopt);
  std::vector<std::string_view> names;
  for (const PrePattern& pre : pre_patterns()) names.push_back(pre.name);
  for (const char* name :
       {"default", "gpt-2", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon", "tekken", "gpt-4o", "bloom"})
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
}

}  // namespace
}  // namespace motley::tok

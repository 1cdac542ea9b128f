#include "base/text_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "base/error.h"

namespace motley {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& command, const FilterLimits& limits = {}, std::string_view input = "text\n") {
  try {
    run_filter(command, input, limits);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(TextFilter, GivesWhatTheCommandMakesOfTheText) {
  EXPECT_EQ(run_filter("tr a-z A-Z", "some words\nmore\n", {}), "SOME WORDS\nMORE\n");
  EXPECT_EQ(run_filter("cat >/dev/null", "some words\n", {}), "");
}

TEST(TextFilter, LongTextsGoThroughWhateverThePace) {
  std::string text;
  for (int i = 0; text.size() < (4u << 20); ++i) text += std::to_string(i) + " and so on\n";
  EXPECT_EQ(run_filter("cat", text, {}), text);
  EXPECT_EQ(run_filter("tac | tac", text, {}), text);  // writes only when all is read
}

TEST(TextFilter, ACommandThatDoesNotReadIsNoEndOfThisProgram) {
  const std::string text(4 << 20, 'x');
  EXPECT_EQ(run_filter("echo done", text, {}), "done\n");
}

TEST(TextFilter, SaysWhatWentWrong) {
  EXPECT_THAT(refusal("no-such-program-here"), testing::AllOf(HasSubstr("ended with code 127"), HasSubstr("no-such-program-here")));
  EXPECT_THAT(refusal("echo out of memory >&2; exit 3"), HasSubstr("ended with code 3: out of memory"));
  EXPECT_THAT(refusal("kill -9 $$"), HasSubstr("ended by signal 9"));
  EXPECT_THAT(refusal("yes", {.output_bytes = 1 << 20}), HasSubstr("wrote more than 1048576 bytes"));
}

TEST(TextFilter, EndsWithTheTimeWhatStillRuns) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(refusal("sleep 100 | cat", {.seconds = 0.3}), HasSubstr("did not end within 0.3 seconds"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(TextFilter, EndsWithTheTimeWhatNoLongerSpeaks) {
  EXPECT_THAT(refusal("exec >&- 2>&-; sleep 100", {.seconds = 0.3}), HasSubstr("did not end within 0.3 seconds"));
  EXPECT_EQ(run_filter("exec >&- 2>&-; cat >/dev/null", std::string(4 << 20, 'x'), {.seconds = 60}), "");
}

TEST(TextFilter, WhoWaitsMayStopIt) {
  EXPECT_THROW(run_filter("sleep 100", "", {}, [] { fail(ErrorKind::runtime, "test", "enough"); }), Error);
}

}  // namespace
}  // namespace motley

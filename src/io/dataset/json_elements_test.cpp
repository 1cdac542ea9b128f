#include "io/dataset/json_elements.h"

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;

std::vector<JsonElement> elements_of(std::string_view text) {
  ByteStream in = stream_of(text);
  JsonElements elements(in);
  std::vector<JsonElement> out;
  for (JsonElement e; elements.next(e);) out.push_back(e);
  return out;
}

TEST(JsonElements, LinesAndListsGiveTheSameRecords) {
  for (const char* text :
       {"{\"a\": 1}\n\n{\"a\": [2, \"]\"]}\r\n", "[{\"a\": 1},\n\n{\"a\": [2, \"]\"]}]", "\xEF\xBB\xBF[\n\n{\"a\": 1}\n,{\"a\": [2, \"]\"]}\n]\n"}) {
    auto e = elements_of(text);
    ASSERT_EQ(e.size(), 2u) << text;
    EXPECT_EQ(e[1].text.substr(0, 15), "{\"a\": [2, \"]\"]}");
    EXPECT_EQ(e[0].problem + e[1].problem, "");
  }
  EXPECT_EQ(elements_of("{}\n\n{}\n")[1].line, 3);
  EXPECT_EQ(elements_of("[\n{},\n{\n}\n]")[1].line, 3);
  EXPECT_EQ(elements_of("[]").size(), 0u);
  EXPECT_EQ(elements_of("").size(), 0u);
}

TEST(JsonElements, QuotesAndBackslashesEndNoRecord) {
  auto e = elements_of(R"([{"a": "x\\"}, {"a": "],{\""}, 3])");
  ASSERT_EQ(e.size(), 3u);
  EXPECT_EQ(e[0].text, R"({"a": "x\\"})");
  EXPECT_EQ(e[1].text, R"({"a": "],{\""})");
}

TEST(JsonElements, AListThatDoesNotEndOrGoesOnIsSaid) {
  auto open = elements_of("[{\"a\": 1}, {\"a\": ");
  ASSERT_EQ(open.size(), 2u);
  EXPECT_NE(open[1].problem.find("ends before"), std::string::npos);
  auto more = elements_of("[{}] {}");
  ASSERT_EQ(more.size(), 2u);
  EXPECT_NE(more[1].problem.find("follows the array"), std::string::npos);
}

}  // namespace
}  // namespace motley

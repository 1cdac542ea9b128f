#include "io/json.h"

#include <gtest/gtest.h>

#include "io/io_test_support.h"

namespace motley {
namespace {

using test::expect_refused;

void refused(std::string_view text, std::initializer_list<std::string_view> parts, JsonLimits limits = {}) {
  expect_refused([&] { parse_json(text, "config.json", limits); }, parts);
}

TEST(Json, ReadsTypedValues) {
  Json v = parse_json(R"({"n":5,"x":0.5,"b":true,"s":"é\u00e9","none":null,"huge":18446744073709551615})", "config.json");
  EXPECT_EQ(json_int(v, "n", "c"), 5);
  EXPECT_EQ(json_find_double(v, "n", "c"), 5.0);
  EXPECT_EQ(json_find_double(v, "x", "c"), 0.5);
  EXPECT_EQ(json_find_bool(v, "b", "c"), true);
  EXPECT_EQ(json_string(v, "s", "c"), "éé");
  EXPECT_FALSE(json_find_int(v, "none", "c"));
  EXPECT_FALSE(json_find_int(v, "absent", "c"));
  expect_refused([&] { json_int(v, "absent", "c"); }, {"c: 'absent' is missing"});
  expect_refused([&] { json_string(v, "none", "c"); }, {"c: 'none' is missing"});
  expect_refused([&] { json_int(v, "x", "c"); }, {"c: 'x' should be an integer, found number"});
  expect_refused([&] { json_int(v, "huge", "c"); }, {"'huge' should be an integer below 2^63"});
  expect_refused([&] { json_find_bool(v, "n", "c"); }, {"'n' should be true or false"});
  expect_refused([&] { json_find_string(v, "n", "c"); }, {"'n' should be a string"});
  expect_refused([&] { json_find_double(v, "s", "c"); }, {"'s' should be a number, found string"});
  expect_refused([&] { json_int(Json::array(), "n", "c"); }, {"c: expected an object with key 'n', found array"});
}

TEST(Json, RefusesMalformedText) {
  for (auto bad : {"", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "nul", "01", "1 2", "{} x", "\"\\q\"", "\"\\ud800\"", "\"\xff\"", "\"\n\"", "+1",
                   ".5", "NaN", "[1e]", "\"a"})
    refused(bad, {"[json] config.json is not valid JSON at byte "});
  refused(std::string_view("{}\0x", 4), {"is not valid JSON at byte 2: it contains a zero byte"});
  refused("1e999", {"config.json is not valid JSON"});  // beyond any double
}

TEST(Json, RefusesDuplicatesAndDepth) {
  refused(R"({"a":{"b":1,"c":2,"b":3}})", {"config.json key 'b' appears twice in one object"});
  refused("{\"\\u0001\":1,\"\\u0001\":1}", {"key '\\x01' appears twice"});
  EXPECT_EQ(parse_json(R"({"b":1,"b":3})", "x", {.reject_duplicate_keys = false}).at("b"), 3);
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']'), "x").is_array());
  refused(std::string(65, '[') + std::string(65, ']'), {"is nested deeper than 64 levels"});
  refused(std::string(1'000'000, '['), {"is nested deeper than 64 levels"});
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  refused(objects, {"is nested deeper than 64 levels"});
}

TEST(Json, BoundsTheNumberOfValues) {
  std::string many = "[0";
  for (int i = 0; i < 2'000'000; ++i) many += ",0";
  refused(many + "]", {"config.json has more than 200000 values"}, {.max_values = 200'000});
  EXPECT_EQ(parse_json("[[],{},1]", "x", {.max_values = 4}).size(), 3u);
  refused("[[],{},1]", {"has more than 3 values"}, {.max_values = 3});
}

}  // namespace
}  // namespace motley

#include <gtest/gtest.h>

#include <set>

#include "base/file.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

TEST(Devices, JsonFollowsItsSchema) {
  auto schema = nlohmann::json::parse(read_file(MOTLEY_SOURCE_DIR "/docs/formats/devices.schema.json", 1 << 20));
  for (const char* flag : {"--json", "--no-probe"}) {
    Ran r = run({"devices", "--json", flag});
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(r.err, "");
    const auto& item = schema["properties"]["devices"]["items"];
    auto json = r.json();
    ASSERT_FALSE(json["devices"].empty());
    for (const auto& device : json["devices"]) {
      std::set<std::string> keys, required;
      for (const auto& [key, value] : device.items()) {
        keys.insert(key);
        const auto type = item["properties"].at(key).value("type", nlohmann::json());
        if (type.is_string() && type != "array") {
          EXPECT_EQ(type == "string" ? value.is_string() : value.is_number_integer(), true) << key;
        }
      }
      for (const auto& key : item["required"]) required.insert(key);
      EXPECT_EQ(keys, required);
      const bool measured = std::string(flag) == "--json";
      for (const char* rate : {"read_bytes_per_s", "f32_ops_per_s", "int8_ops_per_s"}) EXPECT_EQ(device[rate].is_number(), measured) << rate;
      if (measured) {
        EXPECT_GT(device["read_bytes_per_s"], 1e8);
      }
    }
  }
}

TEST(Devices, TheUsedInstructionSetIsTheForcedOne) {
  Ran r = run({"devices", "--json", "--no-probe"}, {.variables = {{"MOTLEY_ISA", "scalar"}}});
  ASSERT_EQ(r.code, 0) << r.err;
  auto cpu = r.json()["devices"][0];
  EXPECT_EQ(cpu["isa"], "scalar");
  for (const auto& set : cpu["instruction_sets"]) {
    EXPECT_EQ(set["used"], set["name"] == "scalar");
    EXPECT_EQ(set["reason"].is_null(), set["name"] == "scalar");
  }
  r = run({"devices"}, {.variables = {{"MOTLEY_ISA", "avx9"}}});
  EXPECT_EQ(r.code, 2) << r.err;
  EXPECT_NE(r.err.find("scalar"), std::string::npos) << r.err;
}

TEST(Devices, ThreadsAreTheOnesAskedFor) {
  EXPECT_EQ(run({"devices", "--json", "--no-probe", "-t", "3"}).json()["devices"][0]["threads"], 3);
  EXPECT_NE(run({"devices", "--no-probe"}).out.find("cpu:0"), std::string::npos);
}

TEST(Devices, AnUnknownDeviceIsExitCode5) {
  Ran r = run({"run", tiny_model(), "--ids", "[1]", "--devices", "cuda:0"});
  EXPECT_EQ(r.code, 5) << r.err;
  EXPECT_NE(r.err.find("cpu:0"), std::string::npos) << r.err;
}

}  // namespace
}  // namespace motley

#include "motley/engine.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "io/json.h"

namespace motley {
namespace {

const std::string kTiny = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/models/llama3";

std::string shared(const std::string& path) {
  const char* folder = std::getenv("MOTLEY_SHARED");
  return (folder ? std::string(folder) : std::string(MOTLEY_SOURCE_DIR) + "/../shared") + "/" + path;
}

TEST(Engine, GeneratesFromIdsWithoutATokenizer) {
  Engine engine = Engine::open(kTiny, {.threads = 1, .context = 64, .kv_type = "f32"});
  auto first = engine.generate_from_ids({1, 2, 3}, {.max_tokens = 10, .temperature = 0});
  auto again = engine.generate_from_ids({1, 2, 3}, {.max_tokens = 10, .temperature = 0});
  EXPECT_EQ(first.ids.size(), 10u);
  EXPECT_EQ(first.ids, again.ids);
  EXPECT_EQ(first.finish_reason, "length");
  EXPECT_THROW(engine.generate("text"), Error);
}

TEST(Engine, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(Engine::open(kTiny, {.threads = 1, .kv_type = "q4_0"}), Error);
  EXPECT_THROW(Engine::open(kTiny, {.threads = 1, .device = "abacus"}), Error);
  EXPECT_THROW(Engine::open("/nowhere/at/all"), Error);
}

TEST(Engine, Stories260KWritesItsUpstreamText) {
  std::string folder = shared("data/weights/stories260K");
  if (!file_exists(folder + "/stories260K.gguf")) GTEST_SKIP() << "needs shared/data/weights/stories260K";
  std::string expected = read_file(folder + "/expected_greedy_200.txt", 1 << 20);
  for (const char* kv : {"f32", "f16"}) {
    Engine engine = Engine::open(folder + "/stories260K.gguf", {.threads = 2, .kv_type = kv});
    std::string streamed;
    auto g = engine.generate("", {.max_tokens = 200, .temperature = 0}, [&](std::string_view text) {
      streamed += text;
      return true;
    });
    EXPECT_EQ(streamed, g.text);
    // The expected text was printed from 200 steps, the first of which reads BOS; a last line end is the printer's.
    while (!expected.empty() && expected.back() == '\n') expected.pop_back();
    EXPECT_EQ(g.text.substr(0, expected.size()), expected) << kv;
    auto stopped = engine.generate("", {.max_tokens = 200, .temperature = 0, .stop = {"Lily's mom"}});
    EXPECT_EQ(stopped.finish_reason, "stop");
    EXPECT_EQ(stopped.text, expected.substr(0, expected.find("Lily's mom")));
  }
  // The same weights in Hugging Face layout, by ids: 256 greedy tokens computed independently in double precision.
  Engine hf = Engine::open(folder + "/hf", {.threads = 2, .kv_type = "f32"});
  Json reference = parse_json(read_file(folder + "/reference.json", 1 << 22), "reference.json");
  auto ids = reference["greedy_from_bos"]["tokens"].get<std::vector<int32_t>>();
  std::vector<int32_t> generated = hf.generate_from_ids({1}, {.max_tokens = static_cast<int64_t>(ids.size()) - 1, .temperature = 0}).ids;
  generated.insert(generated.begin(), 1);
  EXPECT_EQ(generated, ids);
}

}  // namespace
}  // namespace motley

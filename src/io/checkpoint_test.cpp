// Every way a model can lie on a disk, and every sentence for what is no model.
#include "io/checkpoint.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "io/gguf.h"
#include "io/gguf_writer.h"
#include "io/io_test_support.h"
#include "io/json.h"
#include "io/safetensors_writer.h"
#include "quant/format.h"
#include "quant/stored.h"

namespace motley {
namespace {

using test::Bytes;
using test::expect_refused;
using test::TemporaryFolder;

class CheckpointTest : public ::testing::Test {
 protected:
  std::string safetensors(const std::string& name, const std::string& tensor, float value) {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    SafetensorsWriter out(folder / name);
    out.declare(tensor, Dtype::f32, {1});
    out.write(tensor, std::as_bytes(std::span(&value, 1)));
    out.commit();
    return folder / name;
  }
  std::string gguf(const std::string& name, const std::string& tensor, float value, int part = 0, int parts = 1, int total = -1) {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    GgufWriter out(folder / name);
    out.set_string("general.architecture", "llama");
    if (parts > 1) {
      out.set_u32("split.no", static_cast<uint32_t>(part));
      out.set_u32("split.count", static_cast<uint32_t>(parts));
      if (total >= 0) out.set_i32("split.tensors.count", total);
    }
    out.declare(tensor, Dtype::f32, {1});
    out.write(tensor, std::as_bytes(std::span(&value, 1)));
    out.commit();
    return folder / name;
  }
  void refused(const std::string& path, std::initializer_list<std::string_view> parts) {
    expect_refused([&] { Checkpoint::open(path); }, parts);
  }
  static float first(const Checkpoint& c, std::string_view name) { return c.load(name).data<float>()[0]; }
  TemporaryFolder folder;
};

TEST_F(CheckpointTest, HuggingFaceFolder) {
  folder.write("m/config.json", R"({"model_type":"llama","num_hidden_layers":5})");
  folder.write("m/generation_config.json", R"({"temperature":0.5})");
  safetensors("m/model.safetensors", "w", 3);
  auto c = Checkpoint::open(folder / "m");
  EXPECT_EQ(c.format(), CheckpointFormat::hf);
  EXPECT_EQ(json_int(c.config(), "num_hidden_layers", "config"), 5);
  EXPECT_EQ(json_find_double(c.generation_config(), "temperature", "generation"), 0.5);
  EXPECT_EQ(c.gguf(), nullptr);
  EXPECT_TRUE(c.has_weights());
  EXPECT_TRUE(c.has("w"));
  EXPECT_FALSE(c.has("v"));
  EXPECT_EQ(c.weight_bytes(), 4u);
  EXPECT_EQ(c.find("w")->dtype, Dtype::f32);
  EXPECT_EQ(c.find("w")->type_name, "F32");
  EXPECT_EQ(first(c, "w"), 3);
  float copy = 0;
  c.read("w", std::as_writable_bytes(std::span(&copy, 1)));
  c.drop("w");
  EXPECT_EQ(copy, 3);
  expect_refused([&] { c.load("v"); }, {"has no tensor 'v'"});
  auto moved = std::move(c);
  EXPECT_EQ(first(moved, "w"), 3);
  auto by_file = Checkpoint::open(folder / "m/model.safetensors");
  EXPECT_EQ(by_file.folder(), folder / "m");
  EXPECT_EQ(first(by_file, "w"), 3);
}

TEST_F(CheckpointTest, ShardedFolder) {
  folder.write("config.json", "{}");
  safetensors("model-00001-of-00002.safetensors", "a", 1);
  safetensors("model-00002-of-00002.safetensors", "b", 2);
  refused(folder.path(), {"has model-00001-of-00002.safetensors, model-00002-of-00002.safetensors but no model.safetensors.index.json"});
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})");
  auto c = Checkpoint::open(folder.path());
  ASSERT_EQ(c.tensors().size(), 2u);
  EXPECT_EQ(first(c, "a"), 1);
  EXPECT_EQ(first(c, "b"), 2);
  std::filesystem::remove(folder / "model-00002-of-00002.safetensors");
  refused(folder.path(), {"names model-00002-of-00002.safetensors, which is not there. Is the download complete?"});
}

TEST_F(CheckpointTest, ConfigAlone) {
  folder.write("config.json", R"({"model_type":"llama"})");
  auto c = Checkpoint::open(folder.path());
  EXPECT_FALSE(c.has_weights());
  EXPECT_TRUE(c.generation_config().is_null());
  expect_refused([&] { c.load("w"); }, {"has a config.json but no weights", "Download model.safetensors too"});
}

TEST_F(CheckpointTest, GgufFileAndFolder) {
  auto path = gguf("g/m.gguf", "w", 4);
  for (const auto& p : {path, folder / "g"}) {
    auto c = Checkpoint::open(p);
    EXPECT_EQ(c.format(), CheckpointFormat::gguf);
    EXPECT_EQ(c.path(), path);
    EXPECT_EQ(c.folder(), folder / "g");
    EXPECT_TRUE(c.config().is_null());
    EXPECT_EQ(c.gguf()->string("general.architecture"), "llama");
    EXPECT_EQ(first(c, "w"), 4);
    float copy = 0;
    c.read("w", std::as_writable_bytes(std::span(&copy, 1)));
    c.drop("w");
    EXPECT_EQ(copy, 4);
  }
  folder.write("g/mmproj-m.gguf", "not looked at");
  EXPECT_EQ(first(Checkpoint::open(folder / "g"), "w"), 4);
  gguf("g/n.gguf", "w", 5);
  refused(folder / "g", {"has several GGUF files: m.gguf, n.gguf. Name one of them"});
}

// A format that is only read is converted on the way: what the checkpoint gives means what the file says (quant/stored_test.cpp has the bounds).
TEST_F(CheckpointTest, FormatsWithoutKernelsAreConverted) {
  struct Case {
    const char* stored;
    uint32_t id;
    Dtype as_large;  // a type of the same block size and bytes, under which the writer lets it pass
  };
  for (const auto& [stored, id, as_large] : {Case{"IQ4_NL", 20, Dtype::q4_0}, Case{"IQ3_S", 21, Dtype::q3_k}}) {
    const StoredFormat& f = *find_stored_format(stored);
    std::string vectors = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/quant/" + lower_ascii(stored);
    const std::string blocks = read_file(vectors + ".blocks", 1 << 20), floats = read_file(vectors + ".f32", 1 << 20);
    // Two experts of 300 rows of 512, more than one worker takes at a time.
    std::string all;
    while (all.size() < 600 * blocks.size()) all += blocks;
    GgufWriter out(folder / "m.gguf");
    out.set_string("general.architecture", "llama");
    out.declare("w", as_large, {2, 300, 512});
    out.write("w", std::as_bytes(std::span(all)));
    out.commit();
    std::string file = read_file(folder / "m.gguf", 1 << 24);
    const size_t type_at = file.find(std::string("w\3\0\0\0", 5)) + 5 + 3 * 8;
    file[type_at] = static_cast<char>(id);
    folder.write("m.gguf", file);

    auto c = Checkpoint::open(folder / "m.gguf");
    const CheckpointTensor& t = *c.find("w");
    EXPECT_EQ(t.type_name, stored);
    EXPECT_EQ(t.dtype, f.kept);
    EXPECT_TRUE(t.converted);
    EXPECT_EQ(t.stored_bytes, all.size());
    EXPECT_EQ(c.weight_bytes(), all.size());
    Tensor w = c.load("w");
    ASSERT_EQ(w.size_bytes(), t.size_bytes);
    EXPECT_TRUE(w.owns_bytes());
    std::vector<std::byte> copy(t.size_bytes);
    c.read("w", copy);
    EXPECT_EQ(std::memcmp(copy.data(), w.bytes(), copy.size()), 0);
    c.drop("w");
    std::vector<float> y(static_cast<size_t>(w.size())), x(512);
    format(w.dtype()).unpack(w.bytes(), y.data(), w.size());
    std::memcpy(x.data(), floats.data(), floats.size());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], x[i % 512], std::fabs(x[i % 512]) * 0x1p-11f + 127 * 0x1p-25f) << stored << " " << i;
  }
}

TEST_F(CheckpointTest, SplitGguf) {
  auto one = gguf("m-00001-of-00003.gguf", "a", 1, 0, 3, 3);
  auto two = gguf("m-00002-of-00003.gguf", "b", 2, 1, 3);
  refused(one, {"m-00003-of-00003.gguf is missing: the model has 3 parts"});
  auto three = gguf("m-00003-of-00003.gguf", "c", 3, 2, 3);
  for (const auto& p : {one, two, three, folder.path()}) {
    auto c = Checkpoint::open(p);
    EXPECT_EQ(c.path(), one);
    EXPECT_EQ(c.tensors().size(), 3u);
    EXPECT_EQ(first(c, "a") * 100 + first(c, "b") * 10 + first(c, "c"), 123);
  }
  gguf("m-00003-of-00003.gguf", "a", 3, 2, 3);
  refused(one, {"tensor 'a' is both in ", "m-00003-of-00003.gguf"});
  gguf("m-00003-of-00003.gguf", "c", 3, 1, 3);
  refused(one, {"m-00003-of-00003.gguf says that it is part 2 of 3", "its name says 3 of 3"});
  gguf("m-00003-of-00003.gguf", "c", 3);
  refused(one, {"m-00003-of-00003.gguf says that it is part 0 of 1"});
  gguf("m-00003-of-00003.gguf", "c", 3, 2, 3);
  gguf("m-00001-of-00003.gguf", "a", 1, 0, 3, 4);
  refused(one, {"'split.tensors.count' says 4 tensors, the 3 parts have 3"});
  std::filesystem::rename(one, folder / "renamed.gguf");
  refused(folder / "renamed.gguf", {"is one of 3 parts", "its name does not end in -00001-of-00003.gguf"});
}

TEST_F(CheckpointTest, ReadsTheSharedModels) {
  auto root = test::shared_file("data/weights");
  if (root.empty()) GTEST_SKIP() << "needs shared/data/weights";
  auto hf = Checkpoint::open(root + "/stories260K/hf");
  EXPECT_EQ(json_int(hf.config(), "num_hidden_layers", "config"), 5);
  EXPECT_EQ(hf.find("model.embed_tokens.weight")->shape, (Shape{512, 64}));
  auto gguf_file = Checkpoint::open(root + "/stories260K/stories260K.gguf");
  Tensor a = hf.load("model.embed_tokens.weight"), b = gguf_file.load("token_embd.weight");
  ASSERT_EQ(a.size_bytes(), b.size_bytes());
  EXPECT_EQ(std::memcmp(a.bytes(), b.bytes(), a.size_bytes()), 0);  // the same model in both layouts
  EXPECT_EQ(Checkpoint::open(root + "/stories260K").path(), root + "/stories260K/stories260K.gguf");
  refused(root + "/stories260K/stories260K.bin", {"stories260K.bin is a llama2.c checkpoint"});
  refused(root + "/stories260K/stories260K_v1.bin", {"is a llama2.c checkpoint"});
  refused(root + "/tiny-random-hf/BertForSequenceClassification/pytorch_model.bin", {"is a PyTorch pickle", "Convert it to safetensors first"});
  EXPECT_TRUE(Checkpoint::open(root + "/tiny-random-hf/BertForSequenceClassification").has_weights());  // safetensors win over the pickle
  refused(root + "/gpt-nano-sort/hf/config.json", {"is a JSON file, not weights. Give the folder it is in"});
  refused(root + "/gpt-nano-sort", {"partials.safetensors but no config.json"});
}

TEST_F(CheckpointTest, OtherKindsOfFilesAreNamed) {
  std::string zip = "PK\x03\x04" + std::string(26, '\0');
  struct Case {
    std::string content;
    std::string_view says;
  };
  for (const auto& [content, says] : {
           Case{"", "is empty. Download it again"},
           Case{"\x80\x02}q\x01(", "is a PyTorch pickle, which can run any code"},
           Case{zip + "archive/data.pkl" + std::string(100, 'x'), "is a PyTorch pickle"},
           Case{zip + "readme.txt" + std::string(100, 'x'), "is a zip archive"},
           Case{"\x1f\x8b\x08" + std::string(60, 'x'), "is compressed with gzip"},
           Case{"\x08\x07\x12\x07pytorch" + std::string(60, 'x'), "is an ONNX graph"},
           Case{"24ka\x01" + std::string(60, '\0'), "is a llama2.c checkpoint"},
           Case{"tjgg" + std::string(60, '\0'), "is in a ggml format older than GGUF"},
           Case{"\x89HDF\r\n\x1a\n" + std::string(60, '\0'), "is an HDF5 file"},
           Case{"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a Git LFS pointer, not the file itself"},
           Case{"\n <!DOCTYPE html>\n<html>", "is a web page, not a model"},
           Case{"{\"a\": 1}", "is a JSON file, not weights"},
           Case{std::string(100, '\x7f'), "is neither a GGUF nor a safetensors file"},
       }) {
    refused(folder.write("model.gguf", content), {"[open] ", "model.gguf ", says});
  }
  // The same where the files of a folder are opened by their names.
  folder.write("hf/config.json", "{}");
  auto weights = folder.write("hf/model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  refused(folder / "hf", {"model.safetensors: is a Git LFS pointer", "git lfs pull"});
}

TEST_F(CheckpointTest, FoldersThatAreNoModel) {
  refused(folder.path(), {"has neither a config.json nor a .gguf file"});
  folder.write("sub/config.json", "{}");
  refused(folder.path(), {"Did you mean " + (folder / "sub") + "?"});
  safetensors("sub2/model.safetensors", "w", 1);
  refused(folder / "sub2", {"has model.safetensors but no config.json"});
  refused(folder / "sub2/model.safetensors", {"is a safetensors file without a config.json beside it"});
  folder.write("pickled/config.json", "{}");
  folder.write("pickled/pytorch_model.bin", "\x80\x02}q\x01(");
  refused(folder / "pickled", {"pytorch_model.bin is a PyTorch pickle", "Convert it to safetensors first"});
  folder.write("bad/config.json", "[1]");
  refused(folder / "bad", {"config.json should hold a JSON object, found array"});
  folder.write("bad/config.json", "{\"a\":1,}");
  refused(folder / "bad", {"config.json is not valid JSON at byte "});
}

TEST_F(CheckpointTest, MissingPathsSuggestNearNames) {
  folder.write("models/SmolLM2-135M/config.json", "{}");
  refused(folder / "models/SmolLM-135M", {"there is no file or folder ", (folder / "models/SmolLM2-135M") + "?"});
  refused(folder / "model/SmolLM2-135M", {(folder / "model") + " does not exist", "Did you mean " + (folder / "models") + "?"});
  EXPECT_FALSE(Checkpoint::open(folder / "models/SmolLM2-135M/").has_weights());
  refused("no-such-model-anywhere", {"there is no file or folder no-such-model-anywhere."});
}

}  // namespace
}  // namespace motley

#include "compress/write_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "io/gguf.h"
#include "io/gguf_writer.h"
#include "nn/config.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

class WriteModel : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string at(const char* name) const { return folder_ / name; }
  static Checkpoint tiny(const std::string& name) { return Checkpoint::open(MOTLEY_SOURCE_DIR "/tests/data/models/" + name); }
  bool nothing_is_there() const { return fs::is_empty(folder_); }

 private:
  const fs::path folder_ = fs::temp_directory_path() / ("motley-write-model-" + std::to_string(getpid()));
};

TEST_F(WriteModel, HasTheKeysThatOtherReadersRequire) {
  for (const auto& entry : fs::directory_iterator(MOTLEY_SOURCE_DIR "/tests/data/models")) {
    if (!entry.is_directory()) continue;
    const Checkpoint model = Checkpoint::open(entry.path());
    fs::remove(at("m.gguf"));
    write_gguf(model, nullptr, at("m.gguf"), {.name = "tiny"});
    const GgufFile file = GgufFile::open(at("m.gguf"));
    const std::string family(file.string("general.architecture"));
    for (const char* key : {".block_count", ".context_length", ".embedding_length", ".feed_forward_length", ".attention.head_count"})
      EXPECT_GT(file.integer(family + key), 0) << entry.path() << key;
    EXPECT_TRUE(file.find(family + ".attention.layer_norm_rms_epsilon") || file.find(family + ".attention.layer_norm_epsilon")) << entry.path();
    EXPECT_EQ(file.string("general.type"), "model");
    EXPECT_EQ(file.string("general.name"), "tiny");
    EXPECT_EQ(file.string("tokenizer.ggml.model"), "none");
    EXPECT_TRUE(file.find_int("general.file_type")) << entry.path();
    // Vectors are F32 in GGUF whatever the matrices are.
    for (const GgufTensor& t : file.tensors()) EXPECT_TRUE(t.shape.size() != 1 || t.dtype() == Dtype::f32) << entry.path() << t.name;
  }
}

TEST_F(WriteModel, RecipesNameTheirFileType) {
  for (auto [recipe, number] : {std::pair("f32", 0), std::pair("f16", 1), std::pair("q8_0", 7), std::pair("q4_0", 2), std::pair("bf16", 32)}) {
    write_gguf(tiny("llama2"), nullptr, at("m.gguf"), {.recipe = find_recipe(recipe)});
    const GgufFile file = GgufFile::open(at("m.gguf"));
    EXPECT_EQ(file.integer("general.file_type"), number) << recipe;
    EXPECT_EQ(file.find_int("general.quantization_version").has_value(), recipe[0] == 'q') << recipe;
  }
}

TEST_F(WriteModel, TheReportAddsUp) {
  const Checkpoint model = tiny("mixtral");
  int64_t last = 0, calls = 0;
  WriteOptions options{.recipe = find_recipe("q8_0")};
  options.progress = [&](int64_t done, int64_t total) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, total);
    last = done, ++calls;
  };
  WriteReport r = write_gguf(model, nullptr, at("m.gguf"), options);
  const Checkpoint made = Checkpoint::open(at("m.gguf"));
  EXPECT_EQ(r.bytes, static_cast<int64_t>(made.weight_bytes()));
  EXPECT_EQ(r.source_bytes, static_cast<int64_t>(model.weight_bytes()));
  int64_t tensors = 0, elements = 0;
  for (const TypeReport& t : r.types) tensors += t.tensors, elements += t.elements;
  EXPECT_EQ(tensors, static_cast<int64_t>(made.tensors().size()));
  EXPECT_EQ(elements, r.elements);
  EXPECT_NEAR(r.bits_per_weight(), 8.0 * static_cast<double>(r.bytes) / static_cast<double>(elements), 1e-9);
  EXPECT_GT(calls, 10);
  EXPECT_EQ(last, r.source_bytes);
}

TEST_F(WriteModel, AnExceptionFromProgressLeavesNothingBehind) {
  struct Stop {};
  WriteOptions options;
  options.progress = [](int64_t done, int64_t total) {
    if (done * 2 > total) throw Stop{};
  };
  EXPECT_THROW(write_gguf(tiny("llama2"), nullptr, at("m.gguf"), options), Stop);
  EXPECT_THROW(write_hf(tiny("llama2"), nullptr, at("m"), options), Stop);
  EXPECT_TRUE(nothing_is_there());
}

TEST_F(WriteModel, LargeModelsAreCutIntoShards) {
  const Checkpoint model = tiny("llama2");
  write_hf(model, nullptr, at("m"), {.max_shard_bytes = 30000});
  EXPECT_TRUE(file_exists(at("m/model.safetensors.index.json")));
  EXPECT_FALSE(file_exists(at("m/model.safetensors")));
  const Checkpoint made = Checkpoint::open(at("m"));
  std::vector<std::string> names;
  for (const CheckpointTensor& t : made.tensors()) {
    names.emplace_back(t.name);
    Tensor a = made.load(t.name), b = model.load(t.name);
    EXPECT_TRUE(std::ranges::equal(std::span(a.bytes(), a.size_bytes()), std::span(b.bytes(), b.size_bytes()))) << t.name;
  }
  EXPECT_GT(std::distance(fs::directory_iterator(at("m")), fs::directory_iterator()), 5);
  EXPECT_EQ(read_config(made), read_config(model));
}

TEST_F(WriteModel, WhatAGgufFileSaysThatNobodyKnowsIsKept) {
  write_gguf(tiny("llama2"), nullptr, at("plain.gguf"), {});
  const GgufFile plain = GgufFile::open(at("plain.gguf"));
  GgufWriter more(at("a.gguf"));
  for (const GgufEntry& e : plain.entries()) more.copy(plain, e);
  more.set_string("somebody.note", "kept");
  more.declare("somebody.tensor", Dtype::f16, {2, 3});
  for (const GgufTensor& t : plain.tensors()) more.declare(t.name, *t.dtype(), t.shape);
  const std::string bytes = "twelve bytes";
  more.write("somebody.tensor", std::as_bytes(std::span(bytes)));
  for (const GgufTensor& t : plain.tensors()) {
    Tensor w = plain.load(t.name);
    more.write(t.name, {w.bytes(), w.size_bytes()});
  }
  more.commit();

  write_gguf(Checkpoint::open(at("a.gguf")), nullptr, at("b.gguf"), {.recipe = find_recipe("q8_0"), .name = "other"});
  const GgufFile a = GgufFile::open(at("a.gguf")), b = GgufFile::open(at("b.gguf"));
  for (const GgufEntry& e : a.entries()) {
    if (e.key == "general.file_type") continue;
    ASSERT_TRUE(b.find(e.key)) << e.key;
    EXPECT_EQ(a.value_bytes(e), b.value_bytes(*b.find(e.key))) << e.key;
  }
  EXPECT_EQ(a.tensors().size(), b.tensors().size());
  Tensor kept = b.load("somebody.tensor");
  EXPECT_EQ(std::memcmp(kept.bytes(), bytes.data(), bytes.size()), 0);
}

// A file in a format that is only read comes out in the types that its weights become, and says so: every Q4_0 here is called IQ4_NL, whose
// blocks have the same size.
TEST_F(WriteModel, AFormatWithoutKernelsComesOutAsAnother) {
  write_gguf(tiny("llama2"), nullptr, at("a.gguf"), {.recipe = find_recipe("q4_0", true)});
  std::string bytes = read_file(at("a.gguf"), 1 << 24);
  const GgufFile packed = GgufFile::open(at("a.gguf"));
  for (const GgufTensor& t : packed.tensors()) {
    const std::string name(t.name);
    const size_t type_at =
        bytes.find(std::string("\0\0\0\0", 4) + name + static_cast<char>(t.shape.size())) + 4 + name.size() + 4 + 8 * t.shape.size();
    if (t.dtype() == Dtype::q4_0) bytes[type_at] = 20;
  }
  AtomicFile file(at("iq.gguf"));
  file.write(bytes);
  file.commit();
  const Checkpoint stored = Checkpoint::open(at("iq.gguf"));
  EXPECT_GT(std::ranges::count(stored.tensors(), "IQ4_NL", &CheckpointTensor::type_name), 5);
  int64_t last = 0, whole = 0;
  write_gguf(stored, nullptr, at("b.gguf"), {.progress = [&](int64_t done, int64_t total) { last = done, whole = total; }});
  EXPECT_EQ(last, whole);
  const GgufFile written = GgufFile::open(at("b.gguf"));
  EXPECT_EQ(written.integer("general.file_type"), 7);  // mostly Q8_0
  for (const CheckpointTensor& t : stored.tensors()) {
    EXPECT_EQ(written.find_tensor(t.name)->dtype(), t.converted ? Dtype::q8_0 : t.dtype) << t.name;
    Tensor a = stored.load(t.name), b = written.load(t.name);
    EXPECT_TRUE(std::ranges::equal(std::span(a.bytes(), a.size_bytes()), std::span(b.bytes(), b.size_bytes()))) << t.name;
  }
}

TEST_F(WriteModel, SafetensorsHasNoBlockTypes) { EXPECT_THROW(write_hf(tiny("llama2"), nullptr, at("m"), {.recipe = find_recipe("q8_0")}), Error); }

}  // namespace
}  // namespace motley

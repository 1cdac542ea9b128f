// quantize and convert.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "io/safetensors.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

constexpr uint64_t kMost = 16 << 20;

std::string greedy(const std::string& model) {
  Ran r = run({"run", model, "--ids", "[47]", "-n", "12", "--temp", "0", "--json", "--ignore-eos", "--kv-type", "f32"});
  EXPECT_EQ(r.code, 0) << r.err;
  return r.json()["ids"].dump();
}

TEST(Quantize, SaysWhatItMadeAndLost) {
  TempFolder folder;
  const std::string out = folder / "q8.gguf";
  Ran r = run({"quantize", model_with_tokenizer(folder), "-t", "Q8_0", "-o", out, "--json"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.err, "");
  auto json = r.json();
  EXPECT_EQ(json["out"], out);
  EXPECT_LT(json["bytes"], json["source_bytes"]);
  EXPECT_EQ(json["types"][0]["type"], "q8_0");
  // A block's step is its largest value / 127 and an error is at most half of it: well below one per cent of ordinary weights.
  EXPECT_GT(json["types"][0]["relative_error"], 0.001);
  EXPECT_LT(json["types"][0]["relative_error"], 0.01);
  auto shown = run({"show", out, "--json"}).json();
  EXPECT_EQ(shown["weight_bytes"], json["bytes"]);
  EXPECT_EQ(shown["tokenizer"]["bos"], 58);
  EXPECT_EQ(run({"run", out, "-p", "once", "-n", "4", "--temp", "0", "-q"}).code, 0);
}

TEST(Quantize, TheSameBytesWithAnyNumberOfThreads) {
  TempFolder folder;
  for (const char* type : {"q8_0", "q4_0", "q5_1", "bf16"}) {
    ASSERT_EQ(run({"quantize", tiny_model(), "-t", type, "-o", folder / "one.gguf", "--threads", "1", "-q"}).code, 0) << type;
    ASSERT_EQ(run({"quantize", tiny_model(), "-t", type, "-o", folder / "three.gguf", "--threads", "3", "-q"}).code, 0) << type;
    EXPECT_TRUE(read_file(folder / "one.gguf", kMost) == read_file(folder / "three.gguf", kMost)) << type;
  }
}

TEST(Quantize, PureIsPureAndF32ComputesTheSame) {
  TempFolder folder;
  ASSERT_EQ(run({"quantize", tiny_model(), "-t", "f32", "-o", folder / "f32.gguf", "-q"}).code, 0);
  EXPECT_EQ(greedy(folder / "f32.gguf"), greedy(tiny_model()));
  auto mixed = run({"quantize", tiny_model(), "-t", "q4_0", "-o", folder / "m.gguf", "--json"}).json(),
       pure = run({"quantize", tiny_model(), "-t", "q4_0", "-o", folder / "p.gguf", "--json", "--pure"}).json();
  EXPECT_LT(pure["bytes"], mixed["bytes"]);
}

TEST(Quantize, FromQuantisedToQuantisedWarns) {
  TempFolder folder;
  ASSERT_EQ(run({"quantize", tiny_model(), "-t", "q8_0", "-o", folder / "a.gguf", "-q"}).err.find("quantised before"), std::string::npos);
  Ran r = run({"quantize", folder / "a.gguf", "-t", "q4_0", "-o", folder / "b.gguf", "-q"});
  EXPECT_EQ(r.code, 0);
  EXPECT_NE(r.err.find("quantised before"), std::string::npos) << r.err;
  EXPECT_EQ(r.out, "");
}

TEST(Quantize, TheModelItselfIsNeverOverwritten) {
  TempFolder folder;
  const std::string model = folder / "a.gguf";
  ASSERT_EQ(run({"quantize", tiny_model(), "-t", "f16", "-o", model, "-q"}).code, 0);
  const std::string before = read_file(model, kMost);
  std::filesystem::create_symlink(model, folder / "link.gguf");
  for (const std::string& out : {model, folder / "link.gguf", folder.path() + "/./a.gguf"}) {
    Ran r = run({"quantize", model, "-t", "q8_0", "-o", out});
    EXPECT_EQ(r.code, 2) << out << r.err;
    EXPECT_NE(r.err.find("give the new file another name"), std::string::npos) << r.err;
  }
  EXPECT_TRUE(read_file(model, kMost) == before);
}

TEST(Quantize, MistakesAreNamed) {
  TempFolder folder;
  struct Case {
    std::vector<std::string> flags;
    const char* expected;
  };
  for (const Case& c :
       {Case{{"-o", folder / "o.gguf"}, "q4_k_m"}, Case{{"-t", "q8_0"}, "-o OUT.gguf"},
        Case{{"-t", "q4k_m", "-o", folder / "o.gguf"}, "did you mean q4_k_m"}, Case{{"-t", "q8_0", "-o", folder / "o.bin"}, "should end in .gguf"}}) {
    std::vector<std::string> words = {"quantize", tiny_model()};
    words.insert(words.end(), c.flags.begin(), c.flags.end());
    Ran r = run(words);
    EXPECT_EQ(r.code, 2) << r.err;
    EXPECT_NE(r.err.find(c.expected), std::string::npos) << r.err;
    EXPECT_EQ(r.out, "");
  }
  Ran r = run({"quantize", tiny_model(), "-t", "q8_0", "-o", folder / "no/such/folder/o.gguf"});
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("no/such/folder"), std::string::npos) << r.err;
}

TEST(Quantize, AFullDiskLeavesNothingBehind) {
  TempFolder folder;
  for (const std::string& out : {folder / "o.gguf", folder / "o"}) {
    Ran r = run({"convert", tiny_model(), "-o", out}, {.max_file_bytes = 40000});
    EXPECT_EQ(r.code, 1) << r.err;
    EXPECT_NE(r.err.find("File too large"), std::string::npos) << r.err;
    EXPECT_TRUE(folder.holds_only({})) << out;
  }
}

class Convert : public testing::TestWithParam<const char*> {};

// To GGUF and back: the same tensors under the same names, bit for bit, and the same text from each form.
TEST_P(Convert, ThereAndBackAgain) {
  TempFolder folder;
  const std::string model = model_with_tokenizer(folder, GetParam()), gguf = folder / "m.gguf", back = folder / "back";
  Ran r = run({"convert", model, "-o", gguf});
  ASSERT_EQ(r.code, 0) << r.err;
  ASSERT_EQ(run({"convert", gguf, "-o", back}).code, 0);
  EXPECT_EQ(greedy(gguf), greedy(model));
  EXPECT_EQ(greedy(back), greedy(model));
  const auto before = SafetensorsFile::open(model + "/model.safetensors"), after = SafetensorsFile::open(back + "/model.safetensors");
  size_t compared = 0;
  for (const auto& t : after.tensors()) {
    // GPT-2 was first published without the prefix that its class gives the names today.
    const auto* old = before.find_tensor(t.name);
    if (!old && t.name.starts_with("transformer.")) old = before.find_tensor(t.name.substr(12));
    ASSERT_TRUE(old) << t.name;
    ASSERT_EQ(old->shape, t.shape) << t.name;
    Tensor a = before.load(old->name), b = after.load(t.name);
    ASSERT_EQ(a.size_bytes(), b.size_bytes()) << t.name;
    EXPECT_EQ(std::memcmp(a.bytes(), b.bytes(), a.size_bytes()), 0) << t.name;
    ++compared;
  }
  EXPECT_GT(compared, 10u);
  for (const std::string& m : {gguf, back})
    EXPECT_EQ(run({"tokenize", m, "--json", "--parse-special"}, {.input = "<|im_start|>once in the. a"}).out,
              run({"tokenize", model, "--json", "--parse-special"}, {.input = "<|im_start|>once in the. a"}).out);
  EXPECT_EQ(run({"template", back, "--source"}).out, run({"template", model, "--source"}).out);
}

INSTANTIATE_TEST_SUITE_P(Families, Convert, testing::Values("llama2", "gpt2", "gpt-neox", "qwen3-moe", "phi3"),
                         [](const auto& i) { return std::string(i.param).substr(0, 3) + std::to_string(i.index); });

TEST(ConvertTypes, AreThoseAskedFor) {
  TempFolder folder;
  ASSERT_EQ(run({"convert", tiny_model(), "-o", folder / "h", "-t", "f16", "-q"}).code, 0);
  auto json = run({"show", folder / "h", "--json"}).json();
  EXPECT_EQ(json["bits_per_weight"], 16);
  EXPECT_NE(read_file(folder / "h/config.json", kMost).find("\"float16\""), std::string::npos);
  EXPECT_TRUE(file_exists(folder / "h/generation_config.json"));
  // What was quantised comes back as floats that hold it exactly.
  ASSERT_EQ(run({"quantize", tiny_model(), "-t", "q8_0", "-o", folder / "q.gguf", "-q"}).code, 0);
  Ran r = run({"convert", folder / "q.gguf", "-o", folder / "f"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.err.find("written as F32"), std::string::npos) << r.err;
  EXPECT_EQ(run({"convert", tiny_model(), "-o", folder / "x", "-t", "q8_0"}).code, 2);
}

TEST(ConvertTypes, AFolderThatIsThereIsLeftAlone) {
  TempFolder folder;
  folder.write("there/notes.txt", "mine");
  Ran r = run({"convert", tiny_model(), "-o", folder / "there"});
  EXPECT_EQ(r.code, 2) << r.err;
  EXPECT_NE(r.err.find("name a new one"), std::string::npos) << r.err;
  EXPECT_EQ(read_file(folder / "there/notes.txt", kMost), "mine");
  std::filesystem::create_directory(folder / "empty");
  EXPECT_EQ(run({"convert", tiny_model(), "-o", folder / "empty/", "-q"}).code, 0);
  EXPECT_TRUE(folder.holds_only({"there", "empty"}));
}

TEST(ConvertTypes, WithoutATokenizerIdsStillWork) {
  TempFolder folder;
  Ran r = run({"convert", tiny_model(), "-o", folder / "m.gguf"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.err.find("no tokenizer"), std::string::npos) << r.err;
  EXPECT_EQ(greedy(folder / "m.gguf"), greedy(tiny_model()));
}

}  // namespace
}  // namespace motley

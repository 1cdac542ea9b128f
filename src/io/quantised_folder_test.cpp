// Folders as quantisers write them, and what the weights in them must not be.
#include "io/quantised_folder.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "io/checkpoint.h"
#include "io/float8_weight.h"
#include "io/io_test_support.h"
#include "io/json.h"
#include "io/safetensors_writer.h"
#include "quant/format.h"

namespace motley {
namespace {

using test::expect_refused;
using test::TemporaryFolder;

const std::string kFolders = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/quantised/";

enum class Loss { none, of_q8_0, of_f16 };

struct Case {
  const char* name;
  const char* type_name;
  Dtype dtype;
  Loss loss;
};

std::vector<float> floats_of(const Tensor& t) {
  std::vector<float> y(static_cast<size_t>(t.size()));
  format(t.dtype()).unpack(t.bytes(), y.data(), t.size());
  return y;
}

class QuantisedFolder : public testing::TestWithParam<Case> {};

TEST_P(QuantisedFolder, MeansWhatItsQuantiserMeans) {
  const Case& c = GetParam();
  const Checkpoint checkpoint = Checkpoint::open(kFolders + c.name);
  ASSERT_EQ(checkpoint.tensors().size(), 1u);  // scales and the like are not listed
  const CheckpointTensor& t = checkpoint.tensors()[0];
  EXPECT_EQ(t.name, "w.weight");
  EXPECT_EQ(t.type_name, c.type_name);
  EXPECT_EQ(t.dtype, c.dtype);
  EXPECT_TRUE(t.converted);
  EXPECT_LT(t.stored_bytes, read_file(kFolders + c.name + "/model.safetensors", 1 << 20).size());

  const Tensor w = checkpoint.load("w.weight");
  const std::string bytes = read_file(kFolders + c.name + "/expected.f32", 1 << 20);
  std::vector<float> expected(bytes.size() / 4);
  std::memcpy(expected.data(), bytes.data(), bytes.size());
  ASSERT_EQ(w.size(), static_cast<int64_t>(expected.size()));
  ASSERT_EQ(w.size_bytes(), t.size_bytes);
  const std::vector<float> y = floats_of(w);
  for (size_t i = 0; i < y.size(); ++i) {
    float allowed = 0;
    if (c.loss == Loss::of_f16) allowed = std::fabs(expected[i]) * 0x1p-11f;
    if (c.loss == Loss::of_q8_0) {
      float largest = 0;
      for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::fabs(expected[j]));
      allowed = largest * (1 / 254.0f + 0x1p-11f);
    }
    ASSERT_LE(std::fabs(y[i] - expected[i]), allowed) << i << ": " << expected[i] << " became " << y[i];
  }
  std::vector<std::byte> copy(t.size_bytes);
  checkpoint.read("w.weight", copy);
  EXPECT_EQ(std::memcmp(copy.data(), w.bytes(), copy.size()), 0);
  checkpoint.drop("w.weight");
}

INSTANTIATE_TEST_SUITE_P(
    All, QuantisedFolder,
    testing::Values(Case{"awq", "AWQ-4", Dtype::q5_0, Loss::none}, Case{"awq-middle", "AWQ-4", Dtype::q4_0, Loss::none},
                    Case{"gptq-4", "GPTQ-4", Dtype::q5_0, Loss::none}, Case{"gptq-4-middle", "GPTQ-4", Dtype::q4_0, Loss::none},
                    Case{"gptq-4-shuffled", "GPTQ-4", Dtype::q8_0, Loss::of_q8_0}, Case{"gptq-4-second-form", "GPTQ-4", Dtype::q5_0, Loss::none},
                    Case{"gptq-8-middle", "GPTQ-8", Dtype::q8_0, Loss::none}, Case{"gptq-8", "GPTQ-8", Dtype::q8_0, Loss::of_q8_0},
                    Case{"gptq-3", "GPTQ-3", Dtype::q4_0, Loss::none}, Case{"gptq-2", "GPTQ-2", Dtype::q4_0, Loss::none},
                    Case{"gptq-small-groups", "GPTQ-4", Dtype::q8_0, Loss::of_q8_0}, Case{"fp8", "F8_E4M3", Dtype::q8_0, Loss::of_q8_0},
                    Case{"fp8-rows", "F8_E4M3", Dtype::q8_0, Loss::of_q8_0}, Case{"fp8-blocks", "F8_E4M3", Dtype::q8_0, Loss::of_q8_0},
                    Case{"fp8-odd-rows", "F8_E4M3", Dtype::f16, Loss::of_f16}, Case{"fp8-e5m2", "F8_E5M2", Dtype::q8_0, Loss::of_q8_0}),
    [](const auto& each) {
      std::string name = each.param.name;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(Float8, Values) {
  EXPECT_EQ(float8_e4m3(0x00), 0.0f);
  EXPECT_EQ(float8_e4m3(0x01), 0x1p-9f);
  EXPECT_EQ(float8_e4m3(0x38), 1.0f);
  EXPECT_EQ(float8_e4m3(0x7E), 448.0f);
  EXPECT_EQ(float8_e4m3(0xBC), -1.5f);
  EXPECT_TRUE(std::isnan(float8_e4m3(0xFF)));
  EXPECT_EQ(float8_e5m2(0x3C), 1.0f);
  EXPECT_EQ(float8_e5m2(0x7B), 57344.0f);
  EXPECT_TRUE(std::isinf(float8_e5m2(0xFC)));
}

// Folders that are not whole, or whose parts do not fit each other.
class Damage : public testing::Test {
 protected:
  struct Part {
    const char* name;
    Dtype dtype;
    Shape shape;
    int32_t word = 0x77777777;
  };
  // GPTQ of 4 bits, 64 inputs in groups of 32 and 8 outputs, with some parts in place of the right ones.
  std::string folder_of(std::vector<Part> instead, const std::string& config = R"({"quant_method":"gptq","bits":4,"group_size":32})",
                        std::string_view without = "") {
    std::vector<Part> parts = {{"w.qweight", Dtype::i32, {8, 8}}, {"w.qzeros", Dtype::i32, {2, 1}}, {"w.scales", Dtype::f16, {2, 8}}};
    for (const Part& p : instead) {
      auto same = std::find_if(parts.begin(), parts.end(), [&](const Part& q) { return std::string_view(q.name) == p.name; });
      if (same == parts.end())
        parts.push_back(p);
      else
        *same = p;
    }
    folder_.write("config.json", R"({"quantization_config":)" + config + "}");
    SafetensorsWriter out(folder_ / "model.safetensors");
    for (const Part& p : parts)
      if (p.name != without) out.declare(p.name, p.dtype, p.shape);
    for (const Part& p : parts) {
      if (p.name == without) continue;
      std::vector<int32_t> words(static_cast<size_t>(row_bytes(p.dtype, num_elements(p.shape)) + 3) / 4, p.word);
      out.write(p.name, std::as_bytes(std::span(words)).first(static_cast<size_t>(row_bytes(p.dtype, num_elements(p.shape)))));
    }
    out.commit();
    return folder_.path();
  }
  void refused(const std::string& path, std::initializer_list<std::string_view> parts) {
    expect_refused([&] { Checkpoint::open(path); }, parts);
  }
  TemporaryFolder folder_;
};

TEST_F(Damage, AWholeFolderIsRead) {
  const Checkpoint c = Checkpoint::open(folder_of({}));
  EXPECT_EQ(c.find("w.weight")->shape, (Shape{8, 64}));
  for (float y : floats_of(c.load("w.weight"))) EXPECT_EQ(y, -30576.0f);  // 7 - 8, times the 16-bit float 0x7777
}

TEST_F(Damage, AFolderOfAnotherMethodCanStillBeLookedAt) {
  const Checkpoint c = Checkpoint::open(folder_of({}, R"({"quant_method":"exl2"})"));
  EXPECT_TRUE(c.has("w.qweight"));
  EXPECT_FALSE(c.has("w.weight"));
}

TEST_F(Damage, PartsThatAreMissing) {
  refused(folder_of({}, R"({"quant_method":"gptq","bits":4,"group_size":32})", "w.qzeros"),
          {"[quantised] tensor 'w.qzeros' is missing, which belongs to 'w.qweight'"});
  refused(folder_of({}, R"({"quant_method":"gptq","bits":4,"group_size":32})", "w.scales"), {"tensor 'w.scales' is missing"});
  refused(folder_of({{"w.weight", Dtype::f16, {8, 64}}}), {"both a 'w.weight' and a 'w.qweight'"});
}

TEST_F(Damage, ShapesThatDoNotFit) {
  refused(folder_of({{"w.scales", Dtype::f16, {1, 8}}}), {"tensor 'w.scales' is F16 of shape [1,8], expected F16, BF16 or F32 [2,8] for 64 inputs"});
  refused(folder_of({{"w.scales", Dtype::i32, {2, 8}}}), {"tensor 'w.scales' is I32"});
  refused(folder_of({{"w.qzeros", Dtype::i32, {2, 2}}}), {"tensor 'w.qzeros' is I32 of shape [2,2], expected [2,1]"});
  refused(folder_of({{"w.qweight", Dtype::i16, {8, 8}}}), {"tensor 'w.qweight' is I16 of shape [8,8], expected I32 words"});
  refused(folder_of({{"w.qweight", Dtype::i32, {64}}}), {"expected I32 words in rows and columns"});
  refused(folder_of({{"w.qweight", Dtype::i32, {0, 8}}}), {"expected I32 words in rows and columns"});
  refused(folder_of({{"w.qweight", Dtype::i32, {int64_t{1} << 50, 0}}}), {"expected I32 words in rows and columns"});
  refused(folder_of({{"w.qweight", Dtype::i32, {8, 7}}}), {"'w' has 7 outputs"});
  refused(folder_of({}, R"({"quant_method":"gptq","bits":3,"group_size":32})"), {"a number of rows that holds whole numbers of 3 bits"});
  refused(folder_of({}, R"({"quant_method":"gptq","bits":4,"group_size":64})"), {"tensor 'w.qzeros'", "expected [1,1]", "groups of 64"});
  refused(folder_of({{"w.g_idx", Dtype::i32, {63}}}), {"tensor 'w.g_idx' is I32 of shape [63], expected I32 [64]"});
}

TEST_F(Damage, AGroupThatIsNotThere) {
  const Checkpoint c = Checkpoint::open(folder_of({{"w.g_idx", Dtype::i32, {64}, 2}}));
  expect_refused([&] { c.load("w.weight"); }, {"'w.g_idx' puts input 0 into group 2, expected 0 to 1"});
  const Checkpoint negative = Checkpoint::open(folder_of({{"w.g_idx", Dtype::i32, {64}, -1}}));
  expect_refused([&] { negative.load("w.weight"); }, {"puts input 0 into group -1"});
}

TEST_F(Damage, Float8ScalesThatDoNotFit) {
  for (const auto& [dtype, shape, says] :
       {std::tuple(Dtype::f32, Shape{3, 3}, "is F32 of shape [3,3], expected F32, F16 or BF16 scales for 'w.weight'"),
        std::tuple(Dtype::i32, Shape{1}, "is I32 of shape [1]"), std::tuple(Dtype::f32, Shape{0}, "of shape [0]"),
        std::tuple(Dtype::f32, Shape{1, 32}, "of shape [1,32]")}) {
    SafetensorsWriter out(folder_ / "model.safetensors");
    out.declare("w.weight", Dtype::u8, {32, 64});
    out.declare("w.weight_scale", dtype, shape);
    out.write("w.weight", std::vector<std::byte>(32 * 64));
    if (num_elements(shape) > 0) out.write("w.weight_scale", std::vector<std::byte>(static_cast<size_t>(4 * num_elements(shape))));
    out.commit();
    std::string file = read_file(folder_ / "model.safetensors", 1 << 20);
    file.replace(file.find("\"U8\""), 4, "\"F8_E4M3\"");
    uint64_t header;
    std::memcpy(&header, file.data(), 8);
    header += 5;
    std::memcpy(file.data(), &header, 8);
    folder_.write("model.safetensors", file);
    folder_.write("config.json", R"({"quantization_config":{"quant_method":"fp8","weight_block_size":[16,32]}})");
    refused(folder_.path(), {"tensor 'w.weight_scale' ", says, "or [2,2] for blocks"});
  }
}

// Every method that is not read is named.
TEST(QuantisationConfig, OtherMethodsAreRefusedByName) {
  for (auto [config, says] : {std::pair(R"({"quant_method":"bitsandbytes","load_in_4bit":true})", "'bitsandbytes'"),
                              {R"({"quant_method":"exl2"})", "'exl2'"},
                              {R"({"quant_method":"hqq"})", "'hqq'"},
                              {R"({"quant_method":"mxfp4"})", "a GGUF in MXFP4"},
                              {R"({"quant_method":"compressed-tensors","format":"pack-quantized"})", "the format 'pack-quantized'"}}) {
    StoredQuantisation q = read_quantisation(parse_json(fmt::format(R"({{"quantization_config":{}}})", config), "test"), "config.json");
    EXPECT_EQ(q.method, QuantisationMethod::none);
    EXPECT_NE(q.problem.find(says), std::string::npos) << q.problem;
    EXPECT_NE(q.problem.find("the nearest that is: "), std::string::npos) << q.problem;
  }
  EXPECT_EQ(read_quantisation(parse_json(R"({"text_config":{"quantization_config":{"quant_method":"awq"}}})", "t"), "t").method,
            QuantisationMethod::awq);
  EXPECT_EQ(read_quantisation(parse_json(R"({"quantization_config":null})", "t"), "t").problem, "");
}

}  // namespace
}  // namespace motley

// Mixed precision from outside: losses stay near those of F32; a block whose gradients overflow is survived, told and moved.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "program.h"
#include "training.h"

namespace motley {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

double mean_of_last(const std::vector<double>& x, size_t count) {
  double sum = 0;
  for (size_t i = x.size() - count; i < x.size(); ++i) sum += x[i];
  return sum / static_cast<double>(count);
}

class Precision : public Training {
 protected:
  // The same function of its input in F32, but in block 0 values before the attention's output are 2^power smaller, and gradients larger.
  void make_block_wild(int power) const {
    const std::string path = model_ + "/model.safetensors", attention = "model.layers.0.self_attn.";
    {
      SafetensorsFile file = SafetensorsFile::open(path);
      SafetensorsWriter out(path + ".new");
      for (const SafetensorsTensor& t : file.tensors()) out.declare(t.name, *t.dtype(), t.shape);
      for (const SafetensorsTensor& t : file.tensors()) {
        std::vector<std::byte> bytes(t.size_bytes);
        file.read(t, bytes);
        const int by = t.name == attention + "v_proj.weight" ? -power : t.name == attention + "o_proj.weight" ? power : 0;
        auto* values = reinterpret_cast<float*>(bytes.data());
        for (size_t i = 0; by != 0 && i < bytes.size() / sizeof(float); ++i) values[i] = std::ldexp(values[i], by);
        out.write(t.name, bytes);
      }
      out.commit();
    }
    fs::rename(path + ".new", path);
  }

  void expect_numbers(const std::string& output) const {
    SafetensorsFile file = SafetensorsFile::open(folder_ / (output + "/model.safetensors"));
    for (const SafetensorsTensor& t : file.tensors()) {
      const Tensor values = file.load(t.name);
      for (float v : values.data<float>()) ASSERT_TRUE(std::isfinite(v)) << t.name;
    }
  }
};

TEST_F(Precision, TwoHundredStepsStayWithinAPercentOfF32) {
  std::map<std::string, double> last;
  for (const char* format : {"f32", "bf16", "f16"}) {
    Ran r = run(command(format, {"--precision", format, "--steps", "200", "--learning-rate", "1e-3", "--eval-every", "200"}));
    ASSERT_EQ(r.code, 0) << r.err;
    last[format] = mean_of_last(losses(format), 20);
    EXPECT_THAT(r.err, testing::Not(HasSubstr("skipped")));
  }
  EXPECT_NE(last["bf16"], last["f32"]) << "nothing was rounded";
  EXPECT_NE(last["f16"], last["f32"]) << "nothing was rounded";
  for (const char* format : {"bf16", "f16"}) EXPECT_NEAR(last[format], last["f32"], 0.01 * last["f32"]) << format;
}

TEST_F(Precision, AutomaticOnThisProcessorIsF32AndSaysWhy) {
  Ran r = run(command("a"));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, testing::ContainsRegex("precision is f32: cpu:0 .* has no products of 16-bit floats"));
  ASSERT_EQ(run(command("b", {"--precision", "f32"})).code, 0);
  EXPECT_EQ(weights("a"), weights("b"));
  EXPECT_THAT(run(command("c", {"--precision", "f8"})).err, HasSubstr("there is no precision 'f8'"));
}

TEST_F(Precision, AnOverflowInOneBlockHalvesTheScaleSkipsTheStepAndMovesTheBlock) {
  make_block_wild(14);
  ASSERT_EQ(run(command("exact", {"--precision", "f32", "--steps", "100", "--eval-every", "100"})).code, 0);
  Ran r = run(command("a", {"--precision", "adaptive", "--steps", "100", "--eval-every", "100"}));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(
      r.err,
      HasSubstr("step 1: a gradient of block 0 is beyond f16's 65504 at a loss scale of 512: the step changes nothing, the scale becomes 256"));
  EXPECT_THAT(r.err, HasSubstr("step 2: block 0 moves from f16 to f32 for 200 steps"));
  EXPECT_THAT(r.err, testing::Not(HasSubstr("was skipped")));
  auto scales = losses("a", "loss_scale"), moved = losses("a", "f32_blocks");
  ASSERT_GE(scales.size(), 3u);
  EXPECT_EQ(scales[0], 512);
  EXPECT_EQ(scales[1], 256);
  EXPECT_EQ(scales[2], 128);
  EXPECT_EQ(moved[2], 1);
  EXPECT_THAT(weights("a", "metrics.jsonl"), HasSubstr("\"note\":\"step 2: block 0 moves from f16 to f32"));
  expect_numbers("a");
  const double exact = losses("exact", "eval_loss").back();
  EXPECT_NEAR(losses("a", "eval_loss").back(), exact, 0.1 * exact) << "two of the 100 steps were lost";
}

TEST_F(Precision, WithoutMovingTheScaleFallsUntilTheBlockFits) {
  make_block_wild(8);
  Ran r = run(command("a", {"--precision", "f16"}));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("a gradient of block 0 is beyond f16's 65504"));
  EXPECT_THAT(r.err, testing::Not(HasSubstr("moves from")));
  EXPECT_LT(losses("a", "loss_scale").back(), 512);
  EXPECT_LT(losses("a").back(), 0.7 * losses("a").front());
  expect_numbers("a");
}

TEST_F(Precision, ARunKilledAtAnyInstantKeepsItsPrecisions) {
  make_block_wild(14);
  run_and_kill({"--save-every", "1", "--precision", "adaptive"});
  EXPECT_EQ(weights("killed"), weights("whole"));
  EXPECT_EQ(losses("killed", "loss_scale"), losses("whole", "loss_scale"));
}

}  // namespace
}  // namespace motley

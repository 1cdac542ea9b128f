// A masked language model learns from plain text: which words stand between which.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "program.h"
#include "training.h"

namespace motley {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class MaskedWords : public testing::Test {
 protected:
  void SetUp() override {
    std::string vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", text;
    for (int i = 5; i < 40; ++i) vocab += "w" + std::to_string(i) + "\n";
    for (const char* name : {"bert-masked", "bert-embedding"}) {
      fs::copy(fs::path(MOTLEY_SOURCE_DIR "/tests/data/encoders") / name, folder_ / name, fs::copy_options::recursive);
      folder_.write(std::string(name) + "/vocab.txt", vocab);
    }
    for (int i = 0; i < 300; ++i) {  // counting from somewhere, so a neighbour says it all
      for (int j = 0; j < 8; ++j) text += (j ? " w" : "w") + std::to_string(5 + (i * 5 + j) % 35);
      text += "\n";
    }
    for (char c : text)
      lines_ += c == '\n' ? std::string("\"}\n") : lines_.empty() || lines_.back() == '\n' ? std::string("{\"text\": \"") + c : std::string(1, c);
    data_ = folder_.write("counting.jsonl", lines_);
  }
  std::vector<std::string> command(const std::string& model, const std::string& output, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> out = {"finetune", folder_ / model, "--data", data_,       "--output", folder_ / output,  "--batch", "16", "--epochs",
                                    "30",       "--length",      "12",     "--threads", "2",        "--learning-rate", "2e-2"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  TempFolder folder_;
  std::string lines_, data_;
};

TEST_F(MaskedWords, AreLearnedFromPlainText) {
  Ran r = run(command("bert-masked", "a"));
  ASSERT_EQ(r.code, 0) << r.err;
  const auto loss = logged(folder_ / "a", "eval_loss");
  ASSERT_GT(loss.size(), 2u);
  EXPECT_LT(loss.back(), 0.5 * loss.front()) << r.err;
  EXPECT_THAT(read_file(folder_ / "a/config.json", 1 << 20), HasSubstr("BertForMaskedLM"));
  EXPECT_EQ(run({"embed", folder_ / "a", "-p", "w7 w8"}).code, 0);

  // A model without that last layer gets one.
  Ran fresh =
      run(command("bert-embedding", "b", {"--objective", "masked-language-model", "--mlm-probability", "0.3", "--epochs", "2", "--length", "10"}));
  ASSERT_EQ(fresh.code, 0) << fresh.err;
  EXPECT_THAT(read_file(folder_ / "b/config.json", 1 << 20), HasSubstr("BertForMaskedLM"));
}

// Cut in any way, and stopped at any step, the same words are asked for.
TEST_F(MaskedWords, AreTheSameHoweverAStepIsCut) {
  ASSERT_EQ(run(command("bert-masked", "whole", {"--steps", "12", "--log-every", "1"})).code, 0);
  ASSERT_EQ(run(command("bert-masked", "cut", {"--steps", "12", "--log-every", "1", "--micro-batch", "4"})).code, 0);
  const auto whole = logged(folder_ / "whole", "loss"), cut = logged(folder_ / "cut", "loss");
  ASSERT_EQ(whole.size(), 12u);
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(cut[i], whole[i], 1e-4 * whole[i]) << "step " << i + 1;
}

TEST_F(MaskedWords, NeedAModelThatReadsTextsWhole) {
  const std::string writer = model_with_tokenizer(folder_);
  Ran r = run({"finetune", writer, "--data", data_, "--output", folder_ / "x", "--objective", "masked-language-model"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("have no last layer for 'masked-language-model'"));
  EXPECT_THAT(run(command("bert-masked", "x", {"--mlm-probability", "0"})).err, HasSubstr("--mlm-probability should be above 0"));
  EXPECT_THAT(run({"finetune", writer, "--data", data_, "--output", folder_ / "x", "--mlm-probability", "0.3"}).err,
              HasSubstr("belongs to --objective masked-language-model"));
}

}  // namespace
}  // namespace motley

// Texts in, labels and vectors out: what `motley embed` and `motley classify` are made of, with a tokenizer of forty words.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "api/encode_text.h"
#include "base/error.h"
#include "vectors.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

// A vector's checkpoint with a vocab.txt beside it: [PAD] [UNK] [CLS] [SEP] [MASK] w5 ... w39.
class Readers : public testing::Test {
 protected:
  void SetUp() override { root_ = fs::temp_directory_path() / ("motley-readers-" + std::to_string(getpid())); }
  void TearDown() override { fs::remove_all(root_); }

  std::string model(const std::string& name) {
    const fs::path folder = root_ / name;
    fs::create_directories(root_);
    fs::copy(kEncoders / name, folder, fs::copy_options::recursive);
    std::ofstream vocab(folder / "vocab.txt");
    vocab << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < 40; ++i) vocab << "w" << i << "\n";
    return folder;
  }

  static ReaderOptions two_threads() {
    ReaderOptions options;
    options.wishes.threads = 2;
    return options;
  }

  fs::path root_;
};

TEST_F(Readers, AClassifierGivesLabelsWithProbabilities) {
  TextReader reader = open_reader(model("bert-classification"), two_threads());
  const std::vector<TextItem> items = {{"w7 w8", std::nullopt}, {"w9", "w10 w11"}};
  const auto judged = judge_texts(reader, items);
  ASSERT_EQ(judged.size(), 2u);
  for (const Judgement& j : judged) {
    ASSERT_EQ(j.labels.size(), 3u);
    double sum = 0;
    for (const LabelScore& l : j.labels) sum += l.score;
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_GE(j.labels[0].score, j.labels[1].score);
  }
  // [CLS] w9 [SEP] w10 w11 [SEP], the second segment being the other text.
  const auto by_ids = run_by_reference(model_from_checkpoint(reader.checkpoint), std::vector<Sample>{{{2, 9, 3, 10, 11, 3}, {0, 0, 0, 1, 1, 1}}})[0];
  double top = *std::max_element(by_ids.begin(), by_ids.end()), sum = 0;
  for (double x : by_ids) sum += std::exp(x - top);
  EXPECT_NEAR(judged[1].labels[0].score, 1 / sum, 1e-5);
}

TEST_F(Readers, SeveralLabelsAtOnceAreProbabilitiesOfTheirOwn) {
  TextReader reader = open_reader(model("bert-multi-label"), two_threads());
  const auto j = judge_texts(reader, std::vector<TextItem>{{"w7 w8", std::nullopt}})[0];
  ASSERT_EQ(j.labels.size(), 4u);
  for (const LabelScore& l : j.labels) EXPECT_TRUE(l.score > 0 && l.score < 1);
}

TEST_F(Readers, TokensGetLabelsWithoutTheSpecialOnes) {
  TextReader reader = open_reader(model("bert-tokens"), two_threads());
  const auto j = judge_texts(reader, std::vector<TextItem>{{"w7 w8 w30", std::nullopt}})[0];
  ASSERT_EQ(j.tokens.size(), 3u);
  EXPECT_EQ(j.tokens[2].text, "w30");
  EXPECT_TRUE(j.tokens[2].best.label.starts_with("label "));
  EXPECT_TRUE(j.labels.empty());
}

TEST_F(Readers, AnAnswerIsAPartOfTheSecondText) {
  TextReader reader = open_reader(model("bert-question"), two_threads());
  const auto j = judge_texts(reader, std::vector<TextItem>{{"w7 w8", "w20 w21 w22"}})[0];
  ASSERT_TRUE(j.answer);
  EXPECT_NE(std::string("w20 w21 w22").find(j.answer->text), std::string::npos) << j.answer->text;
  EXPECT_GT(j.answer->score, 0);
}

TEST_F(Readers, VectorsAreOfLengthOneWhereTheFolderSaysSoAndLongTextsAreCut) {
  TextReader reader = open_reader(model("bert-embedding"), two_threads());
  std::string long_text;
  for (int i = 0; i < 30; ++i) long_text += "w7 ";
  const auto vectors = embed_texts(reader, std::vector<TextItem>{{"w7 w8", std::nullopt}, {long_text, std::nullopt}});
  for (const auto& v : vectors) {
    double square = 0;
    for (float x : v) square += static_cast<double>(x) * static_cast<double>(x);
    EXPECT_NEAR(square, 1, 1e-5);
  }
}

TEST_F(Readers, AnyEncoderEmbedsAndAnEmbedderDoesNotClassify) {
  ReaderOptions options = two_threads();
  options.embed = true;
  options.pooling = Pooling::first;
  TextReader reader = open_reader(model("bert-classification"), options);
  EXPECT_EQ(embed_texts(reader, std::vector<TextItem>{{"w7", std::nullopt}})[0].size(), 16u);
  TextReader embedder = open_reader(model("bert-embedding"), two_threads());
  try {
    judge_texts(embedder, std::vector<TextItem>{{"w7", std::nullopt}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("is made for 'embedding' and has no labels"), std::string::npos) << e.what();
  }
}

TEST_F(Readers, AModelWithoutATokenizerIsRefused) {
  try {
    open_reader(kEncoders / "gru", two_threads());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::file);
    EXPECT_NE(std::string(e.what()).find("has no tokenizer"), std::string::npos);
  }
}

// A real layout with weights of 2023, recorded with transformers 4.30.
TEST(SharedMaterial, TheTinyBertOfTransformersAnswersAsRecorded) {
  const fs::path folder = fs::path(MOTLEY_SOURCE_DIR) / "../shared/data/weights/tiny-random-hf/BertForSequenceClassification";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs ../shared/data";
  const ModelSource source = model_from_checkpoint(std::make_shared<const Checkpoint>(Checkpoint::open(folder)));
  std::ifstream file(folder / "reference.json");
  const Json reference = parse_json(std::string(std::istreambuf_iterator<char>(file), {}), "reference.json");
  EncodeSession session(source, {}, open_device("cpu", {.threads = 2}), {});
  for (const Json& c : reference) {
    const std::vector<Sample> one = {{c["input_ids"].get<std::vector<int32_t>>(), {}}};
    const auto expected = c["logits"].get<std::vector<double>>();
    const auto got = session.run(one)[0];
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(static_cast<double>(got[i]), expected[i], 1e-5);
  }
}

}  // namespace
}  // namespace motley

#include "io/dataset/overlap.h"

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;

class Overlaps : public testing::Test {
 protected:
  Samples samples(const std::vector<std::string>& texts) {
    Made made;
    for (const std::string& t : texts) made.ids.push_back(tokenizer_->encode(t));
    return make_samples(made);
  }
  std::shared_ptr<const Tokenizer> tokenizer_ = byte_tokenizer();
};

std::string words(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i) out += "word" + std::to_string(i) + " ";
  return out;
}

TEST_F(Overlaps, ShortSamplesAreComparedWhole) {
  const Samples training = samples({"A fine film.", "Dreadful, truly.", "it is"});
  Overlap o = find_overlap(training, samples({"a FINE  film", "a fine film indeed", "truly dreadful", "...", "it's"}), *tokenizer_, 2);
  EXPECT_EQ(o.samples, 1);
  EXPECT_EQ(o.of, 5);
  EXPECT_EQ(o.words(), "1 of 5 evaluation samples occur in the training data, for example: a FINE  film");
  EXPECT_EQ(find_overlap(training, samples({"nothing of it"}), *tokenizer_, 1).samples, 0);
}

TEST_F(Overlaps, LongOnesByWindowsThatMayStandAnywhere) {
  const Samples training = samples({words(0, 500), words(1000, 1010)});
  // 60 words of the middle of a training text behind others of its own.
  Overlap o = find_overlap(training, samples({words(5000, 5030) + words(203, 263), words(7000, 7100), words(1000, 1009)}), *tokenizer_, 1);
  EXPECT_EQ(o.samples, 1);
  for (int threads : {1, 3}) EXPECT_EQ(find_overlap(training, samples({words(100, 200)}), *tokenizer_, threads).samples, 1);
}

}  // namespace
}  // namespace motley

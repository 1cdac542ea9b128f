#include "io/dataset/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "base/file.h"
#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using testing::HasSubstr;

const std::string kText = "The movie was (very) good , and its end a joy to see again";

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}
std::multiset<std::string> bag(const std::string& text) {
  const auto all = words(text);
  return {all.begin(), all.end()};
}

Augmenter augmenter(const std::string& text, int64_t copies = 1, uint64_t seed = 1) {
  AugmentOptions o = parse_augment(text);
  o.copies = copies, o.seed = seed;
  return Augmenter(o);
}

TEST(Augment, DeletionLeavesOutItsShareOfWords) {
  Augmenter a = augmenter("deletion=0.2");
  size_t kept = 0;
  constexpr int kTimes = 2000;
  for (int i = 0; i < kTimes; ++i) {
    const auto left = words(a.augment(kText, i, 0)), all = words(kText);
    size_t at = 0;  // what is left stands in the old order
    for (const std::string& w : all) at += at < left.size() && left[at] == w;
    EXPECT_EQ(at, left.size());
    EXPECT_GE(left.size(), 1u);
    kept += left.size();
  }
  EXPECT_NEAR(static_cast<double>(kept) / (kTimes * static_cast<double>(words(kText).size())), 0.8, 0.01);
  EXPECT_EQ(augmenter("deletion=0.9").augment("alone", 3, 0), "alone");
}

TEST(Augment, SwapsExchangeWords) {
  Augmenter one = augmenter("swap=1");
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const std::string other = one.augment(kText, i, 0);
    EXPECT_EQ(bag(other), bag(kText));
    const auto a = words(kText), b = words(other);
    size_t moved = 0;
    for (size_t w = 0; w < a.size(); ++w) moved += a[w] != b[w];
    EXPECT_EQ(moved, 2u);
    seen.insert(other);
  }
  EXPECT_GT(seen.size(), 30u);
  EXPECT_NE(augmenter("swap=0.3").augment(kText, 0, 0), kText);  // a share of the words: four pairs
  EXPECT_EQ(one.augment("alone", 0, 0), "alone");
}

TEST(Augment, SynonymsComeFromTheFileAndKeepWhatStandsAroundAWord) {
  test::TemporaryFolder folder;
  const std::string file = folder.write("words.tsv", "# taste\ngood\tfine, well made\nthe\tthis\nVERY\tmost,very\n\n");
  Augmenter all = augmenter("synonyms=" + file + ",synonym-rate=1");
  std::set<std::string> seen;
  for (int i = 0; i < 30; ++i) seen.insert(all.augment(kText, i, 0));
  EXPECT_EQ(seen, (std::set<std::string>{"This movie was (most) fine , and its end a joy to see again",
                                         "This movie was (most) well made , and its end a joy to see again"}));
  EXPECT_EQ(all.augment("nothing known", 0, 0), "nothing known");
  Augmenter some = augmenter("synonyms=" + file);  // a tenth of thirteen words is one
  for (int i = 0; i < 20; ++i) {
    const auto a = words(kText), b = words(some.augment(kText, i, 0));
    size_t same = 0;
    for (const std::string& w : a) same += std::ranges::count(b, w) > 0;
    EXPECT_EQ(same, a.size() - 1);
  }
}

TEST(Augment, OperationsTakeTurnsAndFollowFromSeedSampleAndCopy) {
  Augmenter a = augmenter("deletion=0.3,swap=2", 2), again = augmenter("deletion=0.3,swap=2", 2), other = augmenter("deletion=0.3,swap=2", 2, 9);
  int differ = 0, by_seed = 0;
  for (int64_t i = 0; i < 40; ++i) {
    const std::string first = a.augment(kText, i, 0), second = a.augment(kText, i, 1);
    EXPECT_EQ(bag(i % 2 == 0 ? second : first), bag(kText)) << "exchanged, where the other copy lost words";
    EXPECT_EQ(again.augment(kText, i, 1), second);
    differ += first != second;
    by_seed += other.augment(kText, i, 0) != first;
  }
  EXPECT_GT(differ, 35);
  EXPECT_GT(by_seed, 30);
}

TEST(Augment, ACommandRewordsAllTextsAtOnce) {
  AugmentOptions o;
  o.command = "tr a-z A-Z", o.copies = 1;
  Augmenter a(o);
  a.reword({"one text", "two\nlines", ""}, {});
  EXPECT_EQ(a.augment("one text", 0, 0), "ONE TEXT");
  EXPECT_EQ(a.augment("two\nlines", 1, 0), "TWO LINES");
  EXPECT_EQ(a.augment("kept", 2, 0), "kept") << "where it has nothing to say";
  o.command = "head -n 1";
  Augmenter wrong(o);
  try {
    wrong.reword({"a", "b", "c"}, {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "[augment] 'head -n 1' wrote 1 lines for 3 texts; it should write one for each line that it reads");
  }
}

TEST(Augment, SaysWhatIsWrong) {
  auto refusal = [](auto work) -> std::string {
    try {
      work();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  auto parsed = [&](const char* text) { return refusal([&] { parse_augment(text); }); };
  EXPECT_THAT(parsed("deletoin=0.1"), HasSubstr("there is no 'deletoin', did you mean 'deletion'?"));
  EXPECT_THAT(parsed("deletion=2"), HasSubstr("'deletion' should be a number above 0 and at most 0.9, not '2'"));
  EXPECT_THAT(parsed("swap"), HasSubstr("'swap' should be a number"));
  EXPECT_THAT(parsed("synonyms="), HasSubstr("should name a file"));
  EXPECT_THAT(refusal([] { augmenter(""); }), HasSubstr("nothing that would change them"));
  test::TemporaryFolder folder;
  auto of_file = [&](const char* text) { return refusal([&] { read_synonyms(folder.write("s.tsv", text)); }); };
  EXPECT_THAT(of_file("good\tfine\nbad poor\n"), HasSubstr("line 2: expected a word, a tab, and words parted by commas, not 'bad poor'"));
  EXPECT_THAT(of_file("good\tGood,\n"), HasSubstr("line 1: 'good' has no other word"));
  EXPECT_THAT(of_file("# nothing\n"), HasSubstr("holds no synonyms"));
}

// ---- with the data

std::string table() {
  std::string text = "text\tlabel\n";
  for (int i = 0; i < 300; ++i) text += "a text of number " + std::to_string(i) + " and some words more\t" + (i % 3 == 0 ? "no" : "yes") + "\n";
  return text;
}

std::vector<std::vector<int32_t>> ids_of(const Samples& s) {
  std::vector<std::vector<int32_t>> out;
  for (int64_t i = 0; i < s.size(); ++i) out.emplace_back(s.ids(i).begin(), s.ids(i).end());
  return out;
}

TEST(AugmentedSamples, FollowTheirOwnWhateverTheThreadsAndAreKept) {
  test::TemporaryFolder folder;
  auto tokenizer = test::byte_tokenizer();
  DataOptions o{.path = folder.write("t.tsv", table()), .labels = LabelKind::classes, .max_tokens = 64};
  const Samples plain = read_samples(o, *tokenizer);
  o.augment = parse_augment("deletion=0.2,swap=1");
  o.augment.copies = 2;
  o.cache_folder = folder / "cache";
  const Samples one = read_samples(o, *tokenizer);
  EXPECT_EQ(one.size(), 900);
  EXPECT_EQ(one.copies(), 2);
  EXPECT_THAT(one.description(), HasSubstr("300 records"));
  EXPECT_THAT(one.description(), HasSubstr("each followed by 2 in other words"));
  const auto all = ids_of(one), own = ids_of(plain);
  int changed = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(one.labels(static_cast<int64_t>(i))[0], plain.labels(static_cast<int64_t>(i) / 3)[0]);
    if (i % 3 == 0) {
      EXPECT_EQ(all[i], own[i / 3]);
    } else {
      changed += all[i] != own[i / 3];
    }
  }
  EXPECT_GT(changed, 500);
  const Samples cached = read_samples(o, *tokenizer);
  EXPECT_EQ(ids_of(cached), all);
  EXPECT_EQ(cached.copies(), 2);
  o.cache_folder.clear(), o.threads = 3;
  EXPECT_EQ(ids_of(read_samples(o, *tokenizer)), all);
  o.augment.seed = 2;
  const Samples other = read_samples(o, *tokenizer);
  EXPECT_NE(other.content_hash(), one.content_hash());
  EXPECT_NE(ids_of(other), all);
}

TEST(AugmentedSamples, ACommandRunsOnceForAllOfThem) {
  test::TemporaryFolder folder;
  auto tokenizer = test::byte_tokenizer();
  DataOptions o{.path = folder.write("t.tsv", table()), .labels = LabelKind::classes, .max_tokens = 64, .cache_folder = folder / "cache"};
  const std::string log = folder / "log";
  o.augment.command = "echo once >>" + log + "; tr a-z A-Z", o.augment.copies = 1;
  for (int run = 0; run < 2; ++run) {
    const Samples s = read_samples(o, *tokenizer);
    EXPECT_EQ(tokenizer->decode(s.ids(7)), "A TEXT OF NUMBER 3 AND SOME WORDS MORE");
  }
  EXPECT_EQ(read_file(log, 1000), "once\n") << "the second time the tokens were there";
}

TEST(AugmentedSamples, OnlyOfLabelledTexts) {
  test::TemporaryFolder folder;
  DataOptions o{.path = folder.write("t.txt", "one text\n\nanother text\n")};
  o.augment.deletion = 0.1, o.augment.copies = 1;
  EXPECT_THROW(read_samples(o, *test::byte_tokenizer()), Error);
}

}  // namespace
}  // namespace motley

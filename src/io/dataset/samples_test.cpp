#include "io/dataset/samples.h"

#include <algorithm>

#include "base/file.h"
#include "io/dataset/dataset_test_support.h"
#include "io/dataset/read_texts.h"
#include "io/dataset/token_file.h"
#include "io/template/builtin_templates.h"

namespace motley {
namespace {

using namespace test;
using Names = std::vector<std::string>;

class Reading : public testing::Test {
 protected:
  Samples read(const std::string& path, DataOptions options = {}) {
    options.path = path;
    return read_samples(options, *tokenizer_);
  }
  std::string text(const Samples& s, int64_t i) { return tokenizer_->decode(s.ids(i), {.skip_special = true}); }
  Names texts(const Samples& s) {
    Names out;
    for (int64_t i = 0; i < s.size(); ++i) out.push_back(text(s, i));
    return out;
  }
  std::string warnings(const Samples& s) {
    std::string out;
    for (const auto& w : s.warnings()) out += w + "\n";
    return out;
  }
  TemporaryFolder folder_;
  std::shared_ptr<const Tokenizer> tokenizer_ = byte_tokenizer();
};

TEST_F(Reading, WhatAFileIsIsFoundByLooking) {
  struct {
    const char *name, *content, *words;
  } cases[] = {
      {"a.txt", "One.<|endoftext|>\nTwo.\n<|endoftext|>", "2 documents, plain text, documents between <|endoftext|>"},
      {"b.txt", "just\n\na few\n\nlines\n", "1 document, plain text"},
      {"c.jsonl", "{\"text\": \"a b\"}\n{\"text\": \"c d\"}\n", "2 records, JSONL of text"},
      {"d.json", "[{\"instruction\": \"x\", \"output\": \"y\"}]", "1 record, JSON list of alpaca instructions"},
      {"e.jsonl", "{\"conversations\": [{\"from\": \"human\", \"value\": \"x\"}, {\"from\": \"gpt\", \"value\": \"y\"}]}\n",
       "1 record, JSONL of sharegpt conversations"},
      {"f", "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"assistant\", \"content\": \"y\"}]}\n",
       "1 record, JSONL of OpenAI messages"},
      {"g.csv", "id,Sentence,label\n1,\"a, b\",0\n2,c d,1\n", "2 records, CSV of Sentence"},
      {"h", "sentence\tlabel\nab\t0\ncd\t1\n", "2 records, TSV of sentence"},
  };
  DataOptions options;
  options.chat_template = *builtin_chat_template("chatml");
  for (const auto& c : cases) EXPECT_EQ(read(folder_.write(c.name, c.content), options).description(), c.words) << c.name;
  EXPECT_EQ(read(folder_.write("c.jsonl.gz", gzip(cases[2].content))).description(), "2 records, JSONL of text (gzip)");
  EXPECT_EQ(read(folder_.write("g.csv.zst", zstd(cases[6].content))).description(), "2 records, CSV of Sentence (zstd)");
}

TEST_F(Reading, TextsEndWithTheEndOfText) {
  Samples s = read(folder_.write("a.txt", "One.<|endoftext|>\nTwo.\n<|endoftext|>"));
  EXPECT_EQ(texts(s), (Names{"One.", "Two."}));
  EXPECT_EQ(s.ids(0).back(), 0);
  EXPECT_EQ(s.tokens(), 10);
  EXPECT_TRUE(s.scored(0).empty());
  EXPECT_TRUE(s.labels(0).empty());
  EXPECT_EQ(read(folder_ / "a.txt", {.end_of_text = false}).tokens(), 8);
}

TEST_F(Reading, PlainTextIsCutAsAsked) {
  const std::string path = folder_.write("a.txt", "one\n\ntwo\nthree\n");
  EXPECT_EQ(texts(read(path, {.split = "line"})), (Names{"one", "two", "three"}));
  EXPECT_EQ(texts(read(path, {.split = "blank"})), (Names{"one", "two\nthree"}));
  EXPECT_EQ(texts(read(path, {.split = "none"})), (Names{"one\n\ntwo\nthree\n"}));
  EXPECT_EQ(texts(read(path, {.split = "two"})), (Names{"one", "three"}));
  // Empty lines between long stretches divide documents; between short ones they are paragraphs.
  const std::string long_one(3000, 'x');
  EXPECT_EQ(read(folder_.write("b.txt", long_one + "\n\n" + long_one)).size(), 2);
  std::string verse;
  for (int i = 0; i < 300; ++i) verse += "a line of verse\n\n";
  EXPECT_EQ(read(folder_.write("c.txt", verse)).description(),
            "1 document, plain text taken whole: its paragraphs have 17 bytes, too short for documents");
}

TEST_F(Reading, FoldersAndPatternsAreTheirFilesInOrder) {
  folder_.write("data/2.txt", "second");
  folder_.write("data/1.txt.gz", gzip("first"));
  folder_.write("data/notes.bin", "not data");
  folder_.write("data/.hidden.txt", "hidden");
  EXPECT_EQ(texts(read(folder_ / "data")), (Names{"first", "second"}));
  EXPECT_EQ(texts(read(folder_ / "data/*.txt*")), (Names{"first", "second"}));
  EXPECT_EQ(read(folder_ / "data").description(), "2 documents, plain text (gzip), 2 files");
  folder_.write("data/3.jsonl", "{\"text\": \"x\"}\n");
  expect_refused([&] { read(folder_ / "data"); }, {"1.txt.gz is plain text", "3.jsonl is JSONL", "--format"});
  expect_refused([&] { read(folder_ / "nowhere"); }, {"there is no file or folder"});
  expect_refused([&] { read(folder_ / "*.parquet"); }, {"no file is called"});
  std::filesystem::create_directories(folder_ / "empty");
  expect_refused([&] { read(folder_ / "empty"); }, {"holds no data files"});
}

TEST_F(Reading, AFolderPerClassIsReadAsAclImdbIs) {
  for (const char* part : {"train", "test"}) {
    folder_.write(std::string("imdb/") + part + "/pos/0_9.txt", std::string(part) + " good");
    folder_.write(std::string("imdb/") + part + "/neg/0_1.txt", std::string(part) + " bad<br />\nawful");
  }
  folder_.write("imdb/train/unsup/0_0.txt", "neither");
  folder_.write("imdb/README", "about");
  Samples train = read(folder_ / "imdb", {.labels = LabelKind::classes});
  EXPECT_EQ(train.description(), "2 documents, texts in a folder per class, 2 files, 2 classes: neg, pos");
  EXPECT_EQ(texts(train), (Names{"train bad<br />\nawful", "train good"}));
  EXPECT_EQ(train.labels(0)[0], 0);
  EXPECT_EQ(train.labels(1)[0], 1);
  EXPECT_EQ(texts(read(folder_ / "imdb", {.part = "test", .labels = LabelKind::classes}))[1], "test good");
  EXPECT_EQ(read(folder_ / "imdb/test", {.labels = LabelKind::classes}).classes(), (Names{"neg", "pos"}));
}

TEST_F(Reading, LabelsComeFromTheirColumn) {
  const std::string path = folder_.write("a.csv", "review,stars,mood\ngood,5,happy\nbad,1,sad\nfine,4.5,happy\n");
  EXPECT_EQ(read(path, {.label_column = "mood", .labels = LabelKind::classes}).classes(), (Names{"happy", "sad"}));
  Samples values = read(path, {.labels = LabelKind::automatic});  // "stars" is a usual name
  EXPECT_EQ(values.labels(2)[0], 4.5f);
  EXPECT_TRUE(values.classes().empty());
  const std::string several = folder_.write("b.jsonl", "{\"text\": \"a\", \"labels\": [\"x\", \"y\"]}\n{\"text\": \"b\", \"labels\": []}\n");
  Samples s = read(several, {.labels = LabelKind::several});
  EXPECT_EQ(std::vector<float>(s.labels(0).begin(), s.labels(0).end()), (std::vector<float>{1, 1}));
  EXPECT_EQ(std::vector<float>(s.labels(1).begin(), s.labels(1).end()), (std::vector<float>{0, 0}));
}

TEST_F(Reading, AMissingLabelColumnNamesTheColumnsThereAre) {
  const std::string path = folder_.write("a.csv", "text,feeling,length\na,good,1\nb,bad,1\n");
  auto message = [&](DataOptions o) { return message_of([&] { read(path, o); }); };
  EXPECT_NE(message({.labels = LabelKind::classes}).find("no column is the label; there are: text, feeling, length"), std::string::npos);
  EXPECT_NE(message({.label_column = "moods", .labels = LabelKind::classes}).find("there is no column 'moods' (--label-column)"), std::string::npos);
  EXPECT_NE(message({.text_column = "body"}).find("'body'"), std::string::npos);
  const std::string plain = folder_.write("a.txt", "text");
  EXPECT_NE(message_of([&] { read(plain, {.labels = LabelKind::classes}); }).find("has no label column"), std::string::npos);
  EXPECT_NE(message_of([&] { read(plain, {.format = "jsonll"}); }).find("did you mean jsonl?"), std::string::npos);
}

TEST_F(Reading, OneBadLineInAHundredIsReportedAndSkipped) {
  std::string lines;
  for (int i = 1; i <= 200; ++i) lines += i == 17 ? "{\"text\": \n" : i == 90 ? "[1, 2]\n" : "{\"text\": \"line " + std::to_string(i) + "\"}\n";
  Samples s = read(folder_.write("a.jsonl", lines));
  EXPECT_EQ(s.size(), 198);
  EXPECT_NE(warnings(s).find("2 of 200 records skipped:\n  a.jsonl line 17: it is not valid JSON"), std::string::npos) << warnings(s);
  EXPECT_NE(warnings(s).find("a.jsonl line 90: it is array, expected an object"), std::string::npos) << warnings(s);
  lines += "{\"text\": 5}\n";
  expect_refused([&] { read(folder_.write("b.jsonl", lines)); },
                 {"3 of 201 records cannot be used", "more than one in a hundred", "line 201: 'text' is number"});
}

TEST_F(Reading, BadDataOfEveryKindEndInSentences) {
  const std::string good = "{\"text\": \"fine\"}\n";
  auto with = [&](const std::string& bad) {
    std::string lines;
    for (int i = 0; i < 150; ++i) lines += good;
    return warnings(read(folder_.write("a.jsonl", lines + bad + "\n")));
  };
  EXPECT_NE(with("{\"text\": \"a\xFF\"}").find("line 151: it is not valid JSON"), std::string::npos);
  EXPECT_NE(with(std::string("{\"text\": \"a\0b\"}", 15)).find("line 151: it holds a zero byte"), std::string::npos);
  EXPECT_NE(with("{\"text\": \"  \"}").find("line 151: the text is empty"), std::string::npos);
  EXPECT_NE(with("{\"other\": 1}").find("line 151: 'text' is missing"), std::string::npos);
  EXPECT_NE(with("{\"text\": \"" + std::string(17 << 20, 'x') + "\"}").find("longer than 16 MiB"), std::string::npos);
  EXPECT_EQ(with("{\"text\": \"" + std::string(10 << 20, 'x') + "\"}"), "");  // ten megabytes are a long text, no mistake
  expect_refused([&] { read(folder_.write("b.txt", "")); }, {"is empty"});
  expect_refused([&] { read(folder_.write("b.txt", "\n \n")); }, {"is empty"});
  expect_refused([&] { read(folder_.write("b.txt", std::string("ab\0cd", 5))); }, {"byte 2 is zero"});
  expect_refused([&] { read(folder_.write("b.jsonl", "not json\nat all\n")); }, {"no JSON object"});
  expect_refused([&] { read(folder_.write("b.csv", "text,label\n")); }, {"nothing to learn"});
  expect_refused([&] { read(folder_.write("b.txt.gz", gzip("text").substr(0, 15))); }, {"cut short"});
  EXPECT_NE(warnings(read(folder_.write("c.txt", "caf\xE9 au lait"))).find("not UTF-8"), std::string::npos);
}

TEST_F(Reading, TheAnswersOfConversationsCount) {
  DataOptions options;
  options.chat_template = *builtin_chat_template("chatml");
  Samples s = read(folder_.write("a.jsonl", R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]})"), options);
  auto parts = show_sample(s, 0, *tokenizer_);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_FALSE(parts[0].counts);
  EXPECT_EQ(parts[1].text, "Ho<|im_end|>");
  EXPECT_TRUE(parts[1].counts);
}

TEST_F(Reading, ManyThreadsReadTheSame) {
  std::string lines;
  for (int i = 0; i < 40'000; ++i) lines += "{\"text\": \"number " + std::to_string(i * i) + "\", \"label\": " + std::to_string(i % 3) + "}\n";
  const std::string path = folder_.write("a.jsonl", lines);
  Samples one = read(path, {.labels = LabelKind::classes}), four = read(path, {.labels = LabelKind::classes, .threads = 4});
  ASSERT_EQ(one.size(), four.size());
  EXPECT_EQ(one.content_hash(), four.content_hash());
  for (int64_t i = 0; i < one.size(); i += 97) {
    EXPECT_TRUE(std::ranges::equal(one.ids(i), four.ids(i)));
    EXPECT_EQ(one.labels(i)[0], four.labels(i)[0]);
  }
}

class Caching : public Reading {
 protected:
  // Reads a.jsonl; says whether the tokens came from the cache.
  bool cached(DataOptions options = {}, std::string* said = nullptr) {
    options.path = folder_ / "a.jsonl";
    options.cache_folder = folder_ / "cache";
    bool read = false;
    Samples s = read_samples(options, *tokenizer_, [&](int64_t, int64_t) { read = true; });
    EXPECT_EQ(s.size(), 2);
    EXPECT_EQ(s.description(), "2 records, JSONL of text");
    if (said) *said = warnings(s);
    return !read;
  }
  void SetUp() override { folder_.write("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n"); }
  std::string file() {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "cache")) return entry.path();
    return "";
  }
};

TEST_F(Caching, TheSecondRunReadsNoRecords) {
  EXPECT_FALSE(cached());
  EXPECT_TRUE(cached());
  EXPECT_TRUE(cached({.threads = 3}));  // as many threads as one likes
  EXPECT_FALSE(cached({.end_of_text = false}));
  folder_.write("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"too\"}\n");
  EXPECT_FALSE(cached());
  EXPECT_TRUE(cached());
  tokenizer_ = train_bpe(WordCounts(), {.vocabulary = 258, .special = {"<|im_end|>", "<|endoftext|>"}});
  EXPECT_FALSE(cached());
}

TEST_F(Caching, DamageIsNoticedAndMended) {
  EXPECT_FALSE(cached());
  std::string bytes = read_file(file(), 1 << 20), said;
  for (size_t at = 0; at < bytes.size(); at += 11) {
    std::string damaged = bytes;
    damaged[at] ^= 0x10;
    std::ofstream(file(), std::ios::binary) << damaged;
    if (cached({}, &said)) continue;  // a bit that zstd does not use; the content is as it was
    EXPECT_NE(said.find("made anew"), std::string::npos) << at << said;
  }
  std::ofstream(file(), std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  EXPECT_FALSE(cached({}, &said));
  EXPECT_NE(said.find("made anew"), std::string::npos) << said;
  EXPECT_TRUE(cached({}, &said));
  EXPECT_EQ(said, "");
}

TEST_F(Caching, StoppingLeavesNothingBehind) {
  struct Stopped {};
  EXPECT_THROW(read_samples({.path = folder_ / "a.jsonl", .cache_folder = folder_ / "cache"}, *tokenizer_, [](int64_t, int64_t) { throw Stopped{}; }),
               Stopped);
  EXPECT_EQ(file(), "");
}

TEST_F(Caching, WhatTheCacheHoldsIsAShardToReadElsewhere) {
  EXPECT_FALSE(cached());
  std::filesystem::copy(file(), folder_ / "b.tokens.zst");
  Samples s = read(folder_ / "b.tokens.zst");
  EXPECT_EQ(s.description(), "2 samples, token shards of: 2 records, JSONL of text");
  EXPECT_EQ(texts(s), (Names{"one", "two"}));
  std::filesystem::create_directories(folder_ / "shards");
  for (const char* name : {"shards/1.tokens.zst", "shards/2.tokens.zst"}) std::filesystem::copy(folder_ / "b.tokens.zst", folder_ / name);
  EXPECT_EQ(texts(read(folder_ / "shards")), (Names{"one", "two", "one", "two"}));
}

TEST_F(Reading, TextsThatBelongTogetherStandOneBehindTheOther) {
  const std::string triples = folder_.write("a.tsv", "query\tpositive\tnegative\tscore\nab\tcde\tf\t1\ngh\ti\tjklmnop\t1\n");
  Samples s = read(triples, {.labels = LabelKind::texts, .max_tokens = 12});
  EXPECT_EQ(s.description(), "2 records, TSV of query and positive and not negative");
  EXPECT_EQ(texts(s), (Names{"abcdef", "ghijklm"})) << "each text has a third of the room";
  EXPECT_EQ(std::vector<float>(s.labels(1).begin(), s.labels(1).end()), (std::vector<float>{2, 1, 4}));
  EXPECT_NE(warnings(s).find("1 of the records had more than 12 tokens"), std::string::npos);
  Samples pairs = read(folder_.write("b.jsonl", "{\"question\": \"ab\", \"answer\": \"c\"}\n"), {.labels = LabelKind::texts});
  EXPECT_EQ(pairs.label_width(), 2);
  // As shards, which have to say where each text ends.
  write_token_file(folder_ / "pairs.tokens.zst", pairs.data(), tokenizer_->vocab_size());
  EXPECT_EQ(read(folder_ / "pairs.tokens.zst", {.labels = LabelKind::texts}).labels(0)[1], 1);
  SampleData wrong = pairs.data();
  wrong.labels[0] = 3;
  write_token_file(folder_ / "wrong.tokens.zst", wrong, tokenizer_->vocab_size());
  EXPECT_THROW(read(folder_ / "wrong.tokens.zst", {.labels = LabelKind::texts}), Error);
}

TEST_F(Reading, RealDataAreFoundForWhatTheyAre) {
  const std::string stories = shared_file("data/text/tinystories/tinystories_sample_2MiB.txt"), sst2 = shared_file("data/text/sst2/test.tsv"),
                    shakespeare = shared_file("data/text/tinyshakespeare/input.txt"), names = shared_file("data/text/names/names.txt");
  if (stories.empty() || sst2.empty() || shakespeare.empty() || names.empty()) GTEST_SKIP() << "needs shared/data/text";
  EXPECT_NE(read(stories).description().find("documents between <|endoftext|>"), std::string::npos);
  Samples reviews = read(sst2, {.labels = LabelKind::classes});
  EXPECT_EQ(reviews.description(), "872 records, TSV of sentence, label label, 2 classes: 0, 1");
  EXPECT_EQ(warnings(reviews), "");
  EXPECT_EQ(text(reviews, 0), "it 's a charming and often affecting journey . ");
  EXPECT_EQ(reviews.labels(0)[0], 1);
  EXPECT_EQ(read(shakespeare).size(), 1);
  EXPECT_EQ(read(shakespeare, {.split = "blank"}).size(), 7222);
  EXPECT_EQ(read(names, {.split = "line"}).size(), 32033);
}

TEST_F(Reading, TextsWithoutTokens) {
  Names all;
  auto take = [&](std::string_view t) { all.emplace_back(t); };
  EXPECT_EQ(read_texts({.path = folder_.write("a.txt", "One.<|endoftext|>Two.")}, "<|endoftext|>", take).description,
            "2 documents, plain text, documents between <|endoftext|>");
  read_texts({.path = folder_.write("b.jsonl", R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]})")}, "",
             take);
  EXPECT_EQ(all, (Names{"One.", "Two.", "Hi", "Ho"}));
}

}  // namespace
}  // namespace motley

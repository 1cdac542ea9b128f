#include "io/dataset/token_file.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/file.h"
#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;

SampleData example() {
  SampleCollector collector(std::filesystem::temp_directory_path());
  std::mt19937 random(5);
  for (int i = 0; i < 50; ++i) {
    std::vector<int32_t> ids(1 + random() % 40);
    std::vector<uint8_t> marks(ids.size());
    for (auto& id : ids) id = static_cast<int32_t>(random() % 1000);
    for (auto& m : marks) m = static_cast<uint8_t>(random() % 2);
    collector.append_ids(ids, true);
    collector.append_marks(marks);
  }
  SampleData data = collector.finish();
  for (int i = 0; i < 100; ++i) data.labels.push_back(static_cast<float>(i) / 3);
  data.label_width = 2;
  data.classes = {"no", "yes"};
  data.warnings = {"one"};
  data.description = "fifty samples";
  data.hash = 0x1234;
  return data;
}

SampleData read(std::string_view bytes, int32_t vocab_size = 1000) {
  SampleCollector collector(std::filesystem::temp_directory_path());
  ByteStream in = stream_of(bytes);
  TokenFileHead head = read_token_file(in, vocab_size, collector);
  SampleData data = collector.finish();
  data.hash = head.hash;
  data.labels = head.labels;
  data.label_width = head.label_width;
  data.classes = head.classes;
  data.warnings = head.warnings;
  data.description = head.description;
  return data;
}

std::string written(const SampleData& data, int32_t vocab_size) {
  TemporaryFolder folder;
  write_token_file(folder / "tokens", data, vocab_size);
  return read_file(folder / "tokens", 1 << 20);
}

std::string unpacked(const std::string& packed) {
  ByteStream in = stream_of(packed);
  std::string out;
  for (int c = in.get(); c >= 0; c = in.get()) out += static_cast<char>(c);
  return out;
}

TEST(TokenFile, GivesBackWhatWasWritten) {
  const SampleData data = example();
  for (int32_t vocab_size : {1000, 100'000}) {
    const std::string packed = written(data, vocab_size);
    for (const std::string& bytes : {packed, unpacked(packed), gzip(unpacked(packed))}) {
      const SampleData back = read(bytes, vocab_size);
      EXPECT_EQ(back.begins, data.begins);
      EXPECT_TRUE(std::ranges::equal(back.all_ids(), data.all_ids()));
      EXPECT_TRUE(std::ranges::equal(back.all_scored(), data.all_scored()));
      EXPECT_EQ(back.labels, data.labels);
      EXPECT_EQ(back.classes, data.classes);
      EXPECT_EQ(back.warnings, data.warnings);
      EXPECT_EQ(back.description, data.description);
      EXPECT_EQ(back.hash, data.hash);
    }
  }
}

TEST(TokenFile, EveryFlippedBitAndEveryMissingByteIsNoticed) {
  const std::string bytes = unpacked(written(example(), 1000));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= static_cast<char>(1 << i % 8);
    expect_refused([&] { read(damaged); }, {"input"});
  }
  for (size_t n = 0; n < bytes.size(); n += 7) expect_refused([&] { read(bytes.substr(0, n)); }, {"input"});
  expect_refused([&] { read(bytes + "x"); }, {"bytes follow its end"});
}

TEST(TokenFile, NumbersThatPromiseMoreThanThereIsAllocateNothing) {
  std::string bytes = unpacked(written(example(), 1000));
  for (size_t at : {size_t{8 + 24}, size_t{8 + 32}}) {  // samples, tokens
    std::string damaged = bytes;
    const uint64_t many = uint64_t{1} << 47;
    std::memcpy(damaged.data() + at, &many, sizeof many);
    expect_refused([&] { read(damaged); }, {"input"});
  }
}

// Written by tools/make_fuzz_seeds.py, which knows only the page that describes the format.
TEST(TokenFile, OthersCanWriteThemToo) {
  const std::string folder = std::string(MOTLEY_SOURCE_DIR) + "/tests/fuzz/corpus/token_file/";
  for (const char* name : {"texts", "marked", "labelled"}) {
    const SampleData data = read(read_file(folder + name, 1 << 20), 300);
    EXPECT_EQ(data.begins, (std::vector<uint64_t>{0, 3, 4, 6})) << name;
    EXPECT_EQ(data.all_ids()[3], 299);
    EXPECT_EQ(data.classes, (std::vector<std::string>{"no", "yes"}));
    EXPECT_EQ(data.labels, name == std::string("labelled") ? (std::vector<float>{0, 1, 1}) : std::vector<float>());
    EXPECT_EQ(data.all_scored().size(), name == std::string("marked") ? 6u : 0u);
  }
}

TEST(TokenFile, ATokenOfAnotherVocabularyIsNamed) {
  expect_refused([] { read(unpacked(written(example(), 1000)), 500); }, {"the vocabulary ends at 499", "another tokenizer"});
}

}  // namespace
}  // namespace motley

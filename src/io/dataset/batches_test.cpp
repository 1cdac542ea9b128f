#include "io/dataset/batches.h"

#include <algorithm>
#include <map>
#include <random>

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;

// Samples of random lengths; token values tell sample and place: sample * 1000 + place.
Samples texts(int count, int longest, bool marked = false) {
  std::mt19937 random(11);
  Made made;
  for (int s = 0; s < count; ++s) {
    const int n = 2 + static_cast<int>(random() % static_cast<unsigned>(longest - 1));
    made.ids.emplace_back();
    for (int i = 0; i < n; ++i) made.ids.back().push_back(s * 1000 + i);
    if (marked) {
      made.scored.emplace_back();
      for (int i = 0; i < n; ++i) made.scored.back().push_back(i >= n / 2);
    }
  }
  return make_samples(made);
}

// Every row as its tokens, padding left out.
std::vector<std::vector<int32_t>> rows_of(const Batch& b, int64_t length) {
  std::vector<std::vector<int32_t>> out;
  for (size_t i = 0; i < b.tokens.size(); ++i) {
    if (static_cast<int64_t>(i) % length == 0) out.emplace_back();
    if (b.seq[i] >= 0) out.back().push_back(b.tokens[i]);
  }
  return out;
}

TEST(Batches, EveryTargetComesOncePerEpoch) {
  const Samples samples = texts(300, 70);
  for (bool shuffle : {false, true})
    for (bool pack : {false, true}) {
      const BatchShape shape{.rows = 4, .length = 32};
      Batches batches(samples, shape, 1, shuffle, pack);
      std::map<int32_t, int> seen;
      int64_t scored = 0;
      while (batches.cursor().epoch == 0) {
        Batch b = batches.next();
        ASSERT_EQ(b.tokens.size(), 128u);
        for (size_t i = 0; i < b.tokens.size(); ++i) {
          if (b.seq[i] < 0) {
            EXPECT_EQ(b.targets[i], kNoTarget);
            EXPECT_EQ(b.positions[i], 0);
            continue;
          }
          EXPECT_EQ(b.targets[i], b.tokens[i] + 1);  // the next of the same sample
          EXPECT_TRUE(b.positions[i] == 0 || b.tokens[i] == b.tokens[i - 1] + 1);
          EXPECT_TRUE(i % 32 != 0 || b.positions[i] == 0);  // nothing goes beyond its row
          ++seen[b.targets[i]];
          ++scored;
        }
      }
      // With shuffling the last batch holds the beginning of the next epoch.
      EXPECT_EQ(static_cast<int64_t>(seen.size()), samples.tokens() - samples.size());
      if (!shuffle) {
        EXPECT_EQ(scored, samples.tokens() - samples.size());
      } else {
        EXPECT_LE(scored, samples.tokens() - samples.size() + 128);
      }
    }
}

TEST(Batches, WhatStandsBeforeEachSampleIsNobodysTarget) {
  const Samples samples = texts(300, 70);
  for (bool shuffle : {false, true}) {
    Batches batches(samples, {.rows = 4, .length = 32, .lead = {9000000, 9000001, 9000002}}, 1, shuffle, true);
    std::map<int32_t, int> seen;
    while (batches.cursor().epoch == 0) {
      Batch b = batches.next();
      for (size_t i = 0; i < b.tokens.size(); ++i) {
        if (b.seq[i] < 0) continue;
        const bool first = i % 32 == 0 || b.seq[i] != b.seq[i - 1];
        EXPECT_EQ(b.positions[i], first ? 0 : b.positions[i - 1] + 1);
        EXPECT_EQ(b.tokens[i] >= 9000000, b.positions[i] < 3);
        if (b.positions[i] < 3) {
          EXPECT_EQ(b.targets[i], kNoTarget);
        } else {
          ++seen[b.targets[i]];
        }
      }
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), samples.tokens() - samples.size());
  }
  EXPECT_ANY_THROW(Batches(samples, {.rows = 1, .length = 3, .lead = {1, 2, 3}}, 1, true, true));
}

TEST(Batches, WholeTextsHaveTheirLastTokenToo) {
  const Samples samples = texts(300, 70);
  Batches batches(samples, {.rows = 4, .length = 32, .whole = true}, 1, true, true);
  std::map<int32_t, int> seen;
  while (batches.cursor().epoch == 0) {
    Batch b = batches.next();
    for (size_t i = 0; i < b.tokens.size(); ++i)
      if (b.seq[i] >= 0) ++seen[b.tokens[i]];
  }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), samples.tokens());
}

TEST(Batches, RowsAreTheSameHoweverManyABatchHas) {
  const Samples samples = texts(500, 50);
  for (int64_t length : {32, 128}) {  // texts that go on in another row, and texts that do not
    std::vector<std::vector<std::vector<int32_t>>> all;
    for (int64_t rows : {1, 2, 3, 8}) {
      Batches batches(samples, {.rows = rows, .length = length}, 42, true, true);
      all.emplace_back();
      while (all.back().size() < 1200)
        for (auto& row : rows_of(batches.next(), length)) all.back().push_back(row);
      all.back().resize(1200);  // several epochs
      EXPECT_EQ(all.back(), all[0]) << rows << ' ' << length;
    }
  }
}

TEST(Batches, GoingOnAtACursorGivesTheSameBatches) {
  for (bool marked : {false, true}) {
    const Samples samples = texts(200, 90, marked);
    const BatchShape shape{.rows = 3, .length = 64};
    Batches whole(samples, shape, 7, true, true);
    for (int i = 0; i < 150; ++i) {
      const Cursor at = whole.cursor();
      const Batch expected = whole.next();
      if (i % 10 != 3) continue;
      Batches resumed(samples, shape, 7, true, true, at);
      const Batch got = resumed.next();
      EXPECT_EQ(got.tokens, expected.tokens) << i;
      EXPECT_EQ(got.targets, expected.targets);
      EXPECT_EQ(got.seq, expected.seq);
      EXPECT_EQ(got.first_row, expected.first_row);
      EXPECT_EQ(resumed.cursor(), whole.cursor());
    }
    EXPECT_GT(whole.cursor().epoch, 1);
  }
}

TEST(Batches, SeedAndEpochMakeTheOrder) {
  const Samples samples = texts(100, 20);
  auto first = [&](uint64_t seed, Cursor at) { return Batches(samples, {.rows = 2, .length = 64}, seed, true, true, at).next().tokens; };
  EXPECT_EQ(first(1, {}), first(1, {}));
  EXPECT_NE(first(1, {}), first(2, {}));
  EXPECT_NE(first(1, {}), first(1, {1, 0}));
}

TEST(Batches, LongTextsGoOnInAnotherRow) {
  const Samples samples = texts(400, 300);
  const int64_t positions = samples.tokens() - samples.size();
  Batches batches(samples, {.rows = 1, .length = 128}, 3, true, true);
  EXPECT_EQ(batches.size(), (positions + 127) / 128);  // but for the last of an epoch no row has padding
  std::map<int32_t, int> seen;
  std::vector<int32_t> begins;
  for (int64_t i = 0; i < batches.size(); ++i) {
    Batch b = batches.next();
    EXPECT_EQ(b.first_row, i);
    for (int32_t t : b.targets)
      if (t != kNoTarget) ++seen[t];
    begins.push_back(b.tokens[0]);
  }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), positions);
  EXPECT_EQ(batches.cursor(), (Cursor{1, 0}));
  EXPECT_FALSE(std::ranges::is_sorted(begins));  // one long text, too, is not shown from front to back
  Batches one(make_samples({.ids = {std::vector<int32_t>(5000, 1)}}), {.rows = 1, .length = 64}, 3, true, true);
  EXPECT_EQ(one.size(), (4999 + 63) / 64);
}

TEST(Batches, PackedRowsAreNearlyFull) {
  const Samples samples = texts(3000, 120);
  Batches batches(samples, {.rows = 1, .length = 256}, 3, true, true);
  int64_t used = 0, all = 0;
  while (batches.cursor().epoch == 0) {
    Batch b = batches.next();
    used += std::ranges::count_if(b.seq, [](int32_t s) { return s >= 0; });
    all += 256;
  }
  EXPECT_GT(static_cast<double>(used) / static_cast<double>(all), 0.95);
}

TEST(Batches, ConversationsLoseWhatIsBeyondARowAndAreCounted) {
  Made made{.ids = {{1, 2, 3, 4, 5, 6, 7, 8}, {11, 12, 13}, {21, 22, 23, 24, 25, 26, 27, 28}},
            .scored = {{0, 0, 1, 1, 1, 1, 1, 1}, {0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 1}}};
  const Samples samples = make_samples(made);
  Batches batches(samples, {.rows = 1, .length = 4}, 0, false, true);
  EXPECT_EQ(batches.cut(), 1);
  EXPECT_EQ(batches.size(), 2);  // the third has nothing to learn within a row
  Batch b = batches.next();
  EXPECT_EQ(b.tokens, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(b.targets, (std::vector<int32_t>{kNoTarget, 3, 4, 5}));
  EXPECT_EQ(b.scored, 3);
  b = batches.next();
  EXPECT_EQ(b.tokens, (std::vector<int32_t>{11, 12, 0, 0}));
  EXPECT_EQ(b.targets, (std::vector<int32_t>{kNoTarget, 13, kNoTarget, kNoTarget}));
  EXPECT_EQ(b.seq, (std::vector<int32_t>{0, 0, -1, -1}));
}

TEST(Batches, LabelsStandWithTheirSamples) {
  Made made{.ids = {{1, 2, 3}, {4, 5}, {6}, {7, 8, 9, 10, 11, 12}}, .labels = {0, 1, 1, 0}, .label_width = 1};
  const Samples samples = make_samples(made);
  Batches batches(samples, {.rows = 2, .length = 5, .samples = 4}, 0, false, true);
  Batch b = batches.next();
  EXPECT_EQ(b.tokens, (std::vector<int32_t>{1, 2, 3, 4, 5, 6, 0, 0, 0, 0}));
  EXPECT_EQ(b.seq, (std::vector<int32_t>{0, 0, 0, 1, 1, 2, -1, -1, -1, -1}));
  EXPECT_EQ(b.first, (std::vector<int32_t>{0, 3, 5, 0}));
  EXPECT_EQ(b.labels, (std::vector<float>{0, 1, 1, kNoTarget}));
  EXPECT_EQ(b.scored, 3);
  EXPECT_EQ(b.targets, std::vector<int32_t>(10, kNoTarget));
  b = batches.next();
  EXPECT_EQ(b.tokens, (std::vector<int32_t>{7, 8, 9, 10, 11, 0, 0, 0, 0, 0}));
  EXPECT_EQ(b.labels[0], 0);
  EXPECT_EQ(batches.cut(), 1);
  EXPECT_EQ(batches.cursor(), (Cursor{1, 0}));
}

TEST(Batches, ARowTakesNoMoreSamplesThanItsShare) {
  Made made;
  for (int i = 0; i < 20; ++i) made.ids.push_back({i}), made.labels.push_back(0);
  made.label_width = 1;
  Batches batches(make_samples(made), {.rows = 2, .length = 8, .samples = 6}, 5, true, true);
  for (int i = 0; i < 10; ++i) {
    Batch b = batches.next();
    EXPECT_LE(b.samples, 6) << i;
    EXPECT_GE(b.samples, 4) << i;
  }
}

TEST(Batches, WhatCannotBeIsRefused) {
  const Samples samples = texts(3, 10);
  auto refused = [&](const Samples& s, BatchShape shape, Cursor at = {}) { return message_of([&] { Batches(s, shape, 0, true, true, at); }); };
  EXPECT_NE(refused(samples, {.rows = 0}).find("at least one"), std::string::npos);
  EXPECT_NE(refused(samples, {.rows = 2, .length = 8, .samples = 3}).find("multiple of the rows"), std::string::npos);
  EXPECT_NE(refused(samples, {}, {0, 1000}).find("are they the same as before"), std::string::npos);
  EXPECT_NE(refused(make_samples({.ids = {{1}}}), {}).find("anything to learn"), std::string::npos);
}

}  // namespace
}  // namespace motley

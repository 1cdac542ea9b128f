#include "generate/scheduler.h"

#include <gtest/gtest.h>

#include <map>

#include "motley/error.h"

namespace motley {
namespace {

// A "model" whose next token is a function of everything it has seen, computed from a KV pool it keeps by slot: so a wrong slot, table,
// position or a page given away too early changes the text.
class HashModel : public StepRunner {
 public:
  explicit HashModel(StepLimits limits) : limits_(limits), pool_(static_cast<size_t>(limits.pages * limits.page_tokens), -1) {}
  const StepLimits& limits() const override { return limits_; }

  void run(const StepInputs& in, std::span<float> logits) override {
    ++steps;
    EXPECT_LE(static_cast<int64_t>(in.tokens.size()), limits_.tokens);
    EXPECT_LE(static_cast<int64_t>(in.rows.size()), limits_.rows);
    EXPECT_LE(in.sizes(limits_.blocks).S, limits_.sequences);
    tokens += static_cast<int64_t>(in.tokens.size());
    for (size_t t = 0; t < in.tokens.size(); ++t) pool_[static_cast<size_t>(in.slots[t])] = in.tokens[t];
    for (size_t r = 0; r < in.rows.size(); ++r) {
      auto t = static_cast<size_t>(in.rows[r]);
      uint64_t hash = 7;
      for (int64_t p = 0; p <= in.positions[t]; ++p) {
        int64_t page = in.tables[static_cast<size_t>(in.seq[t] * limits_.blocks + p / limits_.page_tokens)];
        hash = hash * 1000003 + static_cast<uint64_t>(pool_[static_cast<size_t>(page * limits_.page_tokens + p % limits_.page_tokens)]);
      }
      for (int64_t v = 0; v < limits_.vocab; ++v)
        logits[r * static_cast<size_t>(limits_.vocab) + static_cast<size_t>(v)] = static_cast<uint64_t>(v) == hash % 89 ? 1.0f : 0.0f;
    }
  }

  int64_t steps = 0, tokens = 0;

 private:
  StepLimits limits_;
  std::vector<int32_t> pool_;
};

constexpr StepLimits kLimits{.tokens = 8, .sequences = 3, .rows = 3, .pages = 24, .page_tokens = 4, .blocks = 8, .vocab = 97};

Request greedy(std::vector<int32_t> prompt, int64_t max_tokens) {
  return {.prompt = std::move(prompt), .max_tokens = max_tokens, .sampling = {.temperature = 0}, .stop_tokens = {}, .on_logits = {}};
}

std::map<int64_t, std::vector<int32_t>> run_all(Scheduler& s) {
  std::map<int64_t, std::vector<int32_t>> out;
  for (int guard = 0; !s.idle() && guard < 10000; ++guard)
    for (const Event& e : s.step())
      if (e.token) out[e.id].push_back(e.token->token);
  return out;
}

std::vector<int32_t> alone(const std::vector<int32_t>& prompt, int64_t max_tokens) {
  HashModel model(kLimits);
  Scheduler s(model);
  int64_t id = s.submit(greedy(prompt, max_tokens));
  return run_all(s)[id];
}

TEST(Scheduler, TextDoesNotDependOnWhoElseIsRunning) {
  std::vector<std::vector<int32_t>> prompts = {{1}, {2, 3, 4}, {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {1, 2}, {9, 9, 9, 9, 9, 9}, {4, 4}};
  HashModel model(kLimits);
  Scheduler s(model);
  std::vector<int64_t> ids;
  for (const auto& p : prompts) ids.push_back(s.submit(greedy(p, 12)));
  auto texts = run_all(s);
  for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(texts[ids[i]], alone(prompts[i], 12)) << "prompt " << i;
  EXPECT_EQ(s.pages_in_use(), 0);
}

TEST(Scheduler, APrefixIsComputedOnce) {
  std::vector<int32_t> prompt(20);
  for (int i = 0; i < 20; ++i) prompt[static_cast<size_t>(i)] = i;
  HashModel model(kLimits);
  Scheduler s(model);
  int64_t first = s.submit(greedy(prompt, 4));
  auto one = run_all(s);
  int64_t computed = model.tokens;
  int64_t second = s.submit(greedy(prompt, 4));
  auto two = run_all(s);
  EXPECT_EQ(one[first], two[second]);
  EXPECT_EQ(s.totals().reused_tokens, 16);  // four full pages; the last must be computed for its logits
  EXPECT_EQ(model.tokens - computed, computed - 16);
  prompt[5] = 50;  // differs in the second page
  int64_t third = s.submit(greedy(prompt, 4));
  EXPECT_EQ(run_all(s)[third], alone(prompt, 4));
  EXPECT_EQ(s.totals().reused_tokens, 20);
}

// As if the ids stood before the prompt, but nobody sees their positions, and the context asked for is the text's.
TEST(Scheduler, VirtualTokensBeginEverySequence) {
  StepLimits limits = kLimits;
  limits.virtual_tokens = 5;
  HashModel model(limits), wide([] {
    StepLimits all = kLimits;
    all.vocab = 200;
    return all;
  }());
  Scheduler s(model), plain(wide);
  std::vector<int32_t> prompt = {7, 8, 9};
  Request request = greedy(prompt, 6);
  std::vector<int64_t> positions;
  request.on_logits = [&](int64_t position, std::span<const float>) { positions.push_back(position); };
  int64_t id = s.submit(request), other = plain.submit(greedy({97, 98, 99, 100, 101, 7, 8, 9}, 6));
  EXPECT_EQ(run_all(s)[id], run_all(plain)[other]);
  EXPECT_EQ(positions, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_THROW(s.submit(greedy({97}, 1)), Error) << "a text has no such token";
  EXPECT_THROW(s.submit(greedy(std::vector<int32_t>(28, 1), 0)), Error);  // 32 positions, five of them taken
  id = s.submit(greedy(std::vector<int32_t>(20, 1), -1));
  EXPECT_EQ(run_all(s)[id].size(), 7u);
}

TEST(Scheduler, PagesForReuseGiveWayWhenMemoryIsNeeded) {
  HashModel model(kLimits);
  Scheduler s(model);
  for (int i = 0; i < 40; ++i) {
    std::vector<int32_t> prompt;
    for (int j = 0; j < 9 + i % 3; ++j) prompt.push_back((i % 7) * 10 + j);
    int64_t id = s.submit(greedy(prompt, 6));
    ASSERT_EQ(run_all(s)[id], alone(prompt, 6)) << i;
  }
  EXPECT_EQ(s.pages_in_use(), 0);
}

TEST(Scheduler, StopsWhereItShould) {
  HashModel model(kLimits);
  Scheduler s(model);
  auto full = alone({3, 1}, 10);
  Request r = greedy({3, 1}, 10);
  r.stop_tokens = {full[4]};
  s.submit(r);
  std::vector<Event> last;
  std::vector<int32_t> text;
  while (!s.idle())
    for (const Event& e : s.step()) text.push_back(e.token->token), last = {e};
  EXPECT_EQ(last[0].finish, FinishReason::stop);
  EXPECT_EQ(text.back(), full[4]);
  // A sequence ends when its context is full.
  int64_t id = s.submit(greedy({1, 2}, -1));
  EXPECT_EQ(run_all(s)[id].size(), 30u);
}

TEST(Scheduler, PromptLogitsComeInOrderForEveryPosition) {
  HashModel model(kLimits);
  Scheduler s(model);
  std::vector<int32_t> prompt(19, 5);
  Request r = greedy(prompt, 0);
  std::vector<int64_t> positions;
  r.on_logits = [&](int64_t p, std::span<const float> row) {
    positions.push_back(p);
    EXPECT_EQ(static_cast<int64_t>(row.size()), kLimits.vocab);
  };
  s.submit(r);
  auto texts = run_all(s);
  EXPECT_TRUE(texts.empty());
  ASSERT_EQ(positions.size(), 19u);
  for (size_t i = 0; i < 19; ++i) EXPECT_EQ(positions[i], static_cast<int64_t>(i));
}

// Beams fork in pages that are full and in pages that are not; the search alone, which reads a text as a whole, is what they have to find.
TEST(Scheduler, BeamsFindWhatTheSearchFindsAlone) {
  auto request = [](std::vector<int32_t> prompt) {
    Request r = greedy(std::move(prompt), 11);
    r.beams = {.count = 3, .length_penalty = 0.5};
    r.stop_tokens = {17};
    return r;
  };
  auto expected = [&](const Request& r) {
    BeamSearch search(
        r.beams, {.ends = r.stop_tokens, .prompt = static_cast<int64_t>(r.prompt.size()), .longest = static_cast<int64_t>(r.prompt.size()) + 11});
    std::vector<std::vector<int32_t>> texts = {r.prompt};
    for (;;) {
      for (size_t b = 0; b < texts.size(); ++b) {
        HashModel model(kLimits);
        Scheduler s(model);
        Request whole = greedy(texts[b], 0);
        whole.on_logits = [&](int64_t position, std::span<const float> row) {
          if (position + 1 == static_cast<int64_t>(texts[b].size())) search.see(b, row);
        };
        s.submit(whole);
        run_all(s);
      }
      std::vector<std::vector<int32_t>> next;
      for (const BeamStep& step : search.advance()) {
        next.push_back(texts[step.parent]);
        next.back().push_back(step.token);
      }
      if (next.empty()) return search.best().tokens;
      texts = next;
    }
  };
  HashModel model(kLimits);
  Scheduler s(model);
  std::vector<Request> requests = {request({1}), greedy({4, 4}, 9), request({5, 6, 7, 8, 9, 10}), request({2, 3, 4})};
  std::vector<int64_t> ids;
  for (const Request& r : requests) ids.push_back(s.submit(r));
  auto texts = run_all(s);
  for (size_t i = 0; i < requests.size(); ++i)
    EXPECT_EQ(texts[ids[i]], requests[i].beams.count > 1 ? expected(requests[i]) : alone({4, 4}, 9)) << "request " << i;
  EXPECT_EQ(s.pages_in_use(), 0);
}

TEST(Scheduler, CancelGivesEverythingBack) {
  HashModel model(kLimits);
  Scheduler s(model);
  int64_t a = s.submit(greedy({1, 2, 3}, 20)), b = s.submit(greedy({4}, 5));
  s.step();
  s.cancel(a);
  bool told = false;
  std::vector<int32_t> text;
  while (!s.idle())
    for (const Event& e : s.step()) {
      told = told || (e.id == a && e.finish == FinishReason::cancelled);
      EXPECT_TRUE(e.id == b || !e.token);
    }
  EXPECT_TRUE(told);
  EXPECT_EQ(s.pages_in_use(), 0);
}

TEST(Scheduler, RefusesWhatCannotFit) {
  HashModel model(kLimits);
  Scheduler s(model);
  EXPECT_THROW(s.submit(greedy({}, 1)), Error);
  EXPECT_THROW(s.submit(greedy({97}, 1)), Error);
  EXPECT_THROW(s.submit(greedy({-1}, 1)), Error);
  EXPECT_THROW(s.submit(greedy(std::vector<int32_t>(32, 1), 1)), Error);
  EXPECT_NO_THROW(s.submit(greedy(std::vector<int32_t>(31, 1), 1)));
}

}  // namespace
}  // namespace motley

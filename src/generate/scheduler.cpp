#include "generate/scheduler.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/check.h"
#include "base/error.h"

namespace motley {

std::string_view to_string(FinishReason reason) {
  constexpr std::string_view kNames[] = {"none", "stop", "length", "cancelled"};
  return kNames[static_cast<size_t>(reason)];
}

namespace {

// Puts them before the prompt, and hides their positions from whoever looks at logits. Returns how many they are.
int64_t begin_with_virtual_tokens(Request& request, const StepLimits& limits) {
  std::vector<int32_t> ids(static_cast<size_t>(limits.virtual_tokens));
  std::iota(ids.begin(), ids.end(), static_cast<int32_t>(limits.vocab));
  request.prompt.insert(request.prompt.begin(), ids.begin(), ids.end());
  if (request.on_logits)
    request.on_logits = [count = limits.virtual_tokens, inner = std::move(request.on_logits)](int64_t position, std::span<const float> logits) {
      if (position >= count) inner(position - count, logits);
    };
  return limits.virtual_tokens;
}

}  // namespace

Scheduler::Scheduler(StepRunner& runner) : runner_(runner), pages_(runner.limits().pages, runner.limits().page_tokens) {}

int64_t Scheduler::submit(Request request) {
  const StepLimits& limits = runner_.limits();
  if (request.prompt.empty()) fail(ErrorKind::usage, "generate", "the prompt is empty; give at least one token");
  for (int32_t t : request.prompt)
    if (t < 0 || t >= limits.vocab) fail(ErrorKind::usage, "generate", "the prompt holds token {}, the model's vocabulary has {}", t, limits.vocab);
  auto prompt = static_cast<int64_t>(request.prompt.size()), room = std::min(context(), limits.pages * limits.page_tokens) - limits.virtual_tokens;
  bool generates = request.max_tokens != 0;
  if (prompt + (generates ? 1 : 0) > room)
    fail(ErrorKind::usage, "generate", "the prompt has {} tokens and the context holds {}{}; shorten it or use a larger --ctx-size", prompt, room,
         generates ? ", one of them for the answer" : "");
  int64_t end = request.max_tokens < 0 ? room : std::min(room, prompt + std::min(request.max_tokens, room));
  Sampler sampler(request.sampling, request.prompt);
  if (limits.virtual_tokens > 0) end += begin_with_virtual_tokens(request, limits);
  std::vector<int32_t> tokens = request.prompt;
  waiting_.push_back({next_id_, std::move(request), std::move(sampler), std::move(tokens), 0, end, {}});
  return next_id_++;
}

void Scheduler::cancel(int64_t id) {
  auto mine = [&](const Sequence& s) { return s.id == id; };
  if (auto it = std::ranges::find_if(running_, mine); it != running_.end()) {
    finish(*it);
    running_.erase(it);
  } else if (auto w = std::ranges::find_if(waiting_, mine); w != waiting_.end()) {
    waiting_.erase(w);
  } else {
    return;
  }
  finished_.push_back({id, std::nullopt, FinishReason::cancelled});
}

void Scheduler::finish(Sequence& s) {
  for (int32_t p : s.pages) pages_.release(p);
  s.pages.clear();
}

void Scheduler::admit() {
  while (!waiting_.empty() && static_cast<int64_t>(running_.size()) < runner_.limits().sequences) {
    Sequence& s = waiting_.front();
    int64_t page = pages_.page_tokens();
    if (!s.request.on_logits) s.pages = pages_.match(s.request.prompt);
    auto reused = static_cast<int64_t>(s.pages.size());
    int64_t needed = (s.end + page - 1) / page - reused;
    if (needed > pages_.available()) {
      finish(s);
      return;
    }
    for (int64_t i = 0; i < needed; ++i) s.pages.push_back(*pages_.allocate());
    s.computed = reused * page;
    totals_.reused_tokens += s.computed;
    running_.push_back(std::move(s));
    waiting_.pop_front();
  }
}

void Scheduler::publish_full_pages(Sequence& s, int64_t before) {
  int64_t page = pages_.page_tokens();
  for (int64_t p = before / page; (p + 1) * page <= s.computed; ++p)
    pages_.publish(s.pages[static_cast<size_t>(p)], p > 0 ? std::optional(s.pages[static_cast<size_t>(p - 1)]) : std::nullopt,
                   std::span(s.tokens).subspan(static_cast<size_t>(p * page), static_cast<size_t>(page)));
}

std::vector<Event> Scheduler::step() {
  std::vector<Event> events = std::move(finished_);
  finished_.clear();
  admit();
  if (running_.empty()) return events;

  const StepLimits& limits = runner_.limits();
  StepInputs in;
  // What each sequence contributes: tokens computed..computed+count, and where its rows of logits begin.
  struct Part {
    size_t sequence;
    int64_t count, first_row, rows;
  };
  std::vector<Part> parts;
  bool any_prompt = false;
  auto add = [&](size_t index, int64_t count) {
    Sequence& s = running_[index];
    auto row = static_cast<int32_t>(parts.size());
    bool every = static_cast<bool>(s.request.on_logits);
    bool last = s.computed + count == static_cast<int64_t>(s.tokens.size());
    Part part{index, count, static_cast<int64_t>(in.rows.size()), 0};
    for (int64_t i = 0; i < count; ++i) {
      int64_t position = s.computed + i;
      if (every || (last && i == count - 1)) in.rows.push_back(static_cast<int32_t>(in.tokens.size())), ++part.rows;
      in.tokens.push_back(s.tokens[static_cast<size_t>(position)]);
      in.positions.push_back(static_cast<int32_t>(position));
      in.seq.push_back(row);
      in.slots.push_back(
          static_cast<int32_t>(s.pages[static_cast<size_t>(position / limits.page_tokens)] * limits.page_tokens + position % limits.page_tokens));
    }
    in.tables.resize(in.tables.size() + static_cast<size_t>(limits.blocks), 0);
    std::ranges::copy(s.pages, in.tables.end() - limits.blocks);
    parts.push_back(part);
  };
  auto tokens_left = [&] { return limits.tokens - static_cast<int64_t>(in.tokens.size()); };
  auto rows_left = [&] { return limits.rows - static_cast<int64_t>(in.rows.size()); };
  for (size_t i = 0; i < running_.size(); ++i)
    if (!running_[i].in_prompt() && tokens_left() > 0 && rows_left() > 0) add(i, 1);
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& s = running_[i];
    if (!s.in_prompt() || tokens_left() <= 0 || rows_left() <= 0) continue;
    int64_t count = std::min(tokens_left(), static_cast<int64_t>(s.tokens.size()) - s.computed);
    if (s.request.on_logits) count = std::min(count, rows_left());
    add(i, count);
    any_prompt = true;
    totals_.prompt_tokens += count;
  }
  check(!parts.empty(), "a step computes something");

  auto before = std::chrono::steady_clock::now();
  logits_.resize(in.rows.size() * static_cast<size_t>(limits.vocab));
  runner_.run(in, logits_);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  (any_prompt ? totals_.prompt_seconds : totals_.generate_seconds) += seconds;
  ++totals_.steps;

  auto row = [&](int64_t r) {
    return std::span<const float>(logits_).subspan(static_cast<size_t>(r * limits.vocab), static_cast<size_t>(limits.vocab));
  };
  std::vector<char> done(running_.size(), 0);
  for (const Part& part : parts) {
    Sequence& s = running_[part.sequence];
    if (s.request.on_logits)
      for (int64_t r = 0; r < part.rows; ++r) s.request.on_logits(s.computed + r, row(part.first_row + r));
    int64_t from = s.computed;
    s.computed += part.count;
    publish_full_pages(s, from);
    if (s.computed < static_cast<int64_t>(s.tokens.size())) continue;  // more of the prompt to come
    Event event{s.id, std::nullopt, FinishReason::none};
    if (static_cast<int64_t>(s.tokens.size()) < s.end) {
      event.token = s.sampler.next(row(part.first_row + part.rows - 1));
      s.tokens.push_back(event.token->token);
      ++totals_.generated_tokens;
      if (std::ranges::find(s.request.stop_tokens, event.token->token) != s.request.stop_tokens.end()) event.finish = FinishReason::stop;
    }
    if (event.finish == FinishReason::none && static_cast<int64_t>(s.tokens.size()) >= s.end) event.finish = FinishReason::length;
    done[part.sequence] = event.finish != FinishReason::none;
    events.push_back(std::move(event));
  }
  for (size_t i = running_.size(); i-- > 0;)
    if (done[i]) {
      finish(running_[i]);
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  return events;
}

}  // namespace motley

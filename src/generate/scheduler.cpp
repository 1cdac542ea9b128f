#include "generate/scheduler.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <set>

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

void check_source(const Request& request, const StepLimits& limits) {
  const auto source = static_cast<int64_t>(request.source.size());
  if (limits.source_tokens == 0) {
    if (source > 0) fail(ErrorKind::usage, "generate", "this model has no encoder to read a source with; give it all as the prompt");
    return;
  }
  const int64_t most = std::min({limits.source_tokens, limits.source_blocks * limits.page_tokens, limits.source_pages * limits.page_tokens});
  if (source < 1) fail(ErrorKind::usage, "generate", "the text to read is empty; give at least one token");
  if (source > most)
    fail(ErrorKind::usage, "generate", "the text has {} tokens and the context holds {}; shorten it or use a larger --ctx-size", source, most);
}

int32_t slot_of(const std::vector<int32_t>& pages, int64_t position, int64_t page_tokens) {
  return static_cast<int32_t>(pages[static_cast<size_t>(position / page_tokens)] * page_tokens + position % page_tokens);
}

}  // namespace

Scheduler::Scheduler(StepRunner& runner)
    : runner_(runner),
      pages_(runner.limits().pages, runner.limits().page_tokens),
      source_pages_(runner.limits().source_pages, runner.limits().page_tokens) {}

int64_t Scheduler::submit(Request request) {
  const StepLimits& limits = runner_.limits();
  if (request.prompt.empty()) fail(ErrorKind::usage, "generate", "the prompt is empty; give at least one token");
  for (const auto* tokens : {&request.source, &request.prompt})
    for (int32_t t : *tokens)
      if (t < 0 || t >= limits.vocab) fail(ErrorKind::usage, "generate", "the prompt holds token {}, the model's vocabulary has {}", t, limits.vocab);
  check_source(request, limits);
  if (request.beams.count > limits.sequences)
    fail(ErrorKind::usage, "generate", "{} beams are more than the {} sequences of the plan", request.beams.count, limits.sequences);
  if (request.beams.count > 1 && request.on_logits)
    fail(ErrorKind::usage, "generate", "logits of each position are those of one text and not of beams");
  auto prompt = static_cast<int64_t>(request.prompt.size()), room = std::min(context(), limits.pages * limits.page_tokens) - limits.virtual_tokens;
  bool generates = request.max_tokens != 0;
  if (prompt + (generates ? 1 : 0) > room)
    fail(ErrorKind::usage, "generate", "the prompt has {} tokens and the context holds {}{}; shorten it or use a larger --ctx-size", prompt, room,
         generates ? ", one of them for the answer" : "");
  int64_t end = request.max_tokens < 0 ? room : std::min(room, prompt + std::min(request.max_tokens, room));
  Sampler sampler(request.sampling, request.prompt);
  if (limits.virtual_tokens > 0) end += begin_with_virtual_tokens(request, limits);
  Sequence s{.id = next_id_,
             .request = std::move(request),
             .sampler = std::move(sampler),
             .end = end,
             .beams = {},
             .search = {},
             .pages = {},
             .source_pages = {}};
  const Request& r = s.request;
  s.beams.push_back({.tokens = r.prompt, .pages = {}});
  if (r.beams.count > 1)
    s.search.emplace(r.beams, BeamBounds{.ends = r.stop_tokens,
                                         .logit_bias = r.sampling.logit_bias,
                                         .prompt = static_cast<int64_t>(r.prompt.size()),
                                         .longest = end,
                                         .begun = r.begun,
                                         .last = r.last_token});
  waiting_.push_back(std::move(s));
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
  for (int32_t p : s.source_pages) source_pages_.release(p);
  s.pages.clear(), s.source_pages.clear();
}

int64_t Scheduler::running_beams() const {
  int64_t sum = 0;
  for (const Sequence& s : running_) sum += s.width();
  return sum;
}

// All that it will ever need; false, and it has none, when they are not there.
bool Scheduler::take_pages(Sequence& s) {
  const int64_t page = pages_.page_tokens(), of_source = (static_cast<int64_t>(s.request.source.size()) + page - 1) / page;
  Beam& first = s.beams[0];
  // Keys and values are those of a prefix and of a source.
  if (!s.request.on_logits && !reads_sources()) first.pages = s.pages = pages_.match(s.request.prompt);
  const auto reused = static_cast<int64_t>(s.pages.size()), needed = s.width() * ((s.end + page - 1) / page - reused);
  if (needed > pages_.available() || of_source > source_pages_.available()) {
    finish(s);
    first.pages.clear();
    return false;
  }
  for (int64_t i = 0; i < needed; ++i) s.pages.push_back(*pages_.allocate());
  for (int64_t i = 0; i < of_source; ++i) s.source_pages.push_back(*source_pages_.allocate());
  // The prompt's; of a text without beams all.
  const auto own = static_cast<size_t>(((s.search ? static_cast<int64_t>(first.tokens.size()) : s.end) + page - 1) / page);
  first.pages.assign(s.pages.begin(), s.pages.begin() + static_cast<std::ptrdiff_t>(own));
  first.computed = reused * page;
  totals_.reused_tokens += first.computed;
  return true;
}

void Scheduler::admit() {
  std::vector<size_t> fresh;
  while (!waiting_.empty() && running_beams() + waiting_.front().width() <= runner_.limits().sequences) {
    if (!take_pages(waiting_.front())) break;
    if (!waiting_.front().request.source.empty()) fresh.push_back(running_.size());
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  read_sources(fresh);
}

// As many together as a step holds, each whole.
void Scheduler::read_sources(std::span<const size_t> fresh) {
  const StepLimits& limits = runner_.limits();
  StepInputs in;
  auto run = [&] {
    if (in.tokens.empty()) return;
    auto before = std::chrono::steady_clock::now();
    runner_.read_sources(in);
    totals_.prompt_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    totals_.prompt_tokens += static_cast<int64_t>(in.tokens.size());
    in = {};
  };
  for (size_t index : fresh) {
    const Sequence& s = running_[index];
    const auto& source = s.request.source;
    if (static_cast<int64_t>(in.tokens.size() + source.size()) > limits.source_tokens) run();
    const int32_t number = in.seq.empty() ? 0 : in.seq.back() + 1;
    for (size_t i = 0; i < source.size(); ++i) {
      const auto position = static_cast<int64_t>(i);
      in.tokens.push_back(source[i]);
      in.positions.push_back(static_cast<int32_t>(i));
      in.seq.push_back(number);
      in.slots.push_back(slot_of(s.source_pages, position, limits.page_tokens));
    }
  }
  run();
}

void Scheduler::publish_full_pages(const Beam& b, int64_t before) {
  int64_t page = pages_.page_tokens();
  for (int64_t p = before / page; (p + 1) * page <= b.computed; ++p)
    pages_.publish(b.pages[static_cast<size_t>(p)], p > 0 ? std::optional(b.pages[static_cast<size_t>(p - 1)]) : std::nullopt,
                   std::span(b.tokens).subspan(static_cast<size_t>(p * page), static_cast<size_t>(page)));
}

void Scheduler::add_part(StepInputs& in, std::vector<Part>& parts, size_t index, size_t beam, int64_t count) const {
  const StepLimits& limits = runner_.limits();
  const Sequence& s = running_[index];
  const Beam& b = s.beams[beam];
  auto row = static_cast<int32_t>(parts.size());
  bool every = static_cast<bool>(s.request.on_logits);
  bool last = count == b.left();
  Part part{index, beam, count, static_cast<int64_t>(in.rows.size()), 0};
  for (int64_t i = 0; i < count; ++i) {
    int64_t position = b.computed + i;
    if (every || (last && i == count - 1)) in.rows.push_back(static_cast<int32_t>(in.tokens.size())), ++part.rows;
    in.tokens.push_back(b.tokens[static_cast<size_t>(position)]);
    in.positions.push_back(static_cast<int32_t>(position));
    in.seq.push_back(row);
    in.slots.push_back(slot_of(b.pages, position, limits.page_tokens));
    if (reads_sources()) in.source_last.push_back(static_cast<int32_t>(s.request.source.size()) - 1);
  }
  auto add_table = [](std::vector<int32_t>& tables, int64_t blocks, const std::vector<int32_t>& pages) {
    tables.resize(tables.size() + static_cast<size_t>(blocks), 0);
    std::ranges::copy(pages, tables.end() - blocks);
  };
  add_table(in.tables, limits.blocks, b.pages);
  if (reads_sources()) add_table(in.source_tables, limits.source_blocks, s.source_pages);
  parts.push_back(part);
}

// Texts under way first, then prompts.
std::vector<Scheduler::Part> Scheduler::fill(StepInputs& in) {
  const StepLimits& limits = runner_.limits();
  std::vector<Part> parts;
  auto tokens_left = [&] { return limits.tokens - static_cast<int64_t>(in.tokens.size()); };
  auto rows_left = [&] { return limits.rows - static_cast<int64_t>(in.rows.size()); };
  for (size_t i = 0; i < running_.size(); ++i)
    for (size_t b = 0; b < running_[i].beams.size(); ++b) {
      const int64_t left = running_[i].beams[b].left();
      if (!running_[i].in_prompt() && left > 0 && tokens_left() > 0 && rows_left() > 0) add_part(in, parts, i, b, std::min(left, tokens_left()));
    }
  for (size_t i = 0; i < running_.size(); ++i) {
    const Sequence& s = running_[i];
    if (!s.in_prompt() || tokens_left() <= 0 || rows_left() <= 0) continue;
    int64_t count = std::min(tokens_left(), s.beams[0].left());
    if (s.request.on_logits) count = std::min(count, rows_left());
    add_part(in, parts, i, 0, count);
    totals_.prompt_tokens += count;
  }
  return parts;
}

Event Scheduler::next_token(Sequence& s, std::span<const float> logits) {
  Event event{s.id, std::nullopt, FinishReason::none};
  auto& tokens = s.beams[0].tokens;
  if (static_cast<int64_t>(tokens.size()) < s.end) {
    event.token = s.sampler.next(logits);
    if (s.request.last_token && static_cast<int64_t>(tokens.size()) + 1 == s.end) event.token->token = *s.request.last_token;
    tokens.push_back(event.token->token);
    ++totals_.generated_tokens;
    if (std::ranges::find(s.request.stop_tokens, event.token->token) != s.request.stop_tokens.end()) event.finish = FinishReason::stop;
  }
  if (event.finish == FinishReason::none && static_cast<int64_t>(tokens.size()) >= s.end) event.finish = FinishReason::length;
  return event;
}

// A step of a search whose beams have all been computed.
void Scheduler::advance(Sequence& s, std::vector<Event>& events) {
  if (static_cast<int64_t>(s.beams[0].tokens.size()) >= s.end) {  // nothing was to be generated
    events.push_back({s.id, std::nullopt, FinishReason::length});
    return;
  }
  const std::vector<BeamStep> steps = s.search->advance();
  if (!steps.empty()) return fork(s, steps);
  const std::vector<int32_t>& best = s.search->best().tokens;
  for (int32_t token : best) events.push_back({s.id, Sampled{.token = token, .logprob = 0, .top = {}}, FinishReason::none});
  const bool ended = std::ranges::find(s.request.stop_tokens, best.back()) != s.request.stop_tokens.end();
  events.back().finish = ended ? FinishReason::stop : FinishReason::length;
  totals_.generated_tokens += static_cast<int64_t>(best.size());
}

// The beams that go on. The first child of a beam goes on in its pages, another shares the full ones and begins the page behind them anew.
void Scheduler::fork(Sequence& s, std::span<const BeamStep> steps) const {
  const int64_t page = pages_.page_tokens();
  std::vector<Beam> next;
  std::vector<char> has_child(s.beams.size(), 0);
  std::set<int32_t> used;
  for (const BeamStep& step : steps) {
    Beam b = s.beams[step.parent];
    if (has_child[step.parent]) {
      b.computed = b.computed / page * page;
      b.pages.resize(static_cast<size_t>(b.computed / page));
    }
    has_child[step.parent] = 1;
    b.tokens.push_back(step.token);
    used.insert(b.pages.begin(), b.pages.end());
    next.push_back(std::move(b));
  }
  auto spare = s.pages.begin();
  for (Beam& b : next)
    while (static_cast<int64_t>(b.pages.size()) * page < static_cast<int64_t>(b.tokens.size())) {
      spare = std::find_if(spare, s.pages.end(), [&](int32_t p) { return !used.contains(p); });
      check(spare != s.pages.end(), "a search has pages for all of its beams");
      b.pages.push_back(*spare++);
    }
  s.beams = std::move(next);
}

std::vector<Event> Scheduler::step() {
  std::vector<Event> events = std::move(finished_);
  finished_.clear();
  admit();
  if (running_.empty()) return events;

  const StepLimits& limits = runner_.limits();
  StepInputs in;
  const int64_t prompt_tokens = totals_.prompt_tokens;
  const std::vector<Part> parts = fill(in);
  check(!parts.empty(), "a step computes something");

  auto before = std::chrono::steady_clock::now();
  logits_.resize(in.rows.size() * static_cast<size_t>(limits.vocab));
  runner_.run(in, logits_);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  (totals_.prompt_tokens > prompt_tokens ? totals_.prompt_seconds : totals_.generate_seconds) += seconds;
  ++totals_.steps;

  auto row = [&](int64_t r) {
    return std::span<const float>(logits_).subspan(static_cast<size_t>(r * limits.vocab), static_cast<size_t>(limits.vocab));
  };
  std::vector<char> met(running_.size(), 0);
  for (const Part& part : parts) {
    Sequence& s = running_[part.sequence];
    Beam& b = s.beams[part.beam];
    if (s.request.on_logits)
      for (int64_t r = 0; r < part.rows; ++r) s.request.on_logits(b.computed + r, row(part.first_row + r));
    int64_t from = b.computed;
    b.computed += part.count;
    if (!s.search && !reads_sources()) publish_full_pages(b, from);
    if (b.left() > 0) continue;  // more of the prompt to come
    const auto logits = row(part.first_row + part.rows - 1);
    met[part.sequence] = 1;
    if (s.search)
      s.search->see(part.beam, logits);
    else
      events.push_back(next_token(s, logits));
  }
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& s = running_[i];
    if (met[i] && s.search && std::ranges::all_of(s.beams, [](const Beam& b) { return b.left() == 0; })) advance(s, events);
  }
  for (size_t i = running_.size(); i-- > 0;)
    if (std::ranges::any_of(events, [&](const Event& e) { return e.id == running_[i].id && e.finish != FinishReason::none; })) {
      finish(running_[i]);
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  return events;
}

}  // namespace motley

#include "io/dataset/batches.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"

namespace motley {
namespace {

constexpr size_t kReady = 4;   // batches made ahead
constexpr int64_t kShort = 4;  // texts of a quarter of a row on average fill rows well as they are

bool is_labelled(const Samples& samples) { return samples.label_width() > 0; }

bool is_text(const Samples& samples) { return !is_labelled(samples) && (samples.size() == 0 || samples.scored(0).empty()); }

// Positions that a sample takes. What is learned is the next token, so a text's last token needs no position of its own; a conversation
// without anything to learn within a row has none.
int64_t positions_of(const Samples& samples, int64_t i, int64_t row_length, bool whole) {
  const auto n = static_cast<int64_t>(samples.ids(i).size());
  if (is_labelled(samples) || whole) return n;
  const auto scored = samples.scored(i);
  if (scored.empty() || n < 2) return n - 1;
  const auto within = scored.subspan(1, static_cast<size_t>(std::min(n - 1, row_length)));
  return std::ranges::find(within, uint8_t{1}) == within.end() ? 0 : n - 1;
}

std::vector<int64_t> positions_of(const Samples& samples, int64_t row_length, bool whole) {
  std::vector<int64_t> out(static_cast<size_t>(samples.size()));
  for (int64_t i = 0; i < samples.size(); ++i) out[static_cast<size_t>(i)] = positions_of(samples, i, row_length, whole);
  return out;
}

// Positions of a row that one sample may have.
int64_t room(const BatchShape& s) { return s.length - static_cast<int64_t>(s.lead.size()); }

BatchShape checked(const Samples& samples, const BatchShape& s) {
  if (s.rows < 1 || s.length < 1 || s.rows > INT32_MAX / s.length)
    fail(ErrorKind::usage, "data", "a batch of {} rows of {} tokens; expected at least one of each, and fewer than 2^31 tokens", s.rows, s.length);
  if (s.samples < 0 || s.samples % s.rows != 0 || (is_labelled(samples) && s.samples == 0))
    fail(ErrorKind::usage, "data", "a batch of at most {} samples in {} rows; expected a multiple of the rows", s.samples, s.rows);
  if (room(s) < 1) fail(ErrorKind::usage, "data", "{} tokens before each sample leave no room for it in rows of {}", s.lead.size(), s.length);
  return s;
}

}  // namespace

Batches::Batches(const Samples& samples, const BatchShape& shape, uint64_t seed, bool shuffle, bool pack, Cursor from)
    : samples_(samples),
      shape_(checked(samples, shape)),
      seed_(seed),
      pieces_(positions_of(samples, room(shape), shape.whole), room(shape), is_text(samples)),
      order_shape_{.length = shape.length,
                   .lead = static_cast<int64_t>(shape.lead.size()),
                   .per_row = shape.samples / shape.rows,
                   .shuffle = shuffle,
                   .pack = pack,
                   .wrap = shape.lead.empty() && is_text(samples) && kShort * pieces_.positions() > samples.size() * shape.length},
      at_(from),
      cursor_(from) {
  if (pieces_.size() == 0)
    fail(ErrorKind::usage, "data", "none of the {} samples has anything to learn within a row of {} tokens", samples.size(), room(shape));
  enter_epoch(from.epoch);
  size_ = order_->size();
  if (from.epoch < 0 || from.next < 0 || from.next > size_)
    fail(ErrorKind::usage, "data", "cannot go on at piece {} of epoch {}: an epoch of these data has {}; are they the same as before?", from.next,
         from.epoch, size_);
  at_ = from;
  row_ = order_->rows_before(from.next);
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

Batches::~Batches() {
  thread_.request_stop();
  changed_.notify_all();
}

void Batches::enter_epoch(int64_t epoch) {
  if (!order_ || order_shape_.shuffle) order_ = std::make_unique<EpochOrder>(pieces_, order_shape_, seed_, epoch);
  at_ = {epoch, 0};
  row_ = 0;
}

void Batches::put_piece(Batch& batch, const Piece& piece, int64_t at, int64_t slot) {
  const auto ids = samples_.ids(piece.sample);
  const auto scored = samples_.scored(piece.sample);
  const bool labelled = is_labelled(samples_);
  const size_t lead = shape_.lead.size();
  const auto to = static_cast<size_t>(at) + lead, from = static_cast<size_t>(piece.begin), n = static_cast<size_t>(piece.length);
  for (size_t i = 0; i < lead; ++i) {
    batch.tokens[to - lead + i] = shape_.lead[i];
    batch.positions[to - lead + i] = static_cast<int32_t>(i);
    batch.seq[to - lead + i] = static_cast<int32_t>(batch.samples);
  }
  for (size_t i = 0; i < n; ++i) {
    batch.tokens[to + i] = ids[from + i];
    batch.positions[to + i] = static_cast<int32_t>(lead + i);
    batch.seq[to + i] = static_cast<int32_t>(batch.samples);
    const size_t next = from + i + 1;
    if (labelled || next >= ids.size() || (!scored.empty() && scored[next] == 0)) continue;
    batch.targets[to + i] = ids[next];
    ++batch.scored;
  }
  if (shape_.samples > 0) batch.first[static_cast<size_t>(slot)] = static_cast<int32_t>(at);
  if (labelled) {
    const auto labels = samples_.labels(piece.sample);
    std::ranges::copy(labels, batch.labels.begin() + slot * static_cast<int64_t>(labels.size()));
    ++batch.scored;
  }
  ++batch.samples;
}

void Batches::put_row(Batch& batch, int64_t row) {
  int64_t at = row * shape_.length;
  for (const Piece& piece : order_->row(at_.next)) {
    put_piece(batch, piece, at, batch.samples);
    at += order_shape_.lead + piece.length;
  }
}

Batches::Made Batches::make() {
  const auto n = static_cast<size_t>(shape_.rows * shape_.length), places = static_cast<size_t>(shape_.samples);
  if (at_.next == order_->size()) enter_epoch(at_.epoch + 1);
  Made made;
  Batch& b = made.batch;
  b.tokens.assign(n, 0);
  b.targets.assign(n, kNoTarget);
  b.positions.assign(n, 0);
  b.seq.assign(n, -1);
  b.first.assign(places, 0);
  b.labels.assign(places * static_cast<size_t>(samples_.label_width()), static_cast<float>(kNoTarget));
  b.first_row = row_;
  for (int64_t row = 0; row < shape_.rows; ++row) {
    if (at_.next == order_->size()) {
      if (!order_shape_.shuffle) break;
      enter_epoch(at_.epoch + 1);
    }
    put_row(b, row);
    ++row_;
  }
  made.after = at_.next == order_->size() ? Cursor{at_.epoch + 1, 0} : at_;
  return made;
}

void Batches::work(const std::stop_token& stop) {
  try {
    while (!stop.stop_requested()) {
      Made made = make();
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return ready_.size() < kReady; })) return;
      ready_.push_back(std::move(made));
      changed_.notify_all();
    }
  } catch (...) {
    std::lock_guard lock(mutex_);
    error_ = std::current_exception();
    changed_.notify_all();
  }
}

Batch Batches::next() {
  std::unique_lock lock(mutex_);
  if (ready_.empty() && !error_) {
    const auto start = std::chrono::steady_clock::now();
    changed_.wait(lock, [&] { return !ready_.empty() || error_; });
    waited_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  if (ready_.empty()) std::rethrow_exception(error_);
  Made made = std::move(ready_.front());
  ready_.pop_front();
  cursor_ = made.after;
  changed_.notify_all();
  return std::move(made.batch);
}

}  // namespace motley

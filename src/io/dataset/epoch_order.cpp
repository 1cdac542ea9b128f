#include "io/dataset/epoch_order.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <span>

#include "base/random.h"

namespace motley {
namespace {

// Streams of random numbers of an epoch: one for the samples, one for the rows.
constexpr uint64_t kSampleStream = 0x53616d70, kRowStream = 0x526f7773;

// Fisher and Yates' shuffle; draws are 64 bits wide, so that no order of any real number of samples is preferred noticeably.
template <class T>
void shuffle_with(std::span<T> values, uint64_t seed, uint64_t stream, int64_t epoch) {
  const uint64_t epoch_stream = stream ^ (static_cast<uint64_t>(epoch) << 32);
  for (size_t i = values.size(); i > 1; --i) {
    const uint64_t draw = uint64_t{philox(seed, epoch_stream, 2 * i)} << 32 | philox(seed, epoch_stream, 2 * i + 1);
    std::swap(values[i - 1], values[draw % i]);
  }
}

}  // namespace

Pieces::Pieces(std::vector<int64_t> lengths, int64_t row_length, bool split) : lengths_(std::move(lengths)), row_length_(row_length) {
  firsts_.reserve(lengths_.size() + 1);
  for (int64_t& n : lengths_) {
    if (n > row_length && !split) {
      n = row_length;
      ++cut_;
    }
    positions_ += n;
    firsts_.push_back(firsts_.back() + (n + row_length - 1) / row_length);
  }
}

Piece Pieces::operator[](int64_t i) const {
  const auto sample = std::ranges::upper_bound(firsts_, i) - firsts_.begin() - 1;
  const int64_t begin = (i - firsts_[static_cast<size_t>(sample)]) * row_length_;
  return {sample, begin, std::min(row_length_, lengths_[static_cast<size_t>(sample)] - begin)};
}

EpochOrder::EpochOrder(const Pieces& pieces, const OrderShape& shape, uint64_t seed, int64_t epoch) : pieces_(pieces), shape_(shape) {
  if (!shape.shuffle) return;
  if (shape.pack && shape.wrap) {
    wrap_rows(seed, epoch);
    return;
  }
  order_.resize(static_cast<size_t>(pieces.size()));
  std::iota(order_.begin(), order_.end(), int64_t{0});
  shuffle_with(std::span(order_), seed, kSampleStream, epoch);
  if (shape.pack) fill_rows(seed, epoch);
}

// Longest first, each into the fullest row it fits; pieces of equal length stay in their shuffled order.
void EpochOrder::fill_rows(uint64_t seed, int64_t epoch) {
  std::vector<std::vector<int64_t>> rows;
  for (size_t begin = 0; begin < order_.size(); begin += kWindow) {
    const auto window = std::span(order_).subspan(begin, std::min<size_t>(kWindow, order_.size() - begin));
    std::vector<std::pair<int64_t, int64_t>> by_length;  // (length, piece)
    for (int64_t p : window) by_length.emplace_back(pieces_[p].length + shape_.lead, p);
    std::ranges::stable_sort(by_length, [](const auto& a, const auto& b) { return a.first > b.first; });
    rows.clear();
    std::multimap<int64_t, size_t> room;  // of the rows that are not full
    for (auto [length, piece] : by_length) {
      auto fit = room.lower_bound(length);
      size_t row = rows.size();
      int64_t left = shape_.length - length;
      if (fit == room.end()) {
        rows.emplace_back();
      } else {
        row = fit->second;
        left = fit->first - length;
        room.erase(fit);
      }
      rows[row].push_back(piece);
      const bool full = left == 0 || (shape_.per_row > 0 && static_cast<int64_t>(rows[row].size()) >= shape_.per_row);
      if (!full) room.emplace(left, row);
    }
    // Otherwise the long ones would come first in each window.
    shuffle_with(std::span(rows), seed, kRowStream + begin, epoch);
    auto out = window.begin();
    for (const auto& row : rows) out = std::ranges::copy(row, out).out;
  }
}

void EpochOrder::wrap_rows(uint64_t seed, int64_t epoch) {
  const auto& lengths = pieces_.lengths();
  samples_.resize(lengths.size());
  std::iota(samples_.begin(), samples_.end(), int64_t{0});
  shuffle_with(std::span(samples_), seed, kSampleStream, epoch);
  int64_t end = 0;
  for (int64_t s : samples_) ends_.push_back(end += lengths[static_cast<size_t>(s)]);
  order_.resize(static_cast<size_t>(size()));
  std::iota(order_.begin(), order_.end(), int64_t{0});
  shuffle_with(std::span(order_), seed, kRowStream, epoch);
}

int64_t EpochOrder::size() const {
  const bool wrapped = shape_.shuffle && shape_.pack && shape_.wrap;
  return wrapped ? (pieces_.positions() + shape_.length - 1) / shape_.length : pieces_.size();
}

std::vector<Piece> EpochOrder::row(int64_t& next) const {
  std::vector<Piece> out;
  if (samples_.empty()) {
    for (const int64_t end = row_end(next); next < end; ++next) out.push_back(pieces_[at(next)]);
    return out;
  }
  int64_t from = at(next++) * shape_.length;
  const int64_t to = std::min(from + shape_.length, pieces_.positions());
  for (auto s = static_cast<size_t>(std::ranges::upper_bound(ends_, from) - ends_.begin()); from < to; ++s) {
    const int64_t begin = s == 0 ? 0 : ends_[s - 1], end = std::min(ends_[s], to);
    if (end > from) out.push_back({samples_[s], from - begin, end - from});
    from = std::max(from, end);
  }
  return out;
}

int64_t EpochOrder::row_end(int64_t next) const {
  int64_t used = 0, end = next;
  const int64_t most = !shape_.pack ? 1 : shape_.per_row > 0 ? shape_.per_row : size();
  while (end < size() && end - next < most) {
    used += pieces_[at(end)].length + shape_.lead;
    if (used > shape_.length) break;
    ++end;
  }
  return end;
}

int64_t EpochOrder::rows_before(int64_t next) const {
  if (!samples_.empty()) return next;
  int64_t rows = 0;
  for (int64_t i = 0; i < next; i = row_end(i)) ++rows;
  return rows;
}

}  // namespace motley

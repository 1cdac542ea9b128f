// The order in which an epoch shows its samples, and how they share rows. Both follow from the samples' lengths, the seed and the epoch alone:
// neither threads, nor timing, nor how many rows a batch has changes which tokens stand in which row.
//
//   Pieces pieces(lengths, 512, true);
//   EpochOrder order(pieces, {.length = 512}, seed, epoch);
//   int64_t next = 0;
//   std::vector<Piece> row = order.row(next);     // what stands in the next row; next moves on
//
// What is ordered are pieces: a sample that fits a row is one, a longer text is cut into as many as it needs. Shuffled pieces are put together so
// that rows are nearly full: best fit within windows of kWindow pieces, whose rows are shuffled again. Texts that are long beside a row would leave
// a sixth of it empty that way; with `wrap` they stand one behind the other instead and each goes on in the next row where one ends, as a model is
// usually trained, and what is ordered are the rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace motley {

struct OrderShape {
  int64_t length = 512;  // of a row
  int64_t lead = 0;      // positions that each piece takes besides its own
  int64_t per_row = 0;   // most pieces in one; 0: as many as fit
  bool shuffle = true, pack = true;
  bool wrap = false;  // with both of these
};

struct Piece {
  int64_t sample = 0, begin = 0, length = 0;  // positions of the sample
};

// Pieces of all samples, numbered one after the other.
class Pieces {
 public:
  // lengths: positions that each sample takes, 0 for one that is left out. A longer one than a row is cut into pieces where `split` says so,
  // else to its first row.
  Pieces(std::vector<int64_t> lengths, int64_t row_length, bool split);

  int64_t size() const { return firsts_.back(); }
  Piece operator[](int64_t i) const;
  const std::vector<int64_t>& lengths() const { return lengths_; }  // of the samples, as far as they are used
  int64_t positions() const { return positions_; }                  // their sum
  int64_t cut() const { return cut_; }                              // samples that were cut to a row

 private:
  std::vector<int64_t> lengths_, firsts_ = {0};  // firsts_[s]: the first piece of sample s
  int64_t row_length_;
  int64_t cut_ = 0, positions_ = 0;
};

class EpochOrder {
 public:
  static constexpr int64_t kWindow = 2048;
  EpochOrder(const Pieces& pieces, const OrderShape& shape, uint64_t seed, int64_t epoch);

  int64_t size() const;                         // pieces of the epoch, or its rows with wrap: every epoch has as many
  std::vector<Piece> row(int64_t& next) const;  // next < size()
  int64_t rows_before(int64_t next) const;      // rows before the one that begins there

 private:
  int64_t at(int64_t i) const { return order_.empty() ? i : order_[static_cast<size_t>(i)]; }
  int64_t row_end(int64_t next) const;
  void fill_rows(uint64_t seed, int64_t epoch);
  void wrap_rows(uint64_t seed, int64_t epoch);

  const Pieces& pieces_;
  OrderShape shape_;
  std::vector<int64_t> order_;           // of pieces, or rows; empty: as they come
  std::vector<int64_t> samples_, ends_;  // with wrap: the samples one behind the other, and the position where each ends
};

}  // namespace motley

// The order in which an epoch shows its samples, and how they share rows. Both follow from the samples' lengths, the seed and the epoch alone:
// neither threads, nor timing, nor how many rows a batch has changes which tokens stand in which row.
//
//   Pieces pieces(lengths, 512, true);
//   EpochOrder order(pieces, {.length = 512}, seed, epoch);
//   int64_t end = order.row_end(next);     // the pieces order[next] .. order[end - 1] share a row
//
// What is ordered are pieces: a sample that fits a row is one, a longer text is cut into as many as it needs. Shuffled pieces are then put
// together so that rows are nearly full (best fit within windows of kWindow pieces; the rows of a window are shuffled again), and the order is
// that of the rows: to find the pieces of a row it is enough to know where it begins.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace motley {

struct OrderShape {
  int64_t length = 512;  // of a row
  int64_t per_row = 0;   // most pieces in one; 0: as many as fit
  bool shuffle = true, pack = true;
};

// Pieces of all samples, numbered one after the other.
class Pieces {
 public:
  // lengths: positions that each sample takes, 0 for one that is left out. A longer one than a row is cut into pieces where `split` says so,
  // else to its first row.
  Pieces(std::vector<int64_t> lengths, int64_t row_length, bool split);

  int64_t size() const { return firsts_.back(); }
  struct Piece {
    int64_t sample, begin, length;  // positions of the sample
  };
  Piece piece(int64_t i) const;
  int64_t cut() const { return cut_; }  // samples that were cut to a row

 private:
  std::vector<int64_t> lengths_, firsts_ = {0};  // firsts_[s]: the first piece of sample s
  int64_t row_length_;
  int64_t cut_ = 0;
};

class EpochOrder {
 public:
  static constexpr int64_t kWindow = 2048;
  EpochOrder(const Pieces& pieces, const OrderShape& shape, uint64_t seed, int64_t epoch);

  int64_t size() const { return pieces_.size(); }
  int64_t operator[](int64_t i) const { return order_.empty() ? i : order_[static_cast<size_t>(i)]; }
  // The end of the row that begins with the next-th piece of the order.
  int64_t row_end(int64_t next) const;
  // Rows before the one that begins there.
  int64_t rows_before(int64_t next) const;

 private:
  void fill_rows(uint64_t seed, int64_t epoch);
  const Pieces& pieces_;
  OrderShape shape_;
  std::vector<int64_t> order_;  // empty: as they come
};

}  // namespace motley

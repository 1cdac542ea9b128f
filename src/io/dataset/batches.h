// Samples as batches for a training step, made by a thread of their own while the step before is computed.
//
//   Batches batches(samples, {.rows = 8, .length = 512}, seed, true, true);
//   for (;;) {
//     Batch batch = batches.next();                    // goes on with the next epoch by itself
//     train(batch.tokens, batch.targets, batch.positions, batch.seq);
//     save(batches.cursor());                          // resuming there gives the same batches
//   }
//
//   Batches test(samples, shape, 0, false, true);      // one pass in order, for evaluation:
//   while (test.cursor().epoch == 0) evaluate(test.next());
//
// A row holds one sample or several, one behind the other, and no sample goes beyond its row; which share a row is a matter of seed and epoch
// alone (io/dataset/epoch_order.h). Of texts each token but the first is a target once per epoch; texts longer than a row are cut into pieces, and
// where most are long, packed and shuffled ones stand one behind the other and go on in another row where one ends.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "io/dataset/epoch_order.h"
#include "io/dataset/samples.h"

namespace motley {

constexpr int32_t kNoTarget = -100;  // where no token is to be predicted, and the label of a place without a sample

struct BatchShape {
  int64_t rows = 1, length = 512;
  int64_t samples = 0;             // most samples in a batch, a multiple of rows (labelled samples); 0: any number
  std::vector<int32_t> lead = {};  // tokens that stand before each sample (each piece of a text) and are nobody's target
  bool whole = false;              // texts have their last token too: what is asked for is not the next one
};

// Always rows * length positions, row after row; what no sample fills is padding.
struct Batch {
  std::vector<int32_t> tokens;     // 0 in padding
  std::vector<int32_t> targets;    // the token to predict at each position, that is the next one of its sample; kNoTarget where nothing counts
  std::vector<int32_t> positions;  // within the sample, lead included (a text's piece begins anew); 0 in padding
  std::vector<int32_t> seq;        // which sample: 0, 1, ... within the batch; -1 in padding
  std::vector<int32_t> first;      // [shape.samples] where each sample begins; 0 where there is none
  std::vector<float> labels;       // [shape.samples][label_width]; kNoTarget where there is none
  int64_t scored = 0;              // targets that count; of labelled samples, how many there are
  int64_t samples = 0;             // samples, or pieces of texts, that are in it
  int64_t first_row = 0;           // rows of this epoch before its first (keys of dropout)
};

struct Cursor {
  int64_t epoch = 0, next = 0;  // next: of the epoch's order, which has Batches::size() entries (samples; pieces or rows of long texts)
  bool operator==(const Cursor&) const = default;
};

class Batches {
 public:
  // Error(usage) when nothing of the samples can be learned from, or shape is not one. With shuffle the last rows of an epoch share a batch
  // with the first of the next; without, an epoch's last batch ends with padding.
  Batches(const Samples& samples, const BatchShape& shape, uint64_t seed, bool shuffle, bool pack, Cursor from = {});
  ~Batches();
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  Batch next();
  Cursor cursor() const { return cursor_; }            // where the batch after the last one returned begins
  double waited_seconds() const { return waited_s_; }  // that next() had to wait for the thread

  int64_t size() const { return size_; }         // what Cursor::next counts to in an epoch
  int64_t cut() const { return pieces_.cut(); }  // samples that lose what is beyond a row

 private:
  struct Made {
    Batch batch;
    Cursor after;
  };
  void work(const std::stop_token& stop);
  Made make();
  void put_row(Batch& batch, int64_t row);
  void put_piece(Batch& batch, const Piece& piece, int64_t at, int64_t slot);
  void enter_epoch(int64_t epoch);

  const Samples samples_;
  const BatchShape shape_;
  const uint64_t seed_;
  const Pieces pieces_;
  const OrderShape order_shape_;
  int64_t size_ = 0;

  // The thread's own.
  std::unique_ptr<EpochOrder> order_;
  Cursor at_;
  int64_t row_ = 0;  // rows of the epoch before at_

  Cursor cursor_;
  double waited_s_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Made> ready_;
  std::exception_ptr error_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace motley

#include "compress/repack.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "quant/format.h"

namespace motley {
namespace {

constexpr int64_t kChunkElements = 1 << 15;  // what a worker takes at a time: fits a core's second cache in both types

void measure(const std::vector<float>& before, const std::vector<float>& after, int64_t n, Loss& loss) {
  loss.elements += n;
  for (int64_t i = 0; i < n; ++i) {
    const float x = before[static_cast<size_t>(i)], y = after[static_cast<size_t>(i)];
    if (!std::isfinite(x)) {
      ++loss.not_finite;
    } else if (!std::isfinite(y)) {
      ++loss.overflowed;
    } else {
      const double e = static_cast<double>(y) - static_cast<double>(x);
      loss.error2 += e * e;
      loss.value2 += static_cast<double>(x) * static_cast<double>(x);
    }
  }
}

}  // namespace

void Loss::add(const Loss& other) {
  elements += other.elements;
  error2 += other.error2;
  value2 += other.value2;
  not_finite += other.not_finite;
  overflowed += other.overflowed;
}

Tensor repack(const Tensor& from, Dtype to, ThreadPool& pool, Loss& loss) {
  if (from.dtype() == to) {
    loss.elements += from.size();
    return from;
  }
  const Format &in = format(from.dtype()), &out = format(to);
  const int64_t row = from.shape().empty() ? 1 : from.dim(-1), rows = row > 0 ? from.size() / row : 0;
  check(row % info(to).block == 0 && row % info(from.dtype()).block == 0, "rows are whole blocks of both types");
  const auto in_bytes = static_cast<size_t>(row_bytes(from.dtype(), row)), out_bytes = static_cast<size_t>(row_bytes(to, row));
  Tensor result = Tensor::zeros(to, from.shape());
  const int64_t grain = std::max<int64_t>(1, kChunkElements / std::max<int64_t>(row, 1)), chunks = (rows + grain - 1) / grain;
  // By chunk and summed in their order, so that the printed error does not depend on who came first.
  std::vector<Loss> losses(static_cast<size_t>(chunks));
  std::byte* const to_bytes = result.mutable_bytes();
  WorkQueue queue;
  pool.run([&](int, int workers) {
    std::vector<float> before(static_cast<size_t>(grain * row)), after(before.size());
    auto convert = [&](int64_t begin, int64_t end) {
      const int64_t n = (end - begin) * row;
      std::byte* const place = to_bytes + static_cast<size_t>(begin) * out_bytes;
      in.unpack(from.bytes() + static_cast<size_t>(begin) * in_bytes, before.data(), n);
      out.pack(before.data(), place, n);
      out.unpack(place, after.data(), n);
      measure(before, after, n, losses[static_cast<size_t>(begin / grain)]);
    };
    // A single worker is given the whole range at once, which is more than its buffers hold.
    queue.split(1, chunks, 1, workers, [&](int64_t first, int64_t last) {
      for (int64_t chunk = first; chunk < last; ++chunk) convert(chunk * grain, std::min(rows, (chunk + 1) * grain));
    });
  });
  for (const Loss& l : losses) loss.add(l);
  return result;
}

}  // namespace motley

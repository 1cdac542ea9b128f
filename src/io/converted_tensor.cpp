#include "io/converted_tensor.h"

#include <algorithm>
#include <vector>

#include "base/cores.h"
#include "base/thread_pool.h"
#include "io/gguf.h"

namespace motley {
namespace {

class ConvertedBlocks final : public ConvertedTensor {
 public:
  ConvertedBlocks(const GgufFile& file, const GgufTensor& tensor, const StoredFormat& format) : file_(file), tensor_(tensor), format_(format) {}

  Dtype dtype() const override { return format_.kept; }

  void read(std::span<std::byte> to) const override {
    const int64_t blocks = num_elements(tensor_.shape) / format_.block, kept_bytes = row_bytes(format_.kept, format_.block);
    in_parallel(blocks, (int64_t{1} << 18) / format_.block, [&](int64_t begin, int64_t end) {
      std::vector<std::byte> stored(static_cast<size_t>((end - begin) * format_.block_bytes));
      file_.read(tensor_, static_cast<uint64_t>(begin * format_.block_bytes), stored);
      keep(format_, stored.data(), to.data() + begin * kept_bytes, (end - begin) * format_.block);
    });
  }

  void drop() const override { file_.drop(tensor_); }

 private:
  const GgufFile& file_;
  const GgufTensor& tensor_;
  const StoredFormat& format_;
};

}  // namespace

std::shared_ptr<const ConvertedTensor> convert_blocks(const GgufFile& file, const GgufTensor& tensor, const StoredFormat& format) {
  return std::make_shared<ConvertedBlocks>(file, tensor, format);
}

void in_parallel(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& part) {
  const int64_t parts = (n + grain - 1) / grain;
  // Starting a thread costs as much as converting some thousand weights.
  ThreadPool pool({.threads = static_cast<int>(std::clamp<int64_t>(parts, 1, default_threads()))});
  WorkQueue queue;
  pool.run([&](int, int workers) {
    queue.split(1, parts, 1, workers, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) part(i * grain, std::min(n, (i + 1) * grain));
    });
  });
}

}  // namespace motley

// A tensor whose bytes in the file are not those that are computed with: its conversion, done anew each time it is read. Used by Checkpoint.
//
//   std::shared_ptr<const ConvertedTensor> t = convert_blocks(gguf, tensor, *find_stored_format("IQ4_XS"));
//   t->read(bytes);                // row_bytes(t->dtype(), elements), shared among the processor's cores
//
// What it reads from, a file of the checkpoint, outlives it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "quant/stored.h"
#include "tensor/dtype.h"

namespace motley {

class GgufFile;
struct GgufTensor;

class ConvertedTensor {
 public:
  virtual ~ConvertedTensor() = default;
  virtual Dtype dtype() const = 0;
  virtual void read(std::span<std::byte> to) const = 0;
  virtual void drop() const = 0;  // the file's pages are no longer needed
};

// A GGUF tensor in a format that is only read; memory beyond the result is a MiB or two per core.
std::shared_ptr<const ConvertedTensor> convert_blocks(const GgufFile& file, const GgufTensor& tensor, const StoredFormat& format);

// Calls part(begin, end) for runs of at most `grain` of 0..n, on all cores where there are enough of them. For work that is done once, while
// a model is loaded: its threads end with it.
void in_parallel(int64_t n, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& part);

}  // namespace motley

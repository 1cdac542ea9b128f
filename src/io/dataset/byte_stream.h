// The bytes of a data file from front to back, unpacked on the way where the file is gzip or zstd: told by its first bytes, whatever its name.
// A file that unpacks to far more than text ever does is refused before it fills the memory of whoever reads it.
//
//   ByteStream in(ByteSource::open("train.jsonl.zst"));
//   for (std::string_view bytes = in.ahead(); !bytes.empty(); bytes = in.ahead()) {
//     use(bytes);
//     in.skip(bytes.size());
//   }
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/byte_source.h"

namespace motley {

class ByteStream {
 public:
  // What may come out of a packed file: kFreeBytes, or kMostRatio times what was read of it so far if that is more.
  static constexpr uint64_t kFreeBytes = uint64_t{64} << 20, kMostRatio = 400;

  explicit ByteStream(ByteSource source);  // Error(file) when its beginning is damaged
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;

  // The bytes that come next, at least one until the end is reached; then none. Valid until the next call. Error(file) where the file is
  // damaged, cut short, or passes the bound.
  std::string_view ahead();
  void skip(size_t n);  // n is at most ahead().size()
  int get();            // the next byte, passed over; -1 at the end

  const std::string& path() const;
  uint64_t consumed() const;         // bytes of the file that were read, for showing progress
  uint64_t size() const;             // bytes of the file
  std::string_view packing() const;  // "gzip", "zstd", or nothing

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace motley

// Any bytes as a data file that may be packed by gzip or zstd: unpacked within the bound, or refused with an Error of kind file.
#include <cstdint>
#include <cstdlib>

#include "io/dataset/byte_stream.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  try {
    motley::ByteStream in(motley::ByteSource::from_bytes({bytes.begin(), bytes.end()}, "input"));
    uint64_t total = 0;
    for (std::string_view ahead = in.ahead(); !ahead.empty(); ahead = in.ahead()) {
      const size_t used = ahead.size() > 1 ? ahead.size() / 2 : 1;
      in.skip(used);
      total += used;
      if (total > motley::ByteStream::kFreeBytes + (1 << 20) && total / motley::ByteStream::kMostRatio > size) std::abort();
    }
    if (in.packing().empty() && total != size) std::abort();
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}

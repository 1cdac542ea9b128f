// Any bytes as a safetensors file: opened and read to the last tensor, or refused with an Error of kind file.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "io/safetensors.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  try {
    auto file = motley::SafetensorsFile::from_bytes({bytes.begin(), bytes.end()}, "input");
    uint64_t sum = 0;
    for (const auto& t : file.tensors()) {
      if (t.offset > size || t.size_bytes > size - t.offset) std::abort();
      sum += t.size_bytes;
      std::vector<std::byte> copy(t.size_bytes);
      file.read(t, copy);
      if (t.dtype() && file.load(t.name).size_bytes() != t.size_bytes) std::abort();
    }
    if (sum > size) std::abort();  // no byte belongs to two tensors
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}

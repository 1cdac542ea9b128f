// Any bytes as a GGUF file: opened and read to the last value, or refused with an Error of kind file.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "io/gguf.h"
#include "motley/error.h"

namespace {

// Calls read; an Error must be about the file.
template <class Read>
void or_refused(Read read) {
  try {
    read();
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  or_refused([&] {
    auto file = motley::GgufFile::from_bytes({bytes.begin(), bytes.end()}, "input");
    for (const auto& e : file.entries()) {
      if (file.find(e.key) != &e || file.value_bytes(e).size() != e.size_bytes) std::abort();
      or_refused([&] { file.find_string(e.key); });
      or_refused([&] { file.find_int(e.key); });
      or_refused([&] { file.find_double(e.key); });
      or_refused([&] { file.find_bool(e.key); });
      or_refused([&] { file.find_strings(e.key); });
      or_refused([&] { file.find_ints(e.key); });
      or_refused([&] { file.find_floats(e.key); });
      or_refused([&] { file.find_bools(e.key); });
    }
    for (const auto& t : file.tensors()) {
      if (file.find_tensor(t.name) != &t || t.offset > size || t.size_bytes > size - t.offset) std::abort();
      std::vector<std::byte> copy(t.size_bytes);
      file.read(t, copy);
      or_refused([&] {
        if (file.load(t.name).size_bytes() != t.size_bytes) std::abort();
      });
    }
  });
  return 0;
}

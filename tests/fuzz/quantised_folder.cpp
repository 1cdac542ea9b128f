// A config.json, a line break, and a safetensors file as a quantised Hugging Face folder: every weight that is put together from it reads as
// a type that is computed with, or the folder is refused with an Error of kind file.
#include "io/quantised_folder.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* end = std::find(data, data + size, '\n');
  const std::string_view config(reinterpret_cast<const char*>(data), static_cast<size_t>(end - data));
  auto bytes = std::as_bytes(std::span(data, size)).subspan(std::min(size, config.size() + 1));
  try {
    const auto stored = motley::read_quantisation(motley::parse_json(config, "config.json", {.max_values = 200'000}), "config.json");
    std::vector<motley::SafetensorsFile> files;
    files.push_back(motley::SafetensorsFile::from_bytes({bytes.begin(), bytes.end()}, "input"));
    for (const motley::AssembledWeight& w : motley::assemble_weights(stored, files)) {
      if (w.stored_bytes > size) std::abort();  // no byte counts twice
      const int64_t elements = motley::num_elements(w.shape);
      // Two bits or more of the file for each weight, so what becomes of it is bounded too.
      if (elements < 1 || elements > 4 * static_cast<int64_t>(size)) std::abort();
      std::vector<std::byte> weight(static_cast<size_t>(motley::row_bytes(w.how->dtype(), elements)));
      w.how->read(weight);
    }
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}

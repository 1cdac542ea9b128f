// Any bytes as config.json or generation_config.json: an object whose values are read by type, or refused with an Error of kind file.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "io/json.h"
#include "motley/error.h"

namespace {

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
  std::string_view text(reinterpret_cast<const char*>(data), size);
  or_refused([&] {
    motley::Json config = motley::parse_json(text, "config.json", {.max_values = 200'000});
    if (!config.is_object()) return;
    for (const auto& item : config.items()) {
      const std::string& key = item.key();
      or_refused([&] { motley::json_find_int(config, key.c_str(), "config.json"); });
      or_refused([&] { motley::json_find_double(config, key.c_str(), "config.json"); });
      or_refused([&] { motley::json_find_bool(config, key.c_str(), "config.json"); });
      or_refused([&] { motley::json_find_string(config, key.c_str(), "config.json"); });
    }
  });
  return 0;
}

// An adapter_config.json, a line break, and a safetensors file as an adapter's folder: it is read within its bytes, its matrices fit together, or it
// is refused with an Error of kind file.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "control/peft.h"
#include "io/json.h"
#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* end = std::find(data, data + size, '\n');
  const std::string_view config(reinterpret_cast<const char*>(data), static_cast<size_t>(end - data));
  auto bytes = std::as_bytes(std::span(data, size)).subspan(std::min(size, config.size() + 1));
  try {
    const auto json = motley::parse_json(config, "adapter_config.json", {.max_values = 200'000});
    const auto tensors = motley::SafetensorsFile::from_bytes({bytes.begin(), bytes.end()}, "input");
    const motley::PeftAdapter adapter = motley::parse_peft(json, tensors, "input");
    size_t elements = 0;
    for (const auto& [name, value] : adapter.states) elements += static_cast<size_t>(value.size());
    if (adapter.states.empty() || elements > size) std::abort();  // two bytes or more of the file for each value
    for (const std::string& module : adapter.adapter.targets)
      if (adapter.adapter.method == motley::AdapterMethod::lora)
        for (const char* matrix : {".lora_A.weight", ".lora_B.weight"})
          if (!adapter.states.contains(std::string(motley::kPeftPrefix) + module + matrix)) std::abort();
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}

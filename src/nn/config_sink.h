// A configuration on its way out, as keys and values that become config.json or GGUF metadata. A family writes here what its reading asks
// a ConfigSource for.
//
//   sink.set("use_parallel_residual", c.parallel_residual);
#pragma once
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace motley {

using ConfigValue = std::variant<std::nullptr_t, bool, int64_t, double, std::string, std::vector<bool>, std::vector<double>, std::vector<int64_t>,
                                 std::vector<std::string>>;

// The shortest decimal number that is read as this float: 1e-12 and not 9.999999960041972e-13.
inline double shortest_decimal(float x) {
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, x).ptr;
  double decimal = 0;
  std::from_chars(text, end, decimal);
  return decimal;
}

struct ConfigEntry {
  std::string key;
  ConfigValue value;
};

class ConfigSink {
 public:
  // A key set again keeps its place and takes the later value.
  void set(const std::string& key, ConfigValue value) {
    for (ConfigEntry& entry : entries_) {
      if (entry.key != key) continue;
      entry.value = std::move(value);
      return;
    }
    entries_.push_back({key, std::move(value)});
  }
  std::span<const ConfigEntry> entries() const { return entries_; }

 private:
  std::vector<ConfigEntry> entries_;
};

}  // namespace motley

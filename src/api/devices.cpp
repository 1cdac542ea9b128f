#include "api/devices.h"

#include "backends/cpu/device.h"
#include "backends/cpu/target.h"
#include "base/error.h"

namespace motley {
namespace {

struct DeviceKind {
  const char* name;
  std::unique_ptr<Device> (*open)(const DeviceWishes& wishes);
  std::vector<Target> (*list)(const DeviceWishes& wishes);
};

// A device kind: its folder in backends/ and a line here.
constexpr DeviceKind kKinds[] = {
    {"cpu", [](const DeviceWishes& w) { return make_cpu_device({.threads = w.threads, .isa = "", .pin = w.pin, .packed = w.packed}); },
     [](const DeviceWishes& w) { return std::vector<Target>{cpu_target({.threads = w.threads, .isa = "", .packed = w.packed})}; }},
};

}  // namespace

std::vector<Target> list_targets(const DeviceWishes& wishes) {
  std::vector<Target> out;
  for (const DeviceKind& kind : kKinds)
    for (Target& t : kind.list(wishes)) out.push_back(std::move(t));
  return out;
}

std::unique_ptr<Device> open_device(const std::string& name, const DeviceWishes& wishes) {
  for (const DeviceKind& kind : kKinds)
    if (name == kind.name || name == std::string(kind.name) + ":0") return kind.open(wishes);
  std::string known;
  for (const Target& t : list_targets(wishes)) known += (known.empty() ? "" : ", ") + t.name;
  fail(ErrorKind::device, "devices", "there is no device '{}' here; there are: {}", name, known);
}

}  // namespace motley

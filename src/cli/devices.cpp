// motley devices: what there is to compute with, how fast it is, and which of its instruction sets are used.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "api/device_facts.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/input.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct DevicesFlags {
  int threads = 0;
  bool json = false, probe = false, no_probe = false;
};

double giga(double n) { return n * 1e-9; }
double gib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

std::string line(std::string_view what, std::string_view text) { return fmt::format("  {:<14} {}\n", what, text); }

std::string text_of(const DeviceFacts& d) {
  const Target& t = d.target;
  std::string out = fmt::format("{}  {}\n", t.name, t.description);
  std::string threads = fmt::format("{} to compute with", t.threads);
  if (d.cores > 0)
    threads += fmt::format(" ({} cores, {} hardware threads may be used{})", d.cores, d.processors,
                           d.quota ? fmt::format(", a quota of {:.1f}", *d.quota) : "");
  out += line("threads", threads);
  out += line("memory", fmt::format("{:.2f} GiB{}", gib(t.memory_bytes),
                                    d.available_bytes > 0 ? fmt::format(", {:.2f} available now", gib(d.available_bytes)) : ""));
  out += line("kernels", fmt::format("{} in {}", t.kernels.size(), t.isa));
  if (d.read_bytes_per_second > 0) {
    out += line("reads", fmt::format("{:.1f} GB/s ({} streams, {})", giga(d.read_bytes_per_second), d.read_streams,
                                     d.read_ahead > 0 ? fmt::format("{} bytes fetched ahead", d.read_ahead) : "nothing fetched ahead"));
    out += line("multiply-adds", fmt::format("{:.0f} Gop/s in F32, {:.0f} in INT8", giga(d.f32_per_second), giga(d.int8_per_second)));
  }
  for (const InstructionSet& set : d.instruction_sets)
    out += line(&set == &d.instruction_sets.front() ? "instructions" : "",
                fmt::format("{:<12} {}", set.name, set.chosen ? "used" : "not used: " + set.refusal));
  return out;
}

OrderedJson json_of(const DeviceFacts& d) {
  const Target& t = d.target;
  OrderedJson json = {{"name", t.name},
                      {"kind", t.kind},
                      {"description", t.description},
                      {"isa", t.isa},
                      {"threads", t.threads},
                      {"cores", d.cores},
                      {"hardware_threads", d.processors},
                      {"quota", d.quota ? OrderedJson(*d.quota) : OrderedJson(nullptr)},
                      {"memory_bytes", t.memory_bytes},
                      {"available_bytes", d.available_bytes},
                      {"kernels", t.kernels.size()}};
  const bool measured = d.read_bytes_per_second > 0;
  json["read_bytes_per_s"] = measured ? OrderedJson(d.read_bytes_per_second) : OrderedJson(nullptr);
  json["f32_ops_per_s"] = measured ? OrderedJson(d.f32_per_second) : OrderedJson(nullptr);
  json["int8_ops_per_s"] = measured ? OrderedJson(d.int8_per_second) : OrderedJson(nullptr);
  json["instruction_sets"] = OrderedJson::array();
  for (const InstructionSet& set : d.instruction_sets)
    json["instruction_sets"].push_back(
        OrderedJson{{"name", set.name}, {"used", set.chosen}, {"reason", set.refusal.empty() ? OrderedJson(nullptr) : OrderedJson(set.refusal)}});
  return json;
}

int devices(const DevicesFlags& f) {
  if (f.probe && f.no_probe) fail(ErrorKind::usage, "devices", "--probe and --no-probe ask for opposite things; give one of them");
  auto depth = f.no_probe ? ProbeDepth::none : f.probe ? ProbeDepth::thorough : ProbeDepth::quick;
  std::string text;
  OrderedJson json = {{"devices", OrderedJson::array()}};
  for (const DeviceFacts& d : device_facts({.threads = f.threads}, depth)) {
    json["devices"].push_back(json_of(d));
    text += text_of(d);
  }
  if (f.json) text = json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  return write_output(text) ? 0 : static_cast<int>(ErrorKind::runtime);
}

}  // namespace

Body add_devices(CLI::App& app) {
  auto f = std::make_shared<DevicesFlags>();
  app.add_option("-t,--threads", f->threads, "threads to measure with (default: the physical cores that may be used)")->check(CLI::Range(1, 4096));
  app.add_flag("--probe", f->probe, "measure thoroughly, for some ten seconds (default: for one)");
  app.add_flag("--no-probe", f->no_probe, "measure nothing");
  app.add_flag("--json", f->json, "print one JSON object (docs/formats/devices.schema.json)");
  return [f] { return devices(*f); };
}

}  // namespace motley

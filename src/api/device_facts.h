// What a machine has to compute with, and how fast that is: `motley devices`.
//
//   for (const DeviceFacts& d : device_facts({}, ProbeDepth::quick)) show(d.target.description, d.read_bytes_per_second);
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/devices.h"

namespace motley {

struct InstructionSet {
  std::string name;
  bool chosen = false;
  std::string refusal;  // why it is not chosen
};

struct DeviceFacts {
  Target target;
  int64_t available_bytes = 0;                   // of its memory, now
  int cores = 0, processors = 0;                 // physical cores and hardware threads that may be used
  std::optional<double> quota;                   // processors' worth of time that the control group grants
  std::vector<InstructionSet> instruction_sets;  // best first
  // Measured now; 0: not asked for.
  double read_bytes_per_second = 0, f32_per_second = 0, int8_per_second = 0;
  int read_streams = 0;
  int64_t read_ahead = 0;
};

// quick takes about a second, thorough about ten: several passes over more memory.
enum class ProbeDepth { none, quick, thorough };

std::vector<DeviceFacts> device_facts(const DeviceWishes& wishes, ProbeDepth depth);

}  // namespace motley

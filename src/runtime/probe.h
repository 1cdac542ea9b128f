// The limits of a device, measured just before something is compared with them: how fast it reads memory at best, and how fast it
// multiplies and adds. A machine drifts by a tenth within the hour, so a limit from yesterday says little.
//
//   ReadProbe r = probe_read_bandwidth(device);
//   double fraction = bytes / seconds / r.bytes_per_second;
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/device.h"

namespace motley {

struct ReadProbe {
  struct Reading {
    ReadPattern pattern;
    double bytes_per_second;
  };
  std::vector<Reading> readings;  // the best of several passes for each pattern
  ReadPattern best;
  double bytes_per_second = 0;  // of the best pattern
};

// Tries 1, 4 and 8 streams by prefetch distances, `passes` times in turn. `bytes` should exceed the caches many times.
ReadProbe probe_read_bandwidth(Device& device, int64_t bytes = int64_t{1} << 30, int passes = 3);

// Operations per second, the best of several passes: f32, or int8 where activations are q8_32.
double probe_multiply_add(Device& device, ActivationFormat format, int passes = 20);

}  // namespace motley

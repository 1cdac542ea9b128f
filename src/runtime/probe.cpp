#include "runtime/probe.h"

#include <algorithm>

namespace motley {

ReadProbe probe_read_bandwidth(Device& device, int64_t bytes, int passes) {
  std::vector<ReadPattern> patterns;
  for (int streams : {1, 4, 8})
    for (int64_t ahead : {0, 512, 1024, 2048}) patterns.push_back({streams, ahead});
  ReadProbe probe;
  for (const ReadPattern& p : patterns) probe.readings.push_back({p, 0});
  for (int pass = 0; pass < passes; ++pass) {
    std::vector<double> rates = device.probe_reads(patterns, bytes);
    for (size_t i = 0; i < rates.size(); ++i) probe.readings[i].bytes_per_second = std::max(probe.readings[i].bytes_per_second, rates[i]);
  }
  for (const auto& r : probe.readings)
    if (r.bytes_per_second > probe.bytes_per_second) probe.best = r.pattern, probe.bytes_per_second = r.bytes_per_second;
  return probe;
}

double probe_multiply_add(Device& device, ActivationFormat format, int passes) {
  double best = 0;
  for (int pass = 0; pass < passes; ++pass) best = std::max(best, device.probe_multiply_adds(format));
  return best;
}

}  // namespace motley

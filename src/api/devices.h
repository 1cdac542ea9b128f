// The table of device kinds: the only place that names all backends.
//
//   std::unique_ptr<Device> device = open_device("cpu", {.threads = 2});
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "target/target.h"

namespace motley {

struct DeviceWishes {
  int threads = 0;  // CPU: 0 for as many as there are physical cores to use
  bool pin = false;
  bool packed = true;  // weights in the layouts that products read fastest; plain ones can be learned
};

// name: "cpu" or "cpu:0". Error(device) for one that is not there, listing those that are.
std::unique_ptr<Device> open_device(const std::string& name, const DeviceWishes& wishes);

// What is on this machine, without opening it.
std::vector<Target> list_targets(const DeviceWishes& wishes);

}  // namespace motley

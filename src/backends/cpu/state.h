// A state of the CPU device: bytes it owns (packed, or plain in an aligned block) or a tensor's used where it lies.
#pragma once
#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "runtime/device.h"
#include "runtime/host_memory.h"

namespace motley::cpu {

struct CpuState {
  Type type;
  std::string layout{kPlainLayout};
  HostPiece memory = {};                  // empty when the bytes are lent
  std::shared_ptr<const void> lent = {};  // keeps `data` alive then
  std::byte* data = nullptr;
  int64_t bytes = 0;
};

int64_t state_bytes(const Type& type, std::string_view layout);  // Error(usage) for a layout this device does not know

// memory: of state_bytes. Takes it as it is, zeroed or not.
CpuState zeroed_state(const Type& type, HostPiece memory);

// Whether load_state() would use the source where it lies, and needs no memory.
bool is_lent(std::string_view layout, const WeightSource& source);

// Reads the source once, in parts, and packs with all threads of the pool.
CpuState load_state(const std::string& name, const Type& type, std::string_view layout, const WeightSource& source, HostPiece memory,
                    ThreadPool& pool);

}  // namespace motley::cpu

#include "runtime/host_memory.h"

#include <sys/mman.h>

#include "base/error.h"

namespace motley {
namespace {

constexpr int64_t kHugePage = 2 << 20;

// Vector loads may read some bytes past the last element.
constexpr int64_t kMargin = 64;

}  // namespace

HostMemory::HostMemory(int64_t bytes) : size_(bytes) {
  if (bytes <= 0) {
    size_ = 0;
    return;
  }
  void* p = mmap(nullptr, static_cast<size_t>(bytes + kMargin), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail(ErrorKind::no_fit, "memory", "the system has no {} MiB left", (bytes >> 20) + 1);
  if (bytes >= kHugePage) madvise(p, static_cast<size_t>(bytes + kMargin), MADV_HUGEPAGE);  // a wish: refused where they are turned off
  data_ = static_cast<std::byte*>(p);
}

HostMemory::~HostMemory() {
  if (data_) munmap(data_, static_cast<size_t>(size_ + kMargin));
}

}  // namespace motley

#include "runtime/host_memory.h"

#include <sys/mman.h>

#include "base/error.h"

namespace motley {
namespace {

constexpr int64_t kHugePage = 2 << 20;

// Vector loads may read some bytes past the last element.
constexpr int64_t kMargin = 64;

constexpr int64_t kBlock = 64 << 20;  // of address space: what is not used is never touched

// Where the data of a mapping begins, and how much longer than the data that is. Newer kernels align by themselves, and nothing is skipped.
int64_t mapped_bytes(int64_t bytes) { return bytes + kMargin + (bytes >= kHugePage ? kHugePage : 0); }

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

}  // namespace

HostMemory::HostMemory(int64_t bytes) : size_(bytes) {
  if (bytes <= 0) {
    size_ = 0;
    return;
  }
  const int64_t mapped = mapped_bytes(bytes);
  void* p = mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail(ErrorKind::no_fit, "memory", "the system has no {} MiB left", (bytes >> 20) + 1);
  base_ = data_ = static_cast<std::byte*>(p);
  if (bytes < kHugePage) return;
  madvise(p, static_cast<size_t>(mapped), MADV_HUGEPAGE);  // a wish: refused where they are turned off
  data_ += round_up(reinterpret_cast<intptr_t>(p), kHugePage) - reinterpret_cast<intptr_t>(p);
}

HostMemory::~HostMemory() {
  if (base_) munmap(base_, static_cast<size_t>(mapped_bytes(size_)));
}

HostPiece HostBlocks::take(int64_t bytes) {
  const int64_t room = round_up(bytes + kMargin, kMargin);
  if (room > kBlock / 2) {  // large enough to be alone, and the block begun is not given up for it
    auto own = std::make_shared<const HostMemory>(room);
    std::byte* data = own->data();
    return {std::move(own), data};
  }
  if (!block_ || used_ + room > block_->size()) {
    block_ = std::make_shared<const HostMemory>(kBlock);
    used_ = 0;
  }
  HostPiece piece{block_, block_->data() + used_};
  used_ += room;
  return piece;
}

}  // namespace motley

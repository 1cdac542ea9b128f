// A block of zeroed host memory, aligned to 64 bytes and backed by huge pages where the system grants them: walking gigabytes of weights
// through 4 KiB pages costs a few per cent in address translation alone.
//
//   HostMemory m(bytes);
//   use(m.data());
//   HostBlocks blocks;             // many that stay: weights, caches
//   HostPiece w = blocks.take(n);
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace motley {

class HostMemory {
 public:
  HostMemory() = default;
  explicit HostMemory(int64_t bytes);  // Error(no_fit) when the system has none; nothing is allocated for 0
  ~HostMemory();
  HostMemory(HostMemory&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HostMemory& operator=(HostMemory&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::byte* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  std::byte* base_ = nullptr;
  std::byte* data_ = nullptr;  // on the border of a huge page where there is room for one
  int64_t size_ = 0;
};

// A piece of a block that others share: neighbours fill its huge pages together, where a mapping each would leave their ends to small ones
// (a quarter of a 1B model's weights). A block goes when its last piece does, so pieces that come and go belong elsewhere.
struct HostPiece {
  std::shared_ptr<const HostMemory> block;
  std::byte* data = nullptr;
};

class HostBlocks {
 public:
  HostPiece take(int64_t bytes);  // zeroed, aligned to 64 bytes; Error(no_fit) as above

 private:
  std::shared_ptr<const HostMemory> block_;
  int64_t used_ = 0;
};

}  // namespace motley

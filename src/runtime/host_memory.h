// A block of zeroed host memory, aligned to 64 bytes and backed by huge pages where the system grants them: walking gigabytes of weights
// through 4 KiB pages costs a few per cent in address translation alone.
//
//   HostMemory m(bytes);
//   use(m.data());
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace motley {

class HostMemory {
 public:
  HostMemory() = default;
  explicit HostMemory(int64_t bytes);  // Error(no_fit) when the system has none; nothing is allocated for 0
  ~HostMemory();
  HostMemory(HostMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HostMemory& operator=(HostMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::byte* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace motley

#include "runtime/host_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace motley {
namespace {

bool is_zeroed(const std::byte* p, int64_t n) {
  return std::all_of(p, p + n, [](std::byte b) { return b == std::byte{0}; });
}

TEST(HostMemory, LargeOnesBeginAtAHugePage) {
  HostMemory m((4 << 20) + 5);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(m.data()) % (2 << 20), 0u);
  EXPECT_TRUE(is_zeroed(m.data(), m.size()));
}

TEST(HostBlocks, PiecesAreZeroedApartAndAligned) {
  HostBlocks blocks;
  std::vector<std::pair<HostPiece, int64_t>> pieces;
  for (int64_t bytes : {1, 63, 64, 65, 1000, 3 << 20, 20 << 20, 40 << 20, 30 << 20, 100}) pieces.emplace_back(blocks.take(bytes), bytes);
  for (auto& [p, bytes] : pieces) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p.data) % 64, 0u);
    EXPECT_TRUE(is_zeroed(p.data, bytes + 64)) << bytes;  // vector loads may reach beyond the end
    std::fill_n(p.data, bytes, std::byte{1});
  }
}

TEST(HostBlocks, NeighboursShareABlockThatStaysWithThem) {
  HostPiece last;
  {
    HostBlocks blocks;
    HostPiece first = blocks.take(100), large = blocks.take(40 << 20), second = blocks.take(100);
    EXPECT_EQ(first.block, second.block);
    EXPECT_NE(first.block, large.block);
    last = second;
  }
  last.data[99] = std::byte{7};
  EXPECT_EQ(last.data[99], std::byte{7});
}

}  // namespace
}  // namespace motley

#include "base/content_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace motley {
namespace {

TEST(ContentHash, HowTheBytesArePassedMakesNoDifference) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(i * 7);
  const uint64_t whole = ContentHash().add(text).value();
  for (size_t cut = 0; cut <= text.size(); ++cut) EXPECT_EQ(ContentHash().add(text.substr(0, cut)).add(text.substr(cut)).value(), whole) << cut;
}

TEST(ContentHash, EveryByteCounts) {
  std::set<uint64_t> seen;
  std::string text(64, '\0');
  seen.insert(ContentHash().add(text).value());
  for (size_t i = 0; i < text.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = text;
      other[i] = static_cast<char>(1 << bit);
      EXPECT_TRUE(seen.insert(ContentHash().add(other).value()).second) << i << ' ' << bit;
    }
  for (size_t n = 0; n < text.size(); ++n) EXPECT_TRUE(seen.insert(ContentHash().add(text.substr(0, n)).value()).second) << n;
  EXPECT_NE(ContentHash().add_text("ab").add_text("c").value(), ContentHash().add_text("a").add_text("bc").value());
}

TEST(ContentHash, IsTheSameInEveryRun) { EXPECT_EQ(ContentHash().add("motley").value(), 5768795922709644391u); }

}  // namespace
}  // namespace motley

// A constant trie over byte strings with a number at the end of some: all prefixes of a text that are keys, in one walk.
//
//   ByteTrie trie(pairs);                               // {"ab", 7}, {"abc", 9}
//   trie.walk(text, [](size_t length, int32_t value) { ... });   // (2, 7), (3, 9) for "abcd"
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace motley::tok {

class ByteTrie {
 public:
  ByteTrie() : ByteTrie(std::vector<std::pair<std::string_view, int32_t>>{}) {}
  // Of equal keys the first stays; an empty key is left out. Values are at least 0.
  explicit ByteTrie(std::vector<std::pair<std::string_view, int32_t>> entries);

  bool empty() const { return labels_.empty(); }
  bool can_begin(char c) const { return root_[static_cast<unsigned char>(c)] != 0; }

  // found(length, value) for every prefix of text that is a key, shortest first.
  template <class F>
  void walk(std::string_view text, F&& found) const {
    if (text.empty()) return;
    uint32_t node = root_[static_cast<unsigned char>(text[0])];
    for (size_t i = 1; node != 0; ++i) {
      if (nodes_[node].value >= 0) found(i, nodes_[node].value);
      if (i == text.size()) return;
      node = child(node, static_cast<unsigned char>(text[i]));
    }
  }

  // The longest key that text begins with: {length, value}, length 0 for none.
  std::pair<size_t, int32_t> longest(std::string_view text) const {
    std::pair<size_t, int32_t> best{0, -1};
    walk(text, [&](size_t length, int32_t value) { best = {length, value}; });
    return best;
  }

 private:
  struct Node {
    uint32_t first_child = 0;  // its children are nodes in a row; labels_ holds the byte that leads to each
    uint32_t num_children = 0;
    int32_t value = -1;
  };
  uint32_t child(uint32_t node, unsigned char byte) const {
    uint32_t low = nodes_[node].first_child, high = low + nodes_[node].num_children;
    while (low < high) {
      uint32_t middle = (low + high) / 2;
      if (labels_[middle] < byte) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < nodes_[node].first_child + nodes_[node].num_children && labels_[low] == byte ? low : 0;
  }

  std::vector<Node> nodes_;
  std::vector<unsigned char> labels_;
  std::array<uint32_t, 256> root_{};
};

}  // namespace motley::tok

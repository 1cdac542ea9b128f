#include "io/tokenizer/trie.h"

#include <algorithm>

namespace motley::tok {

ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, int32_t>> entries) {
  std::erase_if(entries, [](const auto& e) { return e.first.empty(); });
  if (entries.empty()) return;
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // Breadth first: the children of a node come to lie side by side. A task is a node and the entries below it.
  struct Task {
    uint32_t node;
    size_t begin, end, depth;
  };
  nodes_.emplace_back();
  labels_.push_back(0);
  std::vector<Task> tasks{{0, 0, entries.size(), 0}}, next;
  while (!tasks.empty()) {
    next.clear();
    for (const Task& task : tasks) {
      size_t i = task.begin;
      // In sorted order the key that ends here comes first.
      if (entries[i].first.size() == task.depth) nodes_[task.node].value = entries[i].second;
      while (i < task.end && entries[i].first.size() == task.depth) ++i;
      auto first = static_cast<uint32_t>(nodes_.size());
      nodes_[task.node].first_child = first;
      while (i < task.end) {
        auto byte = static_cast<unsigned char>(entries[i].first[task.depth]);
        size_t begin = i;
        while (i < task.end && static_cast<unsigned char>(entries[i].first[task.depth]) == byte) ++i;
        next.push_back({static_cast<uint32_t>(nodes_.size()), begin, i, task.depth + 1});
        nodes_.emplace_back();
        labels_.push_back(byte);
      }
      nodes_[task.node].num_children = static_cast<uint32_t>(nodes_.size()) - first;
    }
    tasks.swap(next);
  }
  for (uint32_t k = 0; k < nodes_[0].num_children; ++k) root_[labels_[nodes_[0].first_child + k]] = nodes_[0].first_child + k;
}

}  // namespace motley::tok

#include "passes/memory.h"

#include <algorithm>
#include <map>
#include <vector>

namespace motley {
namespace {

constexpr int64_t kAlignment = 64;

// Bytes that must exist from step `first` to step `last`, and where they were put.
struct Life {
  int64_t bytes = 0;
  int first = 0, last = 0;
  int64_t offset = -1;
};

int64_t align(int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

// Largest first, each at the lowest offset that is free during its whole life.
int64_t place(std::vector<Life*> lives) {
  std::ranges::stable_sort(lives, [](const Life* a, const Life* b) { return a->bytes > b->bytes; });
  std::vector<Life*> placed;  // by offset
  int64_t top = 0;
  for (Life* life : lives) {
    int64_t at = 0;
    for (const Life* other : placed) {
      bool together = other->first <= life->last && life->first <= other->last;
      if (!together || other->offset + other->bytes <= at) continue;
      if (other->offset >= at + life->bytes) break;
      at = other->offset + other->bytes;
    }
    life->offset = at;
    top = std::max(top, at + life->bytes);
    placed.insert(std::ranges::upper_bound(placed, at, {}, &Life::offset), life);
  }
  return top;
}

}  // namespace

void plan_memory(Program& program) {
  std::map<int64_t, Life> storage;  // by the number lower() gave
  int end = static_cast<int>(program.steps.size());
  for (int s = 0; s < end; ++s) {
    auto touch = [&](int b) {
      const Buffer& buffer = program.buffers[static_cast<size_t>(b)];
      if (buffer.space != Space::arena) return;
      auto [it, fresh] = storage.try_emplace(buffer.at, Life{0, s, s, -1});
      it->second.last = s;
      it->second.bytes = std::max(it->second.bytes, align(max_bytes(buffer.type)));
    };
    for (int b : program.steps[static_cast<size_t>(s)].in) touch(b);
    for (int b : program.steps[static_cast<size_t>(s)].out) touch(b);
  }
  for (const auto& o : program.outputs)
    if (const Buffer& b = program.buffers[static_cast<size_t>(o.buffer)]; b.space == Space::arena) storage[b.at].last = end;

  std::vector<Life> scratch(program.steps.size());
  std::vector<Life*> lives;
  for (auto& [number, life] : storage) lives.push_back(&life);
  for (int s = 0; s < end; ++s) {
    int64_t bytes = program.steps[static_cast<size_t>(s)].scratch_bytes;
    if (bytes <= 0) continue;
    scratch[static_cast<size_t>(s)] = {align(bytes), s, s, -1};
    lives.push_back(&scratch[static_cast<size_t>(s)]);
  }
  program.arena_bytes = place(lives);
  for (Buffer& b : program.buffers)
    if (b.space == Space::arena) b.at = storage.contains(b.at) ? storage[b.at].offset : 0;
  for (size_t s = 0; s < scratch.size(); ++s) program.steps[s].scratch = scratch[s].offset;
}

}  // namespace motley

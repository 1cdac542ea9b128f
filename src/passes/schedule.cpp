#include "passes/schedule.h"

#include <vector>

namespace motley {
namespace {

struct Range {
  Space space;
  int64_t begin, end;
  bool overlaps(const Range& o) const { return space == o.space && begin < o.end && o.begin < end; }
};

bool any_overlap(const std::vector<Range>& a, const std::vector<Range>& b) {
  for (const Range& x : a)
    for (const Range& y : b)
      if (x.overlaps(y)) return true;
  return false;
}

}  // namespace

void place_barriers(Program& program) {
  auto range = [&](int b) -> Range {
    const Buffer& buffer = program.buffers[static_cast<size_t>(b)];
    if (buffer.space == Space::arena) return {buffer.space, buffer.at, buffer.at + max_bytes(buffer.type)};
    return {buffer.space, buffer.at, buffer.at + 1};  // a state, whole
  };
  std::vector<Range> read, written;  // since the last barrier
  for (Step& step : program.steps) {
    std::vector<Range> in, out;
    for (int b : step.in) in.push_back(range(b));
    for (int b : step.out) out.push_back(range(b));
    if (step.scratch >= 0) out.push_back({Space::arena, step.scratch, step.scratch + step.scratch_bytes});
    step.barrier = any_overlap(in, written) || any_overlap(out, written) || any_overlap(out, read);
    if (step.barrier) read.clear(), written.clear();
    read.insert(read.end(), in.begin(), in.end());
    written.insert(written.end(), out.begin(), out.end());
  }
}

}  // namespace motley

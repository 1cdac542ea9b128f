// A Program is what one device executes for one range of step sizes: a flat list of steps whose kernels, layouts and memory are decided.
// The narrow waist between the compile half, which makes it, and the run half, which knows nothing else. Its text form parses back.
//
// Every value is a Buffer. Arena buffers are ranges of one block of memory per device, planned by the memory pass; sizes are known with
// the named sizes at the Program's ceilings (max_T), so one arena serves every step. Kernels receive the real sizes.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "ir/type.h"

namespace motley {

enum class Space : uint8_t { arena, input, state, constant };

struct Buffer {
  Space space = Space::arena;
  int64_t at = 0;  // arena: byte offset (a multiple of 64); otherwise the index in inputs, states or constants
  Type type;
};

struct Step {
  std::string kernel;  // a name of the device's kernel list
  Op op;
  std::vector<int> in, out;  // indices of buffers; an updated state appears as an input and as an output with the same state index
  int64_t scratch = -1;      // byte offset in the arena, -1 when the kernel needs none
  int64_t scratch_bytes = 0;
  bool barrier = true;  // workers meet before this step because it reads or overwrites what an earlier one wrote
  std::string name;
  int block = -1;
};

struct ProgramInput {
  std::string name;
  Type type;
};
struct ProgramState {
  std::string name;
  Type type;
  std::string layout;
  bool changes = false;  // some step updates it (KV pools); otherwise a weight
};
struct ProgramConstant {
  Type type;  // f32
  std::vector<float> values;
};
struct ProgramOutput {
  std::string name;
  int buffer = -1;
};

struct Program {
  std::string device = "cpu:0";
  int64_t min_T = 1, max_T = 1;  // the steps this Program takes
  std::vector<ProgramInput> inputs;
  std::vector<ProgramState> states;
  std::vector<ProgramConstant> constants;
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<ProgramOutput> outputs;
  int64_t arena_bytes = 0;
};

std::string print(const Program& program);
Program parse_program(std::string_view text);  // Error(usage) with the line

}  // namespace motley

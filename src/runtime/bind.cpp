#include "runtime/bind.h"

#include "base/checked.h"
#include "base/error.h"

namespace motley {
namespace {

int64_t elements(const Type& type, const Sizes& sizes) {
  int64_t n = 1;
  for (const Dim& d : type.shape) n *= sizes.of(d);
  return n;
}

void check_range(const Program& program, size_t index) {
  const Buffer& b = program.buffers[index];
  auto bad = [&](size_t count, const char* what) { fail(ErrorKind::usage, "program", "buffer {} is {} {} of {}", index, what, b.at, count); };
  switch (b.space) {
    case Space::arena: {
      auto end = b.at < 0 || b.at % 64 ? std::nullopt : checked_add(b.at, max_bytes(b.type));
      if (!end || *end > program.arena_bytes)
        fail(ErrorKind::usage, "program", "buffer {} ({}) at {} does not fit the arena of {} bytes", index, to_string(b.type), b.at,
             program.arena_bytes);
      break;
    }
    case Space::input:
      if (b.at < 0 || static_cast<size_t>(b.at) >= program.inputs.size()) bad(program.inputs.size(), "input");
      break;
    case Space::state:
      if (b.at < 0 || static_cast<size_t>(b.at) >= program.states.size()) bad(program.states.size(), "state");
      if (const Type& state = program.states[static_cast<size_t>(b.at)].type; max_bytes(b.type) > max_bytes(state))
        fail(ErrorKind::usage, "program", "buffer {} ({}) is larger than the state {} it is in", index, to_string(b.type), to_string(state));
      break;
    case Space::constant:
      if (b.at < 0 || static_cast<size_t>(b.at) >= program.constants.size()) bad(program.constants.size(), "constant");
      break;
  }
}

void check_steps(const Program& program) {
  auto known = [&](int b) { return b >= 0 && static_cast<size_t>(b) < program.buffers.size(); };
  for (const Step& s : program.steps) {
    for (const auto* list : {&s.in, &s.out})
      for (int b : *list)
        if (!known(b)) fail(ErrorKind::usage, "program", "step '{}' names buffer {} of {}", s.name, b, program.buffers.size());
    if (s.scratch_bytes > 0 && (s.scratch < 0 || s.scratch % 64 || s.scratch > program.arena_bytes - s.scratch_bytes))
      fail(ErrorKind::usage, "program", "the scratch memory of step '{}' is outside the arena", s.name);
  }
  for (const ProgramOutput& o : program.outputs) {
    if (!known(o.buffer)) fail(ErrorKind::usage, "program", "output '{}' names buffer {} of {}", o.name, o.buffer, program.buffers.size());
    if (program.buffers[static_cast<size_t>(o.buffer)].type.dtype != Dtype::f32) fail(ErrorKind::usage, "program", "output '{}' is not f32", o.name);
  }
}

// The ceiling of a named size over all inputs.
void check_sizes(const Program& program, const Sizes& sizes) {
  if (sizes.T < program.min_T || sizes.T > program.max_T)
    fail(ErrorKind::usage, "run", "this Program takes {} to {} tokens, got {}", program.min_T, program.max_T, sizes.T);
  for (const Buffer& b : program.buffers)
    for (const Dim& d : b.type.shape)
      if (d.sym != Sym::none && (sizes.of(d) < 0 || sizes.of(d) > d.n))
        fail(ErrorKind::usage, "run", "this Program takes {} up to {}, got {}", static_cast<char>(d.sym), d.n, sizes.of(d));
}

}  // namespace

void check_program(const Program& program) {
  for (size_t i = 0; i < program.buffers.size(); ++i) check_range(program, i);
  for (size_t i = 0; i < program.constants.size(); ++i) {
    const ProgramConstant& c = program.constants[i];
    if (c.type.dtype != Dtype::f32 || c.values.empty() ||
        (c.values.size() != 1 && static_cast<int64_t>(c.values.size()) != max_elements(c.type.shape)))
      fail(ErrorKind::usage, "program", "constant {} has {} values for {}", i, c.values.size(), to_string(c.type));
  }
  check_steps(program);
}

void check_run(const Program& program, const Sizes& sizes, std::span<const std::span<const int32_t>> inputs,
               std::span<const std::span<float>> outputs) {
  check_sizes(program, sizes);
  if (inputs.size() != program.inputs.size())
    fail(ErrorKind::usage, "run", "the Program has {} inputs, got {}", program.inputs.size(), inputs.size());
  if (outputs.size() != program.outputs.size())
    fail(ErrorKind::usage, "run", "the Program has {} outputs, got {}", program.outputs.size(), outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (int64_t n = elements(program.inputs[i].type, sizes); static_cast<int64_t>(inputs[i].size()) != n)
      fail(ErrorKind::usage, "run", "input '{}' has {} elements, {} needs {}", program.inputs[i].name, inputs[i].size(),
           to_string(program.inputs[i].type), n);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Type& type = program.buffers[static_cast<size_t>(program.outputs[i].buffer)].type;
    if (int64_t n = elements(type, sizes); static_cast<int64_t>(outputs[i].size()) != n)
      fail(ErrorKind::usage, "run", "output '{}' has room for {} elements, {} needs {}", program.outputs[i].name, outputs[i].size(), to_string(type),
           n);
  }
}

}  // namespace motley

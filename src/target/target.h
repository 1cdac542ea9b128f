// What a device is, as the compile half sees it: its name, instruction set, sizes, and the ordered lists of kernels it has. A Target is
// data; making one opens no device, so plans and Programs can be made for machines that are elsewhere.
//
// Kernels of an op are tried in order, best first; each refusal is a sentence that `motley explain` prints.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "ir/type.h"

namespace motley {

struct Target;

// A node as a kernel's predicate sees it. layouts[i] is the layout of input i: "plain" (row-major as in the checkpoint) for all values but
// weights a device packs its own way.
struct NodeView {
  const Op& op;
  std::span<const Type> in;
  std::span<const std::string_view> layouts;
  std::span<const Type> out;
};

// Results of kernels of one numerics class have the same bits; the autotuner may reorder within a class only.
struct KernelInfo {
  const char* name;  // "matmul_q8_0"
  size_t op;         // op_index<Matmul>()
  const char* numerics;
  // "" accepts; anything else says why not ("needs AVX-512 VNNI").
  std::string (*refuse)(const NodeView& node, const Target& target);
  // Bytes of scratch memory the step needs in the arena with every size at its ceiling; null: none.
  int64_t (*scratch_bytes)(const NodeView& node, const Target& target) = nullptr;
  // The input that may lie where the first result is written, if it is of its type; -1: none. No other input may.
  int in_place = -1;
};

struct Target {
  std::string name = "cpu:0";  // the device's address in plans
  std::string kind = "cpu";
  std::string isa;          // "avx512_vnni"; what MOTLEY_ISA forces
  std::string description;  // the processor's own name
  int64_t memory_bytes = 0;
  int threads = 1;
  // Float formats whose products take at most the time of f32's.
  std::vector<Dtype> native_floats = {Dtype::f32};
  std::span<const KernelInfo> kernels;
  // The layout a weight of this type has on the device when a product reads it (one resident copy serves every reader of it).
  std::string_view (*weight_layout)(const Type& weight, const Op& product, const Target& target) = nullptr;
  // Weights that are there already, by name: Programs that are compiled later read the same copies in the layouts that they have.
  std::map<std::string, std::string, std::less<>> resident = {};
};

inline constexpr std::string_view kPlainLayout = "plain";

struct KernelChoice {
  const KernelInfo* kernel = nullptr;                         // null when every kernel refused
  std::vector<std::pair<const char*, std::string>> refusals;  // kernel name and reason, in order, of those tried before
};
KernelChoice choose_kernel(const Target& target, const NodeView& node);

}  // namespace motley

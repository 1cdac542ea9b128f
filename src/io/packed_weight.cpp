#include "io/packed_weight.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "quant/format.h"
#include "quant/from_levels.h"

namespace motley {
namespace {

constexpr int64_t kBlock = 32;            // of the types that packed weights become
constexpr int64_t kTileOutputs = 64;      // that a worker converts at a time: whole words of either packing, whole lines of the file's rows
constexpr int64_t kMostInputs = 1 << 30;  // so that a group's number fits its 32 bits
constexpr int kAwqPlace[8] = {0, 4, 1, 5, 2, 6, 3, 7};  // of the eight outputs in a word

// Number `i` of a stream of `bits`-bit numbers, whose 32-bit words are `stride` apart. A number of 3 bits may lie in two words.
int unpack_bits(const int32_t* words, int64_t stride, int bits, int64_t i) {
  const int64_t bit = i * bits, word = bit / 32, at = bit % 32;
  uint64_t two = static_cast<uint32_t>(words[word * stride]);
  if (at + bits > 32) two |= static_cast<uint64_t>(static_cast<uint32_t>(words[(word + 1) * stride])) << 32;
  return static_cast<int>(two >> at & ((uint64_t{1} << bits) - 1));
}

int unpack_awq(const int32_t* row, int64_t output) {
  return static_cast<int>(static_cast<uint32_t>(row[output / 8]) >> (4 * kAwqPlace[output % 8]) & 15);
}

[[noreturn]] void refuse(const TensorPart& part, const std::string& expected) {
  fail(ErrorKind::file, "quantised", "{}: tensor '{}' is {} of shape {}, expected {}", part.file->path(), printable(part->name), part->type->name,
       to_string(part->shape), expected);
}

void expect_words(const TensorPart& part) {
  if (part->dtype() != Dtype::i32 || part->shape.size() != 2 || part->shape[0] < 1 || part->shape[1] < 1)
    refuse(part, "I32 words in rows and columns");
}

class PackedWeight final : public ConvertedTensor {
 public:
  PackedWeight(const StoredQuantisation& stored, const PackedParts& parts, const PackedShape& shape, const PackedTraits& traits)
      : awq_(stored.method == QuantisationMethod::awq),
        bits_(stored.bits),
        zero_offset_(!awq_ && stored.zeros_less_one ? 1 : 0),
        parts_(parts),
        shape_(shape),
        dtype_(choose(stored, shape, traits)),
        exact_(is_exact(dtype_, stored, shape, traits)) {}

  Dtype dtype() const override { return dtype_; }

  void read(std::span<std::byte> to) const override {
    const Stored s{parts_.weights.words(), parts_.zeros.words(), parts_.scales.floats(), group_of_input()};
    const int64_t row = row_bytes(dtype_, shape_.inputs);
    in_parallel(shape_.outputs, kTileOutputs, [&](int64_t begin, int64_t end) {
      // The words of 32 inputs and a tile of outputs stay in the first-level cache while the outputs pass over them.
      for (int64_t i = 0; i < shape_.inputs; i += kBlock) {
        const int64_t n = std::min(kBlock, shape_.inputs - i);
        for (int64_t o = begin; o < end; ++o) write_block(s, o, i, n, to.data() + o * row + row_bytes(dtype_, i));
      }
    });
  }

  void drop() const override {
    for (const TensorPart* part : {&parts_.weights, &parts_.zeros, &parts_.scales, &parts_.groups})
      if (*part) part->drop();
  }

  static bool blocks_are_whole(const PackedShape& shape) { return shape.inputs % kBlock == 0; }

 private:
  struct Stored {
    std::vector<int32_t> words, zeros;
    std::vector<float> scales;
    std::vector<int32_t> group_of;  // each input; empty where they are in order
  };

  // The type that holds q - zero, if one does.
  static std::optional<Dtype> level_type(const StoredQuantisation& stored, const PackedTraits& traits) {
    if (stored.bits == 8) return traits.symmetric ? std::optional(Dtype::q8_0) : std::nullopt;
    // Below four bits the widest difference is 8 down and 7 up; with four it is 16 down and 15 up.
    return stored.bits < 4 || traits.symmetric ? Dtype::q4_0 : Dtype::q5_0;
  }

  static Dtype choose(const StoredQuantisation& stored, const PackedShape& shape, const PackedTraits& traits) {
    if (!blocks_are_whole(shape)) return Dtype::f16;
    if (!traits.in_order || shape.group % kBlock != 0) return Dtype::q8_0;
    return level_type(stored, traits).value_or(Dtype::q8_0);
  }

  static bool is_exact(Dtype chosen, const StoredQuantisation& stored, const PackedShape& shape, const PackedTraits& traits) {
    return blocks_are_whole(shape) && traits.in_order && shape.group % kBlock == 0 && level_type(stored, traits) == chosen;
  }

  // Empty where inputs are in order.
  std::vector<int32_t> group_of_input() const {
    if (!parts_.groups) return {};
    std::vector<int32_t> of = parts_.groups.words();
    for (size_t i = 0; i < of.size(); ++i)
      if (of[i] < 0 || of[i] >= shape_.groups)
        fail(ErrorKind::file, "quantised", "{}: '{}' puts input {} into group {}, expected 0 to {}", parts_.groups.file->path(),
             printable(parts_.groups->name), i, of[i], shape_.groups - 1);
    return of;
  }

  float scale(const Stored& s, int64_t group, int64_t output) const { return s.scales[static_cast<size_t>(group * shape_.outputs + output)]; }

  int zero(const Stored& s, int64_t group, int64_t output) const {
    const int32_t* row = s.zeros.data() + group * (shape_.outputs * bits_ / 32);
    return awq_ ? unpack_awq(row, output) : unpack_bits(row, 1, bits_, output) + zero_offset_;
  }

  // q of inputs first .. first + n of an output.
  void unpack_column(const Stored& s, int64_t output, int64_t first, int64_t n, int* q) const {
    if (awq_) {
      const int32_t* words = s.words.data() + first * (shape_.outputs / 8);
      for (int64_t j = 0; j < n; ++j) q[j] = unpack_awq(words + j * (shape_.outputs / 8), output);
    } else if (32 % bits_ == 0) {  // whole words, and 32 numbers begin with one
      const int per_word = 32 / bits_, mask = (1 << bits_) - 1;
      const int32_t* word = s.words.data() + first / per_word * shape_.outputs + output;
      for (int64_t j = 0; j < n; j += per_word, word += shape_.outputs)
        for (int i = 0; i < per_word; ++i) q[j + i] = static_cast<int>(static_cast<uint32_t>(*word) >> (bits_ * i)) & mask;
    } else {
      for (int64_t j = 0; j < n; ++j) q[j] = unpack_bits(s.words.data() + output, shape_.outputs, bits_, first + j);
    }
  }

  void write_block(const Stored& s, int64_t output, int64_t first, int64_t n, std::byte* to) const {
    int q[kBlock];
    unpack_column(s, output, first, n, q);
    if (exact_) {  // one group has them all
      const int64_t group = first / shape_.group;
      const int z = zero(s, group, output);
      int8_t levels[kBlock];
      for (int64_t j = 0; j < kBlock; ++j) levels[j] = static_cast<int8_t>(q[j] - z);
      level_writer(dtype_)(levels, scale(s, group, output), to);
      return;
    }
    float x[kBlock];
    for (int64_t j = 0; j < n; ++j) {
      const int64_t group = s.group_of.empty() ? (first + j) / shape_.group : s.group_of[static_cast<size_t>(first + j)];
      x[j] = scale(s, group, output) * static_cast<float>(q[j] - zero(s, group, output));
    }
    format(dtype_).pack(x, to, n);
  }

  bool awq_;
  int bits_, zero_offset_;
  PackedParts parts_;
  PackedShape shape_;
  Dtype dtype_;
  bool exact_;  // the levels and scales are taken over
};

}  // namespace

PackedShape check_packed(const StoredQuantisation& stored, const std::string& name, const PackedParts& parts) {
  expect_words(parts.weights);
  expect_words(parts.zeros);
  PackedShape s;
  const Shape& packed = parts.weights->shape;
  // Sizes of tensors that are in the file: their products with 32 bits fit.
  if (stored.method == QuantisationMethod::awq) {
    s.inputs = packed[0], s.outputs = packed[1] * 8;
  } else {
    if (packed[0] * 32 % stored.bits != 0) refuse(parts.weights, fmt::format("a number of rows that holds whole numbers of {} bits", stored.bits));
    s.inputs = packed[0] * 32 / stored.bits, s.outputs = packed[1];
  }
  if (s.outputs * stored.bits % 32 != 0)
    fail(ErrorKind::file, "quantised", "'{}' has {} outputs, expected a number whose zero points of {} bits fill whole words", printable(name),
         s.outputs, stored.bits);
  if (s.inputs > kMostInputs || s.outputs > kMostInputs) refuse(parts.weights, fmt::format("at most {} inputs and outputs", kMostInputs));
  s.group = stored.group == 0 ? s.inputs : std::min(stored.group, s.inputs);
  s.groups = (s.inputs + s.group - 1) / s.group;
  const Shape zeros = {s.groups, s.outputs * stored.bits / 32}, scales = {s.groups, s.outputs};
  const std::string why = fmt::format("for {} inputs in groups of {} and {} outputs, as '{}' and config.json say", s.inputs, s.group, s.outputs,
                                      printable(parts.weights->name));
  if (parts.zeros->shape != zeros) refuse(parts.zeros, fmt::format("{} {}", to_string(zeros), why));
  if (!parts.scales.has_floats() || parts.scales->shape != scales)
    refuse(parts.scales, fmt::format("F16, BF16 or F32 {} {}", to_string(scales), why));
  if (parts.groups && (parts.groups->dtype() != Dtype::i32 || parts.groups->shape != Shape{s.inputs}))
    refuse(parts.groups, fmt::format("I32 [{}], the group of each input", s.inputs));
  return s;
}

PackedTraits packed_traits(const StoredQuantisation& stored, const PackedParts& parts, const PackedShape& shape) {
  PackedTraits traits;
  const int middle = 1 << (stored.bits - 1), offset = stored.method == QuantisationMethod::gptq && stored.zeros_less_one ? 1 : 0;
  const std::vector<int32_t> zeros = parts.zeros.words();
  const int64_t words_per_row = shape.outputs * stored.bits / 32;
  for (int64_t g = 0; g < shape.groups && traits.symmetric; ++g)
    for (int64_t o = 0; o < shape.outputs && traits.symmetric; ++o)
      traits.symmetric = unpack_bits(zeros.data() + g * words_per_row, 1, stored.bits, o) + offset == middle;
  if (parts.groups) {
    const std::vector<int32_t> groups = parts.groups.words();
    for (int64_t i = 0; i < shape.inputs && traits.in_order; ++i) traits.in_order = groups[static_cast<size_t>(i)] == i / shape.group;
  }
  return traits;
}

std::shared_ptr<const ConvertedTensor> convert_packed(const StoredQuantisation& stored, const PackedParts& parts, const PackedShape& shape,
                                                      const PackedTraits& traits) {
  return std::make_shared<PackedWeight>(stored, parts, shape, traits);
}

}  // namespace motley

// Where a configuration's values come from: config.json or GGUF metadata, behind one set of questions, so that a family's reading is
// written once per form and every value is checked against a range where it is read.
//
//   config.layers = source.integer("num_hidden_layers", {1, kMaxLayers});
//   config.norm_eps = source.number("rms_norm_eps", {1e-12, 1}, 1e-6);
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"

namespace motley {

// Ceilings for numbers from files: several times what any published model has, and small enough that no product of three of them leaves
// 63 bits and that a graph of kMaxLayers layers is built in a moment.
inline constexpr int64_t kMaxLayers = 1024, kMaxWidth = 1 << 20, kMaxHeads = 1 << 14, kMaxHeadDim = 1 << 14, kMaxVocab = 1 << 24;
inline constexpr int64_t kMaxPositions = int64_t{1} << 30, kMaxExperts = 1 << 14, kMaxId = (int64_t{1} << 31) - 1;

struct IntRange {
  int64_t low, high;
};
struct NumberRange {
  double low, high;
};

class ConfigSource {
 public:
  virtual ~ConfigSource() = default;

  // Nothing when the key is absent or null; Error(file) when its value has another type.
  virtual std::optional<int64_t> find_int(const std::string& key) const = 0;
  virtual std::optional<double> find_double(const std::string& key) const = 0;
  virtual std::optional<bool> find_bool(const std::string& key) const = 0;
  virtual std::optional<std::string> find_string(const std::string& key) const = 0;
  virtual std::optional<std::vector<double>> find_doubles(const std::string& key) const = 0;
  virtual std::optional<std::vector<int64_t>> find_ints(const std::string& key) const = 0;
  virtual std::optional<std::vector<std::string>> find_strings(const std::string& key) const = 0;
  virtual std::optional<std::vector<bool>> find_bools(const std::string& key) const = 0;
  virtual bool has_tensor(const std::string& name) const = 0;  // config.json knows of none
  virtual bool is_list(const std::string& key) const = 0;
  virtual bool is_null(const std::string& key) const = 0;         // written as null, which may mean something else than absent
  virtual std::string spelled(const std::string& key) const = 0;  // the key as the file writes it, for messages
  virtual const std::string& what() const = 0;

  int64_t integer(const std::string& key, IntRange range) const;  // Error when absent
  int64_t integer(const std::string& key, IntRange range, int64_t otherwise) const;
  double number(const std::string& key, NumberRange range) const;
  double number(const std::string& key, NumberRange range, double otherwise) const;
  bool flag(const std::string& key, bool otherwise) const;
  Activation activation(const std::string& key, Activation otherwise) const;
  // One integer or a list of them, each in range; empty when absent.
  std::vector<int64_t> ids(const std::string& key) const;

  [[noreturn]] void refuse(const std::string& key, std::string_view value, std::string_view expected) const;
};

}  // namespace motley

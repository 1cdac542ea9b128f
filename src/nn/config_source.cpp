#include "nn/config_source.h"

#include "base/error.h"
#include "base/text.h"

namespace motley {

void ConfigSource::refuse(const std::string& key, std::string_view value, std::string_view expected) const {
  fail(ErrorKind::file, "config", "{}: '{}' is {}, expected {}", what(), spelled(key), printable(value), expected);
}

int64_t ConfigSource::integer(const std::string& key, IntRange range) const {
  if (!find_int(key))
    fail(ErrorKind::file, "config", "{}: '{}' is missing, expected a whole number from {} to {}", what(), spelled(key), range.low, range.high);
  return integer(key, range, 0);
}

int64_t ConfigSource::integer(const std::string& key, IntRange range, int64_t otherwise) const {
  auto value = find_int(key);
  if (!value) return otherwise;
  if (*value < range.low || *value > range.high)
    refuse(key, fmt::format("{}", *value), fmt::format("a whole number from {} to {}", range.low, range.high));
  return *value;
}

double ConfigSource::number(const std::string& key, NumberRange range) const {
  if (!find_double(key))
    fail(ErrorKind::file, "config", "{}: '{}' is missing, expected a number from {} to {}", what(), spelled(key), range.low, range.high);
  return number(key, range, 0);
}

double ConfigSource::number(const std::string& key, NumberRange range, double otherwise) const {
  auto value = find_double(key);
  if (!value) return otherwise;
  if (!(*value >= range.low && *value <= range.high))
    refuse(key, fmt::format("{}", *value), fmt::format("a number from {} to {}", range.low, range.high));
  return *value;
}

bool ConfigSource::flag(const std::string& key, bool otherwise) const { return find_bool(key).value_or(otherwise); }

Activation ConfigSource::activation(const std::string& key, Activation otherwise) const {
  auto name = find_string(key);
  if (!name) return otherwise;
  if (*name == "silu" || *name == "swish") return Activation::silu;
  if (*name == "gelu") return Activation::gelu;
  if (*name == "gelu_new" || *name == "gelu_pytorch_tanh" || *name == "gelu_fast") return Activation::gelu_tanh;
  if (*name == "relu") return Activation::relu;
  refuse(key, *name, "one of silu, gelu, gelu_new, gelu_pytorch_tanh, relu");
}

std::vector<int64_t> ConfigSource::ids(const std::string& key) const {
  std::vector<int64_t> ids;
  if (is_list(key)) {
    ids = find_ints(key).value_or(std::vector<int64_t>{});
  } else if (auto id = find_int(key)) {
    ids = {*id};
  }
  for (int64_t id : ids)
    if (id < 0 || id > kMaxId) refuse(key, fmt::format("{}", id), fmt::format("token numbers from 0 to {}", kMaxId));
  return ids;
}

}  // namespace motley

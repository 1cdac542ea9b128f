#include "train/recipe.h"

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <limits>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "base/text.h"

namespace motley {
namespace {

std::string text_of(const std::string& value) { return value; }
template <class T>
std::string text_of(const T& value) {
  return fmt::format("{}", value);
}

// A number from least to most; open: most itself is too much.
struct Range {
  std::string_view field;
  double least, most;
  bool open = false;
};

constexpr double kMany = 2147483647, kAny = std::numeric_limits<double>::max(), kTiny = std::numeric_limits<double>::denorm_min();
constexpr Range kRanges[] = {{"eval-fraction", 0, 1, true},
                             {"mlm-probability", kTiny, 1, true},
                             {"temperature", kTiny, 100},
                             {"length", 0, kMany},
                             {"epochs", kTiny, 1e6},
                             {"steps", 0, kMany},
                             {"learning-rate", 0, kAny},
                             {"warmup", -1, kMany},
                             {"floor", 0, 1},
                             {"decay", 0, 1},
                             {"beta1", 0, 1, true},
                             {"beta2", 0, 1, true},
                             {"epsilon", kTiny, 1},
                             {"weight-decay", 0, kAny},
                             {"momentum", 0, 1, true},
                             {"clip", 0, kAny},
                             {"label-smoothing", 0, 1, true},
                             {"dropout", 0, 1, true},
                             {"average", 0, 1, true},
                             {"adversarial-epsilon", kTiny, kAny},
                             {"adversarial-steps", 1, 100},
                             {"augment-copies", 1, 64},
                             {"augment-timeout", 1, kMany},
                             {"lora-rank", 0, kMany},
                             {"lora-alpha", -kAny, kAny},
                             {"lora-dropout", 0, 1, true},
                             {"prefix-tokens", 0, kMany},
                             {"bottleneck-width", 0, kMany},
                             {"eval-every", 0, kMany},
                             {"eval-batches", 0, kMany},
                             {"save-every", 0, kMany},
                             {"save-limit", 0, kMany},
                             {"patience", 0, kMany},
                             {"log-every", 0, kMany},
                             {"spike", 0, kAny},
                             {"threads", 0, 4096}};

std::string words(const Range& r) {
  const std::string least = r.least == kTiny ? "above 0" : r.least == -kAny ? "" : fmt::format("at least {:g}", r.least);
  const std::string most = r.most == kAny ? "" : fmt::format("{} {:g}", r.open ? "below" : "at most", r.most);
  if (least.empty() && most.empty()) return "a finite number";
  return least + (least.empty() || most.empty() ? "" : " and ") + most;
}

}  // namespace

void check_numbers(const TrainingRecipe& recipe) {
  for_each_field(recipe, [&](const std::string_view name, const auto& value, const char*, FieldRole) {
    using T = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      auto range = std::ranges::find(kRanges, name, &Range::field);
      if (range == std::end(kRanges)) return;
      const auto x = static_cast<double>(value);
      if (!(x >= range->least && (range->open ? x < range->most : x <= range->most)))
        fail(ErrorKind::usage, "train", "--{} should be {}, not {}", name, words(*range), value);
    }
  });
}

std::string print(const TrainingRecipe& recipe) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for_each_field(recipe, [&](const char* name, const auto& value, const char*, FieldRole) {
    std::string text = text_of(value);
    if (!text.empty()) out << YAML::Key << name << YAML::Value << text;
  });
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

TrainingRecipe parse_recipe(std::string_view text, std::string_view what) {
  YAML::Node root;
  try {
    root = YAML::Load(std::string(text));
  } catch (const YAML::Exception& e) {
    fail(ErrorKind::usage, "recipe", "{} line {}: {}", what, e.mark.line + 1, e.msg);
  }
  TrainingRecipe recipe;
  if (root.IsNull()) return recipe;
  if (!root.IsMap()) fail(ErrorKind::usage, "recipe", "{} should be a list of 'key: value' lines", what);
  std::set<std::string> seen;
  for (const auto& entry : root) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "", value = entry.second.IsScalar() ? entry.second.Scalar() : "";
    const int line = entry.first.Mark().line + 1;
    if (!entry.second.IsScalar() && !entry.second.IsNull())
      fail(ErrorKind::usage, "recipe", "{} line {}: '{}' should be one value, not a {}", what, line, printable(key),
           entry.second.IsMap() ? "group of keys" : "list");
    if (!seen.insert(key).second) fail(ErrorKind::usage, "recipe", "{} line {}: '{}' is there twice; which of both?", what, line, printable(key));
    bool known = false;
    std::vector<std::string_view> names;
    for_each_field(recipe, [&](const char* name, auto& field, const char*, FieldRole) {
      names.emplace_back(name);
      if (key != name) return;
      known = true;
      using T = std::remove_reference_t<decltype(field)>;
      if constexpr (std::is_same_v<T, std::string>) {
        field = value;
      } else {
        std::optional<T> number;
        if constexpr (std::is_same_v<T, double>)
          number = parse_double(value);
        else if constexpr (std::is_same_v<T, bool>)
          number = value == "true" || value == "false" ? std::optional(value == "true") : std::nullopt;
        else
          number = parse_int(value);
        if (!number)
          fail(ErrorKind::usage, "recipe", "{} line {}: '{}' should be {}, not '{}'", what, line, key,
               std::is_same_v<T, bool> ? "true or false" : "a number", printable(value));
        field = *number;
      }
    });
    if (known) continue;
    auto meant = nearest(key, names);
    fail(ErrorKind::usage, "recipe", "{} line {}: unknown key '{}'{}", what, line, printable(key),
         meant ? fmt::format(", did you mean '{}'?", *meant) : "");
  }
  return recipe;
}

size_t choice_of(const char* field, const std::string& value, std::span<const std::string_view> among) {
  auto it = std::ranges::find(among, value);
  if (it != among.end()) return static_cast<size_t>(it - among.begin());
  auto meant = nearest(value, among);
  std::string all;
  for (std::string_view name : among) all += fmt::format("{}{}", all.empty() ? "" : ", ", name);
  fail(ErrorKind::usage, "train", "there is no {} '{}'; {}", field, printable(value),
       meant ? fmt::format("did you mean '{}'?", *meant) : fmt::format("there are: {}", all));
}

std::vector<std::string> differences(const TrainingRecipe& before, const TrainingRecipe& now) {
  std::vector<std::string> old_values, out;
  for_each_field(before, [&](const char*, const auto& value, const char*, FieldRole) { old_values.push_back(text_of(value)); });
  size_t i = 0;
  for_each_field(now, [&](const char* name, const auto& value, const char*, FieldRole role) {
    const std::string &old = old_values[i++], text = text_of(value);
    if (role == FieldRole::result && old != text) out.push_back(fmt::format("{} was '{}' and is '{}'", name, old, text));
  });
  return out;
}

}  // namespace motley

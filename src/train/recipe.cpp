#include "train/recipe.h"

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
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

}  // namespace

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
  for (const auto& entry : root) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "", value = entry.second.IsScalar() ? entry.second.Scalar() : "";
    const int line = entry.first.Mark().line + 1;
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

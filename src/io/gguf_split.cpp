#include "io/gguf_split.h"

#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace motley {

std::optional<GgufSplitName> parse_gguf_split_name(std::string_view name) {
  constexpr std::string_view kEnding = "-00001-of-00002.gguf";
  if (name.size() <= kEnding.size()) return std::nullopt;
  std::string_view ending = name.substr(name.size() - kEnding.size());
  auto digits = [](std::string_view s) { return s.find_first_not_of("0123456789") == s.npos; };
  std::string_view part = ending.substr(1, 5), count = ending.substr(10, 5);
  if (ending[0] != '-' || ending.substr(6, 4) != "-of-" || ending.substr(15) != ".gguf" || !digits(part) || !digits(count)) return std::nullopt;
  auto p = *parse_int(part), c = *parse_int(count);
  if (p < 1 || p > c) return std::nullopt;
  return GgufSplitName{name.substr(0, name.size() - kEnding.size()), static_cast<int>(p), static_cast<int>(c)};
}

std::vector<GgufFile> open_gguf_parts(const std::string& path) {
  std::vector<GgufFile> parts;
  parts.push_back(GgufFile::open(path));
  int64_t count = parts[0].find_int("split.count").value_or(1);
  if (count <= 1) return parts;
  std::string file_name = std::filesystem::path(path).filename().string();
  auto split = parse_gguf_split_name(file_name);
  if (!split || split->count != count) {
    fail(ErrorKind::file, "gguf",
         "{} is one of {} parts (metadata 'split.count'), but its name does not end in -00001-of-{:05}.gguf, so the others cannot be found. Give the "
         "parts their original names",
         path, count, count);
  }
  parts.clear();
  std::map<std::string_view, std::string_view> home;
  for (int i = 1; i <= split->count; ++i) {
    auto part_path = std::filesystem::path(path).replace_filename(fmt::format("{}-{:05}-of-{:05}.gguf", split->prefix, i, split->count)).string();
    if (!file_exists(part_path)) fail(ErrorKind::file, "gguf", "{} is missing: the model has {} parts. Download it too", part_path, split->count);
    parts.push_back(GgufFile::open(part_path));
    const auto& part = parts.back();
    auto number = part.find_int("split.no");
    if (part.find_int("split.count") != count || number != i - 1) {
      fail(ErrorKind::file, "gguf",
           "{} says that it is part {} of {} (metadata 'split.no', 'split.count'), its name says {} of {}. Are all parts from the same download?",
           part_path, number.value_or(-1) + 1, part.find_int("split.count").value_or(1), i, count);
    }
  }
  size_t total = 0;
  for (const auto& part : parts) {
    total += part.tensors().size();
    for (const auto& t : part.tensors()) {
      auto [it, fresh] = home.emplace(t.name, part.path());
      if (!fresh) fail(ErrorKind::file, "gguf", "tensor '{}' is both in {} and in {}", printable(t.name), it->second, part.path());
    }
  }
  auto announced = parts[0].find_int("split.tensors.count");
  if (announced && *announced != static_cast<int64_t>(total)) {
    fail(ErrorKind::file, "gguf", "{}: metadata 'split.tensors.count' says {} tensors, the {} parts have {}", parts[0].path(), *announced, count,
         total);
  }
  return parts;
}

}  // namespace motley

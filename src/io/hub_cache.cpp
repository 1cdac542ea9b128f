#include "io/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"

namespace motley {
namespace {

constexpr uint64_t kMaxRefBytes = 256;

// The value of a variable that names a folder, with a leading ~ as the shell means it; empty when unset.
std::string folder_variable(const char* variable) {
  const char* value = std::getenv(variable);
  if (!value || !*value) return "";
  std::string folder = value;
  if (folder != "~" && !folder.starts_with("~/")) return folder;
  const char* home = std::getenv("HOME");
  return home && *home ? home + folder.substr(1) : "";
}

}  // namespace

std::string hub_cache_folder() {
  auto below = [](const std::string& folder, const char* rest) { return (std::filesystem::path(folder) / rest).string(); };
  if (auto cache = folder_variable("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (auto home = folder_variable("HF_HOME"); !home.empty()) return below(home, "hub");
  if (auto cache = folder_variable("XDG_CACHE_HOME"); !cache.empty()) return below(cache, "huggingface/hub");
  if (auto home = folder_variable("HOME"); !home.empty()) return below(home, ".cache/huggingface/hub");
  return "";
}

bool is_hub_name(std::string_view name) {
  auto parts = split(name, '/');
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; };
  return parts.size() <= 2 && name.size() <= 200 && name.find("..") == name.npos && name.find("--") == name.npos &&
         std::all_of(parts.begin(), parts.end(),
                     [&](std::string_view p) { return !p.empty() && p[0] != '.' && p[0] != '-' && std::all_of(p.begin(), p.end(), plain); });
}

std::optional<std::string> find_in_cache(std::string_view name) {
  std::string cache = hub_cache_folder();
  if (cache.empty() || !is_hub_name(name)) return std::nullopt;
  std::string folder = "models--";
  for (char c : name) folder += c == '/' ? "--" : std::string(1, c);
  auto repository = std::filesystem::path(cache) / folder;
  auto ref = (repository / "refs" / "main").string();
  if (!file_exists(ref)) return std::nullopt;
  std::string text = read_file(ref, kMaxRefBytes);
  std::string_view commit = trim(text);
  bool is_commit = commit.size() == 40 && commit.find_first_not_of("0123456789abcdef") == commit.npos;  // a path would lead elsewhere
  auto snapshot = (repository / "snapshots" / commit).string();
  if (!is_commit || !folder_exists(snapshot)) return std::nullopt;
  return snapshot;
}

}  // namespace motley

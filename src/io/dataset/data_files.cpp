#include "io/dataset/data_files.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 10> kExtensions = {"txt", "text", "md", "jsonl", "ndjson", "json", "csv", "tsv", "tokens", "tok"};

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> out;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (!it->path().filename().string().starts_with('.')) out.push_back(it->path());
  if (error) fail(ErrorKind::file, "data", "cannot list {}: {}", folder.string(), error.message());
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> text_files(const fs::path& folder) {
  std::vector<std::string> out;
  for (const fs::path& p : entries(folder))
    if (data_extension(p.string()) == "txt" && file_exists(p)) out.push_back(p);
  return out;
}

std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> out;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc; ++i)
      if (file_exists(found.gl_pathv[i])) out.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  return out;
}

}  // namespace

std::string data_extension(std::string_view path) {
  std::string name = lower_ascii(path.substr(path.rfind('/') + 1));
  for (std::string_view packed : {".gz", ".zst"})
    if (name.ends_with(packed)) name.resize(name.size() - packed.size());
  const size_t dot = name.rfind('.');
  return dot == name.npos ? "" : name.substr(dot + 1);
}

std::vector<std::string> find_data_files(const std::string& path) {
  if (file_exists(path)) return {path};
  if (folder_exists(path)) {
    std::vector<std::string> out;
    for (const fs::path& p : entries(path))
      if (std::ranges::find(kExtensions, data_extension(p.string())) != kExtensions.end() && file_exists(p)) out.push_back(p);
    if (out.empty())
      fail(ErrorKind::file, "data", "{} holds no data files; expected names that end in .txt, .jsonl, .json, .csv or .tsv (perhaps .gz or .zst)",
           path);
    return out;
  }
  if (path.find_first_of("*?[") != path.npos) {
    auto out = matches(path);
    if (out.empty()) fail(ErrorKind::file, "data", "no file is called {}", path);
    return out;
  }
  fail(ErrorKind::file, "data", "there is no file or folder {}", path);
}

std::vector<std::pair<std::string, std::vector<std::string>>> find_class_folders(const std::string& path, const std::string& part) {
  if (!folder_exists(path)) return {};
  const fs::path inner = fs::path(path) / part;
  const fs::path root = !part.empty() && folder_exists(inner) ? inner : fs::path(path);
  std::vector<std::pair<std::string, std::vector<std::string>>> out;
  for (const fs::path& p : entries(root)) {
    if (!folder_exists(p) || p.filename() == "unsup") continue;
    if (auto files = text_files(p); !files.empty()) out.emplace_back(p.filename(), std::move(files));
  }
  if (out.size() < 2) out.clear();
  return out;
}

}  // namespace motley

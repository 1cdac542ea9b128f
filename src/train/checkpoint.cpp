#include "train/checkpoint.h"

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "MANIFEST.json";
constexpr std::string_view kPrefix = "checkpoint-";
constexpr uint64_t kMaxManifestBytes = 1 << 20;

// Paths below `folder`, sorted.
std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out.push_back(fs::relative(entry.path(), folder).string());
  std::ranges::sort(out);
  return out;
}

std::optional<std::string> compare(const std::string& checkpoint, const Json& manifest) {
  if (!manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_array()) return "its MANIFEST.json lists no files";
  for (const Json& f : manifest["files"]) {
    const std::string name = json_string(f, "name", kManifest), path = checkpoint + "/" + name;
    if (fs::path(name).is_absolute() || name.find("..") != std::string::npos) return fmt::format("its MANIFEST.json names '{}'", printable(name));
    if (!file_exists(path)) return fmt::format("{} is missing", name);
    const auto size = static_cast<int64_t>(fs::file_size(path));
    if (size != json_int(f, "bytes", kManifest)) return fmt::format("{} has {} bytes, not {}", name, size, json_int(f, "bytes", kManifest));
    if (file_digest(path) != json_string(f, "hash", kManifest)) return fmt::format("{} is not what was written: its digest differs", name);
  }
  return std::nullopt;
}

}  // namespace

void CheckpointWriter::commit(int64_t step) {
  const std::string folder = folder_.file("");
  Json files = Json::array();
  for (const std::string& name : files_below(folder)) {
    const std::string path = folder_.file(name);
    files.push_back({{"name", name}, {"bytes", fs::file_size(path)}, {"hash", file_digest(path)}});
  }
  folder_.write(kManifest, Json{{"step", step}, {"files", files}}.dump(1) + "\n");
  folder_.commit();
}

std::string checkpoint_path(const std::string& output, int64_t step) { return fmt::format("{}/{}{}", output, kPrefix, step); }

std::vector<FoundCheckpoint> find_checkpoints(const std::string& output) {
  std::vector<FoundCheckpoint> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(output, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    if (auto step = parse_int(std::string_view(name).substr(kPrefix.size()))) out.push_back({entry.path(), *step});
  }
  std::ranges::sort(out, std::ranges::greater{}, &FoundCheckpoint::step);
  return out;
}

std::optional<std::string> problem_of(const std::string& checkpoint) {
  const std::string path = checkpoint + "/" + kManifest;
  if (!file_exists(path)) return "it has no MANIFEST.json";
  try {
    return compare(checkpoint, parse_json(read_file(path, kMaxManifestBytes), path));
  } catch (const std::exception& e) {  // of ours, or of the file system
    return e.what();
  }
}

void prune_checkpoints(const std::string& output, int64_t keep, int64_t best) {
  std::error_code error;
  int64_t kept = 0;
  for (const FoundCheckpoint& c : find_checkpoints(output)) {
    if (c.step == best || kept++ < keep) continue;
    fs::remove(c.path + "/" + kManifest, error);  // first, so that a half-removed one is none
    fs::remove_all(c.path, error);
  }
  for (const auto& entry : fs::directory_iterator(output, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(kPrefix) && name.find(".tmp-") != std::string::npos) fs::remove_all(entry.path(), error);
  }
}

}  // namespace motley

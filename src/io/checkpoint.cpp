#include "io/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/converted_tensor.h"
#include "io/embedded_model.h"
#include "io/file_kind.h"
#include "io/gguf.h"
#include "io/gguf_split.h"
#include "io/json.h"
#include "io/quantisation_config.h"
#include "io/quantised_folder.h"
#include "io/safetensors.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 4 << 20;
constexpr JsonLimits kConfigLimits{.max_values = 200'000};
constexpr size_t kMaxListedNames = 4096;

// The names in a folder, sorted; a folder with more than kMaxListedNames shows some of them.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && names.size() < kMaxListedNames; it.increment(error))
    names.push_back(it->path().filename().string());
  if (error) fail(ErrorKind::file, "open", "cannot list the folder {}: {}", folder, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

// Names the part of the path that is missing, and what in its place looks like it.
[[noreturn]] void fail_missing(const std::string& path) {
  fs::path missing = fs::path(path).lexically_normal();
  if (!missing.has_filename()) missing = missing.parent_path();
  fs::path parent = missing.parent_path();
  std::error_code error;
  while (!parent.empty() && parent != missing && !fs::exists(parent, error)) missing = parent, parent = missing.parent_path();
  std::string folder = parent.empty() ? "." : parent.string(), hint;
  if (folder_exists(folder)) {
    auto names = names_in(folder);
    std::vector<std::string_view> candidates(names.begin(), names.end());
    std::string wanted = missing.filename().string();
    if (auto near = nearest(wanted, candidates)) hint = fmt::format(" Did you mean {}?", (parent / *near).string());
  }
  if (missing == fs::path(path)) fail(ErrorKind::file, "open", "there is no file or folder {}.{}", path, hint);
  fail(ErrorKind::file, "open", "there is no {}: {} does not exist.{}", path, missing.string(), hint);
}

Json read_config(const std::string& path) {
  Json config = parse_json(read_file(path, kMaxConfigBytes), path, kConfigLimits);
  if (!config.is_object()) fail(ErrorKind::file, "open", "{} should hold a JSON object, found {}", path, config.type_name());
  return config;
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](auto e) { return name.ends_with(e); });
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 5; ++i) out += (i ? ", " : "") + names[i];
  return names.size() > 5 ? fmt::format("{} and {} more", out, names.size() - 5) : out;
}

}  // namespace

struct Checkpoint::Content {
  CheckpointFormat format = CheckpointFormat::hf;
  std::string path, folder;
  Json config, generation_config;
  std::vector<GgufFile> ggufs;  // one of these two holds the tensors, or neither
  std::vector<SafetensorsFile> shards;
  std::vector<AssembledWeight> assembled;  // of several tensors

  struct Place {
    uint32_t file, tensor;
    std::shared_ptr<const ConvertedTensor> converted;  // null: as it lies in the file
  };
  std::vector<CheckpointTensor> tensors;
  std::vector<Place> places;
  std::vector<uint32_t> by_name;

  void open_folder(const std::string& folder_path);
  void open_gguf(const std::string& file);
  void open_configs();
  void index_tensors();
  void convert_last(std::shared_ptr<const ConvertedTensor> how);
  const CheckpointTensor* find(std::string_view name) const;
  const Place& place(std::string_view name) const;
};

void Checkpoint::Content::open_folder(const std::string& folder_path) {
  path = folder = folder_path;
  auto names = names_in(folder);
  auto in_folder = [&](std::string_view name) { return (fs::path(folder) / name).string(); };
  auto has = [&](std::string_view name) { return file_exists(in_folder(name)); };
  auto those = [&](auto wanted) {
    std::vector<std::string> out;
    for (const auto& n : names)
      if (wanted(n)) out.push_back(n);
    return out;
  };
  auto safetensors = those([](const std::string& n) { return n.ends_with(".safetensors"); });
  auto gguf_names = those([](const std::string& n) {
    auto split = parse_gguf_split_name(n);
    return n.ends_with(".gguf") && !n.starts_with("mmproj") && (!split || split->part == 1);  // mmproj: the image encoder that some models bring
  });
  if (!safetensors.empty()) {
    if (!has("config.json"))
      fail(ErrorKind::file, "open", "{} has {} but no config.json, which says what the weights mean. Download that too", folder, listed(safetensors));
    open_configs();
    if (has("model.safetensors")) {
      shards.push_back(SafetensorsFile::open(in_folder("model.safetensors")));
    } else if (has("model.safetensors.index.json")) {
      shards = open_safetensors_index(in_folder("model.safetensors.index.json"));
    } else if (safetensors.size() == 1) {
      shards.push_back(SafetensorsFile::open(in_folder(safetensors[0])));
    } else {
      fail(ErrorKind::file, "open",
           "{} has {} but no model.safetensors.index.json that says how they belong together. Download that too, or name one file", folder,
           listed(safetensors));
    }
    return;
  }
  if (gguf_names.size() == 1) return open_gguf(in_folder(gguf_names[0]));
  if (!gguf_names.empty()) fail(ErrorKind::file, "open", "{} has several GGUF files: {}. Name one of them", folder, listed(gguf_names));
  auto pickles = those([](const std::string& n) { return ends_with_any(n, {".bin", ".bin.index.json", ".pt", ".pth", ".ckpt"}); });
  for (const auto& n : pickles) {
    if (!n.ends_with(".json")) fail(ErrorKind::file, "open", "{} {}", in_folder(n), describe(file_kind(in_folder(n))));
  }
  if (!has("config.json")) {
    auto subfolders = those([&](const std::string& n) { return file_exists(in_folder(n + "/config.json")); });
    std::string hint = subfolders.empty() ? "" : fmt::format(" Did you mean {}?", in_folder(subfolders[0]));
    fail(ErrorKind::file, "open", "{} has neither a config.json nor a .gguf file, so it is no model's folder.{}", folder, hint);
  }
  open_configs();
}

void Checkpoint::Content::open_configs() {
  config = read_config((fs::path(folder) / "config.json").string());
  auto generation = (fs::path(folder) / "generation_config.json").string();
  if (file_exists(generation)) generation_config = read_config(generation);
}

void Checkpoint::Content::open_gguf(const std::string& file) {
  format = CheckpointFormat::gguf;
  ggufs = open_gguf_parts(file);
  path = ggufs[0].path();
  folder = fs::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
}

void Checkpoint::Content::convert_last(std::shared_ptr<const ConvertedTensor> how) {
  CheckpointTensor& t = tensors.back();
  t.dtype = how->dtype();
  t.size_bytes = static_cast<uint64_t>(row_bytes(how->dtype(), num_elements(t.shape)));
  t.converted = true;
  places.back().converted = std::move(how);
}

// Safetensors names are unique across shards already (open_safetensors_index), and so are those of GGUF parts (open_gguf_parts).
void Checkpoint::Content::index_tensors() {
  for (uint32_t f = 0; f < ggufs.size(); ++f) {
    for (uint32_t i = 0; i < ggufs[f].tensors().size(); ++i) {
      const auto& t = ggufs[f].tensors()[i];
      tensors.push_back({t.name, t.dtype(), t.type->name, t.shape, t.size_bytes, t.size_bytes, t.type->nearest});
      places.push_back({f, i, nullptr});
      if (const StoredFormat* stored = find_stored_format(t.type->name)) convert_last(convert_blocks(ggufs[f], t, *stored));
    }
  }
  // A weight of several tensors takes the place of its first; the others are not listed.
  assembled = assemble_weights(read_quantisation(config, folder + "/config.json"), shards);
  std::map<std::string_view, const AssembledWeight*> whole;
  std::set<std::string_view> parts;
  for (const AssembledWeight& w : assembled) {
    whole.emplace(w.parts[0], &w);
    parts.insert(w.parts.begin() + 1, w.parts.end());
  }
  for (uint32_t f = 0; f < shards.size(); ++f) {
    for (uint32_t i = 0; i < shards[f].tensors().size(); ++i) {
      const auto& t = shards[f].tensors()[i];
      if (parts.contains(t.name)) continue;
      tensors.push_back({t.name, t.dtype(), t.type->name, t.shape, t.size_bytes, t.size_bytes, "BF16, F16 or F32"});
      places.push_back({f, i, nullptr});
      auto found = whole.find(t.name);
      if (found == whole.end()) continue;
      const AssembledWeight& w = *found->second;
      tensors.back() = {w.name, std::nullopt, w.type_name, w.shape, 0, w.stored_bytes};
      convert_last(w.how);
    }
  }
  by_name.resize(tensors.size());
  std::iota(by_name.begin(), by_name.end(), 0u);
  std::sort(by_name.begin(), by_name.end(), [&](uint32_t a, uint32_t b) { return tensors[a].name < tensors[b].name; });
}

const CheckpointTensor* Checkpoint::Content::find(std::string_view name) const {
  auto it = std::lower_bound(by_name.begin(), by_name.end(), name, [&](uint32_t i, std::string_view n) { return tensors[i].name < n; });
  return it != by_name.end() && tensors[*it].name == name ? &tensors[*it] : nullptr;
}

const Checkpoint::Content::Place& Checkpoint::Content::place(std::string_view name) const {
  if (const auto* t = find(name)) return places[static_cast<size_t>(t - tensors.data())];
  if (tensors.empty())
    fail(ErrorKind::file, "open", "{} has a config.json but no weights: tensor '{}' cannot be loaded. Download model.safetensors too", path,
         printable(name));
  fail(ErrorKind::file, "open", "{} has no tensor '{}'", path, printable(name));
}

Checkpoint Checkpoint::open(const std::string& path) {
  auto content = std::make_unique<Content>();
  if (folder_exists(path)) {
    content->open_folder(path);
  } else if (std::optional<GgufFile> embedded = open_embedded(path)) {
    content->format = CheckpointFormat::gguf;
    content->path = path;
    content->folder = ".";
    content->ggufs.push_back(*std::move(embedded));
  } else if (!fs::exists(path)) {
    fail_missing(path);
  } else if (auto kind = file_kind(path); kind == FileKind::gguf) {
    content->open_gguf(path);
  } else if (kind == FileKind::safetensors) {
    content->path = path;
    content->folder = fs::path(path).parent_path().string();
    if (content->folder.empty()) content->folder = ".";
    if (!file_exists((fs::path(content->folder) / "config.json").string())) {
      fail(ErrorKind::file, "open", "{} is a safetensors file without a config.json beside it, which says what the weights mean. Download that too",
           path);
    }
    content->open_configs();
    content->shards.push_back(SafetensorsFile::open(path));
  } else {
    fail(ErrorKind::file, "open", "{} {}", path, describe(kind));
  }
  content->index_tensors();
  return Checkpoint(std::move(content));
}

Checkpoint::Checkpoint(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

CheckpointFormat Checkpoint::format() const { return content_->format; }
const std::string& Checkpoint::path() const { return content_->path; }
const std::string& Checkpoint::folder() const { return content_->folder; }
const Json& Checkpoint::config() const { return content_->config; }
const Json& Checkpoint::generation_config() const { return content_->generation_config; }
const GgufFile* Checkpoint::gguf() const { return content_->ggufs.empty() ? nullptr : content_->ggufs.data(); }
bool Checkpoint::has_weights() const { return !content_->tensors.empty(); }
std::span<const CheckpointTensor> Checkpoint::tensors() const { return content_->tensors; }

const CheckpointTensor* Checkpoint::find(std::string_view name) const { return content_->find(name); }

uint64_t Checkpoint::weight_bytes() const {
  return std::accumulate(content_->tensors.begin(), content_->tensors.end(), uint64_t{0},
                         [](uint64_t sum, const auto& t) { return sum + t.stored_bytes; });
}

Tensor Checkpoint::load(std::string_view name) const {
  const auto& place = content_->place(name);
  if (place.converted) {
    const CheckpointTensor& t = *find(name);
    Tensor tensor = Tensor::zeros(*t.dtype, t.shape);
    place.converted->read({tensor.mutable_bytes(), tensor.size_bytes()});
    return tensor;
  }
  return content_->format == CheckpointFormat::gguf ? content_->ggufs[place.file].load(name) : content_->shards[place.file].load(name);
}

void Checkpoint::read(std::string_view name, std::span<std::byte> to) const {
  const auto& place = content_->place(name);
  if (place.converted) {
    check(to.size() == find(name)->size_bytes, "read() is given room for the whole tensor");
    place.converted->read(to);
  } else if (content_->format == CheckpointFormat::gguf) {
    content_->ggufs[place.file].read(content_->ggufs[place.file].tensors()[place.tensor], to);
  } else {
    content_->shards[place.file].read(content_->shards[place.file].tensors()[place.tensor], to);
  }
}

bool Checkpoint::read_part(std::string_view name, uint64_t from_byte, std::span<std::byte> to) const {
  const auto& place = content_->place(name);
  if (place.converted) return false;
  if (content_->format == CheckpointFormat::gguf)
    content_->ggufs[place.file].read(content_->ggufs[place.file].tensors()[place.tensor], from_byte, to);
  else
    content_->shards[place.file].read(content_->shards[place.file].tensors()[place.tensor], from_byte, to);
  return true;
}

void Checkpoint::drop(std::string_view name) const {
  const auto& place = content_->place(name);
  if (place.converted) {
    place.converted->drop();
  } else if (content_->format == CheckpointFormat::gguf) {
    content_->ggufs[place.file].drop(content_->ggufs[place.file].tensors()[place.tensor]);
  } else {
    content_->shards[place.file].drop(content_->shards[place.file].tensors()[place.tensor]);
  }
}

}  // namespace motley

#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/json_scanner.h"

namespace motley {
namespace {

constexpr std::array kDtypes = {
    SafetensorsDtype{"F32", 32, Dtype::f32},
    SafetensorsDtype{"F16", 16, Dtype::f16},
    SafetensorsDtype{"BF16", 16, Dtype::bf16},
    SafetensorsDtype{"F64", 64, Dtype::f64},
    SafetensorsDtype{"I64", 64, Dtype::i64},
    SafetensorsDtype{"I32", 32, Dtype::i32},
    SafetensorsDtype{"I16", 16, Dtype::i16},
    SafetensorsDtype{"I8", 8, Dtype::i8},
    SafetensorsDtype{"U8", 8, Dtype::u8},
    SafetensorsDtype{"BOOL", 8, Dtype::boolean},
    SafetensorsDtype{"U16", 16, std::nullopt},
    SafetensorsDtype{"U32", 32, std::nullopt},
    SafetensorsDtype{"U64", 64, std::nullopt},
    SafetensorsDtype{"C64", 64, std::nullopt},
    SafetensorsDtype{"F8_E4M3", 8, std::nullopt},
    SafetensorsDtype{"F8_E5M2", 8, std::nullopt},
    SafetensorsDtype{"F8_E4M3FNUZ", 8, std::nullopt},
    SafetensorsDtype{"F8_E5M2FNUZ", 8, std::nullopt},
    SafetensorsDtype{"F8_E8M0", 8, std::nullopt},
    SafetensorsDtype{"F6_E2M3", 6, std::nullopt},
    SafetensorsDtype{"F6_E3M2", 6, std::nullopt},
    SafetensorsDtype{"F4", 4, std::nullopt},
};

constexpr uint64_t kMaxIndexBytes = 64 << 20;
constexpr size_t kMaxShards = 4096, kMaxNameBytes = 1024;

// Which file each tensor is in, as model.safetensors.index.json says.
std::vector<std::pair<std::string, std::string>> read_weight_map(const std::string& path) {
  ByteSource source = ByteSource::open(path);
  if (source.size() > kMaxIndexBytes) {
    fail(ErrorKind::file, "safetensors", "{} has {} bytes, more than the {} an index may have", path, source.size(), kMaxIndexBytes);
  }
  JsonScanner in(source, 0, source.size(), "safetensors");
  std::vector<std::pair<std::string, std::string>> map;
  bool found = false;
  in.object(
      [&](const std::string& key) {
        if (key != "weight_map") {
          in.skip();
          return;
        }
        if (found) in.refuse("the key 'weight_map' appears twice, again before byte {}", in.position());
        found = true;
        in.object(
            [&](const std::string& tensor) {
              auto at = in.position();
              std::string shard = in.text(255);
              bool plain =
                  shard.find_first_of("/\\") == shard.npos && shard.find('\0') == shard.npos && shard.ends_with(".safetensors") && shard[0] != '.';
              if (!plain)
                in.refuse("tensor '{}' is said to be in '{}' (byte {}), which is not the name of a .safetensors file beside it", printable(tensor),
                          printable(shard), at);
              map.emplace_back(tensor, std::move(shard));
            },
            kMaxNameBytes);
      },
      kMaxNameBytes);
  in.end();
  if (!found) in.refuse("has no 'weight_map'");
  std::sort(map.begin(), map.end());
  for (size_t i = 1; i < map.size(); ++i)
    if (map[i].first == map[i - 1].first) in.refuse("tensor '{}' appears twice in 'weight_map'", printable(map[i].first));
  return map;
}

}  // namespace

const SafetensorsDtype* find_safetensors_dtype(std::string_view name) {
  auto it = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const auto& d) { return name == d.name; });
  return it == kDtypes.end() ? nullptr : &*it;
}

const char* safetensors_name(Dtype dtype) {
  auto it = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const auto& d) { return d.dtype == dtype; });
  return it == kDtypes.end() ? nullptr : it->name;
}

const SafetensorsTensor* SafetensorsFile::find_tensor(std::string_view name) const {
  auto it = std::lower_bound(by_name_.begin(), by_name_.end(), name, [&](uint32_t i, std::string_view n) { return tensors_[i].name < n; });
  return it != by_name_.end() && tensors_[*it].name == name ? &tensors_[*it] : nullptr;
}

Tensor SafetensorsFile::load(std::string_view name) const {
  const SafetensorsTensor* t = find_tensor(name);
  if (!t) fail(ErrorKind::file, "safetensors", "{}: there is no tensor '{}'", path(), printable(name));
  if (!t->dtype()) {
    fail(ErrorKind::file, "safetensors",
         "{}: tensor '{}' has dtype {}, which cannot be computed with here. Convert the model to BF16, F16 or F32 first", path(), printable(t->name),
         t->type->name);
  }
  return source_.tensor(*t->dtype(), t->shape, t->offset);
}

void SafetensorsFile::read(const SafetensorsTensor& tensor, std::span<std::byte> to) const {
  check(to.size() == tensor.size_bytes, "read() is given room for the whole tensor");
  source_.copy(tensor.offset, to);
}

void SafetensorsFile::read(const SafetensorsTensor& tensor, uint64_t from_byte, std::span<std::byte> to) const {
  check(from_byte <= tensor.size_bytes && to.size() <= tensor.size_bytes - from_byte, "a part of a tensor lies within it");
  source_.copy(tensor.offset + from_byte, to);
}

void SafetensorsFile::drop(const SafetensorsTensor& tensor) const { source_.drop(tensor.offset, tensor.size_bytes); }

std::vector<SafetensorsFile> open_safetensors_index(const std::string& index_path) {
  auto map = read_weight_map(index_path);
  auto folder = std::filesystem::path(index_path).parent_path();
  std::map<std::string, size_t> shard_index;
  for (const auto& [tensor, shard] : map) shard_index.emplace(shard, 0);
  if (shard_index.size() > kMaxShards)
    fail(ErrorKind::file, "safetensors", "{} names {} files, more than {}", index_path, shard_index.size(), kMaxShards);
  std::vector<SafetensorsFile> shards;
  for (auto& [name, index] : shard_index) {
    auto path = (folder / name).string();
    if (!file_exists(path)) fail(ErrorKind::file, "safetensors", "{} names {}, which is not there. Is the download complete?", index_path, name);
    index = shards.size();
    shards.push_back(SafetensorsFile::open(path));
  }
  for (const auto& [tensor, shard] : map) {
    if (!shards[shard_index[shard]].find_tensor(tensor)) {
      fail(ErrorKind::file, "safetensors", "{}: tensor '{}' should be in {}, but is not. Are all files from the same download?", index_path,
           printable(tensor), shard);
    }
  }
  std::map<std::string_view, std::string_view> home;
  for (const auto& shard : shards) {
    for (const auto& t : shard.tensors()) {
      auto [it, fresh] = home.emplace(t.name, shard.path());
      if (!fresh) fail(ErrorKind::file, "safetensors", "tensor '{}' is both in {} and in {}", printable(t.name), it->second, shard.path());
    }
  }
  return shards;
}

}  // namespace motley

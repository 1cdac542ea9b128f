#include "io/file_kind.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "io/byte_source.h"

namespace motley {
namespace {

constexpr uint64_t kBeginning = 512;

// llama2.c's first version has no magic: seven int32, and a size that follows from them.
bool is_llama2c(std::string_view head, uint64_t file_size) {
  if (head.starts_with("24ka")) return true;  // later versions: "ak42", little-endian
  if (head.size() < 28 || file_size < (uint64_t{1} << 16)) return false;
  int32_t v[7];
  std::memcpy(v, head.data(), sizeof v);
  auto [dim, hidden, layers, heads, kv_heads, vocab, length] = v;
  bool plausible = dim >= 8 && dim <= 1 << 16 && hidden >= dim && hidden <= 1 << 18 && layers >= 1 && layers <= 256 && heads >= 1 &&
                   dim % heads == 0 && kv_heads >= 1 && heads % kv_heads == 0 && vocab != 0 && std::abs(static_cast<double>(vocab)) <= 1 << 20 &&
                   length >= 1 && length <= 1 << 20;
  if (!plausible) return false;
  double least = 4.0 * dim * (std::abs(static_cast<double>(vocab)) + static_cast<double>(layers) * 3.0 * hidden);
  return static_cast<double>(file_size) >= least;
}

bool is_pickle(std::string_view head) {
  return head.size() >= 4 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5 &&
         std::string_view("}]()cX\x8a\x95").find(head[2]) != std::string_view::npos;
}

// An ONNX file is a protobuf message: field 1 (ir_version, a small number), then a string: field 2 (producer_name) or 3 (its version).
bool is_onnx(std::string_view head) {
  return head.size() > 4 && head[0] == 8 && head[1] > 0 && head[1] < 32 && (head[2] == 0x12 || head[2] == 0x1A || head[2] == 0x3A);
}

bool is_zip_of_pickle(std::string_view head) {
  auto name = head.size() > 30 ? head.substr(30, 200) : std::string_view();
  return name.find("/data.pkl") != name.npos || name.find("/data/") != name.npos || name.find("/version") != name.npos ||
         name.find("archive/") != name.npos;
}

}  // namespace

FileKind file_kind(std::span<const std::byte> beginning, uint64_t file_size) {
  std::string_view head(reinterpret_cast<const char*>(beginning.data()), std::min<size_t>(beginning.size(), kBeginning));
  if (file_size == 0) return FileKind::empty;
  if (head.starts_with("GGUF")) return FileKind::gguf;
  for (auto magic : {"lmgg", "fmgg", "tjgg", "algg"})
    if (head.starts_with(magic)) return FileKind::old_ggml;
  if (head.starts_with("\x89HDF\r\n")) return FileKind::hdf5;
  if (head.starts_with("version https://git-lfs")) return FileKind::lfs_pointer;
  if (head.starts_with("PK\x03\x04")) return is_zip_of_pickle(head) ? FileKind::pickle : FileKind::zip;
  if (head.starts_with("\x1f\x8b")) return FileKind::gzip;
  if (head.size() > 8 && head[8] == '{') {
    uint64_t n = 0;
    std::memcpy(&n, head.data(), 8);
    if (n <= 100'000'000) return FileKind::safetensors;
  }
  std::string text = lower_ascii(trim(head.starts_with("\xEF\xBB\xBF") ? head.substr(3) : head));
  if (text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<head")) return FileKind::html;
  if (text.starts_with("{") || text.starts_with("[")) return FileKind::json;
  if (is_pickle(head)) return FileKind::pickle;
  if (is_llama2c(head, file_size)) return FileKind::llama2c;
  if (is_onnx(head)) return FileKind::onnx;
  return FileKind::other;
}

FileKind file_kind(const std::string& path) { return file_kind(ByteSource::open(path)); }

FileKind file_kind(const ByteSource& source) {
  std::vector<std::byte> head(std::min(kBeginning, source.size()));
  source.copy(0, head);
  return file_kind(head, source.size());
}

const char* describe(FileKind kind) {
  switch (kind) {
    case FileKind::gguf:
      return "is a GGUF file";
    case FileKind::safetensors:
      return "is a safetensors file";
    case FileKind::pickle:
      return "is a PyTorch pickle, which can run any code when it is read, so it is not read here. Convert it to safetensors first: "
             "AutoModel.from_pretrained(folder).save_pretrained(new_folder, safe_serialization=True)";
    case FileKind::onnx:
      return "is an ONNX graph, which holds no model this program can build. Take the safetensors or GGUF version of the model";
    case FileKind::llama2c:
      return "is a llama2.c checkpoint. Export the model in Hugging Face layout or as GGUF, and give that";
    case FileKind::old_ggml:
      return "is in a ggml format older than GGUF (2023). Take a GGUF version of the model";
    case FileKind::hdf5:
      return "is an HDF5 file (Keras or TensorFlow). Take the safetensors version of the model";
    case FileKind::lfs_pointer:
      return "is a Git LFS pointer, not the file itself: the model was cloned without its large files. Run 'git lfs pull' in that folder";
    case FileKind::html:
      return "is a web page, not a model: the download saved an error or a log-in page. Download it again";
    case FileKind::json:
      return "is a JSON file, not weights. Give the folder it is in";
    case FileKind::zip:
      return "is a zip archive. Unpack it and give the folder or the file inside";
    case FileKind::gzip:
      return "is compressed with gzip. Unpack it and give the folder or the file inside";
    case FileKind::empty:
      return "is empty. Download it again";
    case FileKind::other:
      return "is neither a GGUF nor a safetensors file";
  }
  return "";
}

}  // namespace motley

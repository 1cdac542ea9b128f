// What a file is by its first bytes, for the sentence that tells a user what he pointed at.
//
//   FileKind kind = file_kind("model.bin");                       // FileKind::pickle
//   fail(..., "{} {}", path, describe(kind));                     // "is a PyTorch pickle, which can run code ..."
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace motley {

class ByteSource;

enum class FileKind {
  gguf,
  safetensors,
  pickle,  // PyTorch's .bin, .pt, .pth: a bare pickle or a zip around one
  onnx,
  llama2c,   // karpathy/llama2.c
  old_ggml,  // what GGUF replaced
  hdf5,
  lfs_pointer,
  html,
  json,
  zip,
  gzip,
  empty,
  other,
};

FileKind file_kind(const std::string& path);  // Error(file) when it cannot be read
FileKind file_kind(const ByteSource& source);
FileKind file_kind(std::span<const std::byte> beginning, uint64_t file_size);

// What follows the file's name in a sentence: what it is, and what to do to get a model from it.
const char* describe(FileKind kind);

}  // namespace motley

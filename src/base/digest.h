// Whether a file is still the one that was written: its content hash (content_hash.h) as text. It says nothing about who wrote it.
//
//   std::string d = file_digest("model.safetensors");   // 16 hexadecimal digits
#pragma once
#include <string>

namespace motley {

std::string file_digest(const std::string& path);  // Error(file) when it cannot be read

}  // namespace motley

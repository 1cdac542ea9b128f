#include "base/digest.h"

#include "base/content_hash.h"
#include "base/error.h"
#include "base/file.h"

namespace motley {

std::string file_digest(const std::string& path) {
  ContentHash hash;
  read_pieces(path, [&](std::string_view piece) { hash.add(piece); });
  return fmt::format("{:016x}", hash.value());
}

}  // namespace motley

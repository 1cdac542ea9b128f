#include "io/embedded_model.h"

#include <filesystem>
#include <vector>

// The assembler copies the file into the program: as an array in C++ the compiler would take minutes for it.
__asm__(
    ".pushsection .rodata\n"
    ".balign 64\n"
    ".hidden motley_embedded_begin\n"
    ".globl motley_embedded_begin\n"
    "motley_embedded_begin:\n"
    ".incbin \"" MOTLEY_EMBEDDED_MODEL
    "\"\n"
    ".hidden motley_embedded_end\n"
    ".globl motley_embedded_end\n"
    "motley_embedded_end:\n"
    ".byte 0\n"
    ".popsection\n");
extern "C" {
extern const std::byte motley_embedded_begin[];
extern const std::byte motley_embedded_end[];
}

namespace motley {

std::optional<GgufFile> open_embedded(const std::string& path) {
  std::error_code error;
  if (path != kEmbeddedModel || std::filesystem::exists(path, error)) return std::nullopt;
  return GgufFile::from_bytes({motley_embedded_begin, motley_embedded_end}, path);
}

}  // namespace motley

// The alphabet in which byte-level tokenizers write bytes: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards,
// so that every byte has a visible character ("Ġ" is a space, "Ċ" a line end).
//
//   append_as_alphabet(out, " hi");                    // "Ġhi"
//   std::optional<std::string> raw = alphabet_to_bytes("Ġhi");   // " hi"; nothing when a character is not of the alphabet
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace motley::tok {

char32_t byte_to_alphabet(unsigned char byte);
int alphabet_to_byte(char32_t c);  // -1 for a character that is none of the 256

void append_as_alphabet(std::string& out, std::string_view bytes);
std::optional<std::string> alphabet_to_bytes(std::string_view text);

}  // namespace motley::tok

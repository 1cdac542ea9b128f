// What a command reads when its text does not come as an argument: a file, or standard input.
//
//   std::string text = read_input(flags.file, "tokenize", kMaxTextBytes);   // "" and "-" are standard input
#pragma once
#include <cstdint>
#include <string>

namespace motley {

// All bytes as they are. Error(usage) when there are more than limit_bytes of a stream; a file's errors are those of read_file().
std::string read_input(const std::string& file, const char* operation, uint64_t limit_bytes);

// Bytes to standard output as they are, a zero among them included. False when nobody reads any more.
bool write_output(const std::string& bytes);

}  // namespace motley

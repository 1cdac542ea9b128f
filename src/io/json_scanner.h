// Reads JSON front to back in a window of 64 KiB, value by value, for files whose shape is known and whose size may be 100 MB: nothing is
// built that the caller did not ask for. Malformed text is Error(file) naming the byte in the file.
//
//   JsonScanner in(source, 8, header_bytes, "safetensors");
//   in.object([&](const std::string& key) { if (key == "shape") shape = in.numbers(kMaxDims); else in.skip(); });
//   in.end();
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "io/byte_source.h"

namespace motley {

class JsonScanner {
 public:
  // The text is size bytes of source from offset on; operation begins the messages.
  JsonScanner(const ByteSource& source, uint64_t offset, uint64_t size, const char* operation)
      : source_(source), operation_(operation), at_(offset), end_(offset + size) {}

  // Calls member for each key of the object that follows; member reads (or skips) the value. Keys have at most max_key bytes. The caller
  // looks for duplicates, as it knows what it keeps.
  void object(const std::function<void(const std::string& key)>& member, size_t max_key);
  std::string text(size_t most_bytes);         // a string, decoded, valid UTF-8
  std::vector<uint64_t> numbers(size_t most);  // an array of whole numbers below 2^63
  uint64_t skip();                             // any value, at most 64 levels deep; gives the bytes it took
  void end();                                  // nothing but white space is left

  uint64_t position() const { return at_; }  // the byte in the file that is read next
  [[noreturn]] void expected(std::string_view what);

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::file, operation_, "{}: {}", source_.path(), fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  int peek();  // the next byte, or -1 after the last
  void space();
  void take(char c, std::string_view what);
  unsigned char string_byte();
  void escape(std::string& out);
  uint32_t hex4();
  uint64_t number();
  void skip_value(int depth);
  void fill();

  const ByteSource& source_;
  const char* operation_;
  uint64_t at_, end_;
  std::string window_;
  uint64_t window_begin_ = 0;
};

}  // namespace motley

// A text file line by line. Both line ends are known ("\n" and "\r\n"), a byte order mark at the beginning is passed over, and no line
// takes more memory than kMostBytes: a longer one comes in pieces.
//
//   LineReader lines(in);
//   while (lines.next()) use(lines.number(), lines.text());
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "io/dataset/byte_stream.h"

namespace motley {

class LineReader {
 public:
  static constexpr size_t kMostBytes = 16 << 20;

  explicit LineReader(ByteStream& in);
  bool next();  // false behind the last line

  std::string_view text() const { return text_; }  // without the line end; valid until next()
  int64_t number() const { return number_; }       // 1 is the first line; pieces of a line have the same
  bool first_piece() const { return first_piece_; }
  bool last_piece() const { return last_piece_; }
  bool has_end() const { return has_end_; }  // a line end was there; the last line of a file may lack it

 private:
  ByteStream& in_;
  std::string held_;
  std::string_view text_;
  size_t used_ = 0;  // bytes of in_.ahead() that text_ is a view of
  int64_t number_ = 0;
  bool first_piece_ = true, last_piece_ = true, has_end_ = false;
};

// Passes over the three bytes with which some programs begin every UTF-8 file.
void skip_byte_order_mark(ByteStream& in);

}  // namespace motley

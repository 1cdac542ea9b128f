#include "io/dataset/line_reader.h"

#include <algorithm>

namespace motley {

void skip_byte_order_mark(ByteStream& in) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (in.ahead().starts_with(kMark)) in.skip(kMark.size());
}

LineReader::LineReader(ByteStream& in) : in_(in) { skip_byte_order_mark(in); }

bool LineReader::next() {
  in_.skip(used_);
  used_ = 0;
  held_.clear();
  std::string_view bytes = in_.ahead();
  if (bytes.empty()) return false;
  first_piece_ = last_piece_;
  if (first_piece_) ++number_;
  last_piece_ = true;
  has_end_ = false;
  for (; !bytes.empty(); bytes = in_.ahead()) {
    const size_t end = bytes.find('\n');
    const size_t room = kMostBytes - held_.size();
    if (end != bytes.npos && end <= room) {
      has_end_ = true;
      if (held_.empty()) {  // the usual case: no copy
        text_ = bytes.substr(0, end);
        used_ = end + 1;
      } else {
        held_ += bytes.substr(0, end);
        in_.skip(end + 1);
        text_ = held_;
      }
      if (text_.ends_with('\r')) text_.remove_suffix(1);
      return true;
    }
    const size_t n = std::min(bytes.size(), room);
    held_ += bytes.substr(0, n);
    in_.skip(n);
    if (held_.size() == kMostBytes) {
      last_piece_ = in_.ahead().empty();
      break;
    }
  }
  text_ = held_;
  return true;
}

}  // namespace motley

// Plain text cut into documents: at every line, at empty lines, at the words that stand between documents, or not at all. A long document
// comes in parts of about kPartBytes, cut behind a line end or a space where there is one.
//
//   Documents documents(in, Split::marker, "<|endoftext|>");
//   for (Record r; documents.next(r);) use(r.text, r.begins, r.ends);
#pragma once
#include <string>
#include <string_view>

#include "io/dataset/line_reader.h"
#include "io/dataset/record.h"

namespace motley {

enum class Split { none, line, blank, marker };

class Documents {
 public:
  static constexpr size_t kPartBytes = 1 << 20;

  Documents(ByteStream& in, Split split, std::string marker = "") : lines_(in), split_(split), marker_(std::move(marker)) {}
  bool next(Record& record);  // false behind the last; documents of white space alone are none

 private:
  void take_line();
  void end_document();
  void give(std::string_view text, bool ends);

  LineReader lines_;
  Split split_;
  std::string marker_;
  std::string text_;    // of the document that is being read
  int64_t line_ = 0;    // where it, or this part of it, begins
  bool begun_ = false;  // a part of it was given
  std::vector<Record> ready_;
  size_t given_ = 0;
};

}  // namespace motley

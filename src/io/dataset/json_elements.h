// The records of a JSON file as text, one after the other: lines of a .jsonl, or the elements of one array, as many data sets come. Nothing is
// parsed here but where a record ends.
//
//   JsonElements elements(in);
//   for (JsonElement e; elements.next(e);) if (e.problem.empty()) parse_ordered_json(e.text, ...);
#pragma once
#include <cstdint>
#include <string>

#include "io/dataset/line_reader.h"

namespace motley {

struct JsonElement {
  std::string text;
  int64_t line = 0;     // on which it begins
  std::string problem;  // why it cannot be read; empty: it can
};

class JsonElements {
 public:
  explicit JsonElements(ByteStream& in);
  bool next(JsonElement& element);  // false behind the last; empty lines are no records
  bool is_array() const { return array_; }

 private:
  bool next_line(JsonElement& element);
  bool next_of_array(JsonElement& element);
  bool next_after_array(JsonElement& element);
  int get();

  ByteStream& in_;
  LineReader lines_;
  enum class State { records, closed, ended };  // of a list
  bool array_ = false;
  State state_ = State::records;
  int64_t line_ = 1;
};

}  // namespace motley

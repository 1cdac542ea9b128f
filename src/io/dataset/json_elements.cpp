#include "io/dataset/json_elements.h"

#include "base/text.h"

namespace motley {
namespace {

bool is_space(int c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

JsonElements::JsonElements(ByteStream& in) : in_(in), lines_(in) {
  // A line that is an array is no record, so a bracket before anything else opens the array of all records.
  const std::string_view ahead = in.ahead();
  const size_t first = ahead.find_first_not_of(" \t\r\n");
  array_ = first != ahead.npos && ahead[first] == '[';
  if (array_)
    while (get() != '[') {
    }
}

int JsonElements::get() {
  const int c = in_.get();
  if (c == '\n') ++line_;
  return c;
}

bool JsonElements::next(JsonElement& element) {
  element.problem.clear();
  element.text.clear();
  if (state_ == State::ended) return false;
  if (state_ == State::closed) return next_after_array(element);
  return array_ ? next_of_array(element) : next_line(element);
}

bool JsonElements::next_line(JsonElement& element) {
  while (lines_.next()) {
    if (lines_.last_piece() && trim(lines_.text()).empty()) continue;
    element.line = lines_.number();
    element.text = lines_.text();
    if (lines_.last_piece()) return true;
    element.problem = "it is longer than 16 MiB";
    while (!lines_.last_piece() && lines_.next()) {
    }
    return true;
  }
  return false;
}

// Whatever stands behind the closing bracket is one bad record.
bool JsonElements::next_after_array(JsonElement& element) {
  int c = get();
  while (is_space(c)) c = get();
  state_ = State::ended;
  element.line = line_;
  element.problem = "text follows the array of records";
  return c >= 0;
}

bool JsonElements::next_of_array(JsonElement& element) {
  int c = get();
  while (is_space(c) || c == ',') c = get();
  element.line = line_;
  if (c == ']') return next_after_array(element);
  int depth = 0;
  bool in_string = false, escaped = false;
  for (; c >= 0; c = get()) {
    if (!in_string && depth == 0 && (c == ',' || c == ']')) {
      if (c == ']') state_ = State::closed;
      return true;
    }
    if (element.text.size() < LineReader::kMostBytes)
      element.text += static_cast<char>(c);
    else
      element.problem = "it is longer than 16 MiB";
    if (in_string) {
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  state_ = State::ended;
  element.problem = "the file ends before the array of records does";
  return true;
}

}  // namespace motley

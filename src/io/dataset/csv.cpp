#include "io/dataset/csv.h"

#include <fmt/core.h>

#include <algorithm>

namespace motley {
namespace {

// What stands in the quotes around s, or nothing when s is not a field in quotes.
bool unquote(std::string_view s, std::string& out) {
  if (s.size() < 2 || s.front() != '"' || s.back() != '"') return false;
  s = s.substr(1, s.size() - 2);
  out.clear();
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '"' && (i + 1 == s.size() || s[++i] != '"')) return false;
    out += s[i];
  }
  return true;
}

}  // namespace

void CsvReader::take_unquoted_line(std::string_view line, CsvRow& row) const {
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(separator_, begin), line.size());
    const std::string_view field = line.substr(begin, end - begin);
    std::string inner;
    if (!unquote(field, inner)) inner = field;
    row.fields.push_back(std::move(inner));
    begin = end + 1;
  }
}

// Goes on with the last field where the line before ended within quotes.
void CsvReader::take_line(std::string_view line, CsvRow& row, State& state) {
  if (row.fields.empty()) row.fields.emplace_back();
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    std::string& field = row.fields.back();
    if (state == State::quoted) {
      const bool doubled = c == '"' && i + 1 < line.size() && line[i + 1] == '"';
      if (c != '"' || doubled) {
        field += c;
        i += doubled ? 1 : 0;
      } else {
        state = State::after_quote;
      }
    } else if (c == separator_) {
      row.fields.emplace_back();
      state = State::plain;
    } else if (state == State::after_quote) {
      row.problem = fmt::format("text follows the closing quote of field {}", row.fields.size());
      state = State::plain;
    } else if (c == '"' && field.empty() && (i == 0 || line[i - 1] == separator_)) {
      state = State::quoted;
    } else {
      field += c;
    }
  }
}

bool CsvReader::next(CsvRow& row) {
  row = {};
  State state = State::plain;
  size_t taken = 0;
  while (lines_.next()) {
    if (row.line == 0) {
      if (lines_.text().empty() && lines_.last_piece()) continue;
      row.line = lines_.number();
    }
    row.lines = lines_.number() - row.line + 1;
    taken += lines_.text().size() + 1;
    if (taken > LineReader::kMostBytes || !lines_.last_piece()) {
      row.problem = state == State::quoted ? "a quote that opens in it is not closed within 16 MiB" : "it is longer than 16 MiB";
      row.fields.clear();
      while (!lines_.last_piece() && lines_.next()) {
      }
      return true;
    }
    if (separator_ == '\t') {
      take_unquoted_line(lines_.text(), row);
      return true;
    }
    take_line(lines_.text(), row, state);
    if (state != State::quoted) return true;
    row.fields.back() += '\n';
  }
  if (row.line == 0) return false;
  row.problem = "a quote that opens in it is never closed";
  return true;
}

}  // namespace motley

// Rows of comma-separated files as RFC 4180 describes them, and of tab-separated ones. In a .csv a field in quotes may hold separators, doubled
// quotes and line ends. A .tsv is not quoted by its standard, and texts in them begin with quotes that mean nothing: there, quotes count only
// around a whole field of one line.
//
//   CsvReader rows(in, ',');
//   for (CsvRow row; rows.next(row);) if (row.problem.empty()) use(row.fields);
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/line_reader.h"

namespace motley {

struct CsvRow {
  std::vector<std::string> fields;
  int64_t line = 0;     // on which it begins
  int64_t lines = 1;    // that it takes
  std::string problem;  // why it cannot be used; empty: it can
};

class CsvReader {
 public:
  CsvReader(ByteStream& in, char separator) : lines_(in), separator_(separator) {}
  bool next(CsvRow& row);  // false behind the last; empty lines are no rows

 private:
  enum class State { plain, quoted, after_quote };
  void take_line(std::string_view line, CsvRow& row, State& state);
  void take_unquoted_line(std::string_view line, CsvRow& row) const;

  LineReader lines_;
  char separator_;
};

}  // namespace motley

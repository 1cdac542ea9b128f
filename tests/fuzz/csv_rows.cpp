// Any bytes as a CSV file and as a TSV file: rows of bounded size, each either fields or a reason, whose lines rise.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "io/dataset/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  for (char separator : {',', '\t'}) {
    // Packed bytes have a target of their own; here they would only make errors.
    if (size >= 2 && (data[0] == 0x1f || data[0] == 0x28 || (data[0] & 0xf0) == 0x50)) return 0;
    motley::ByteStream in(motley::ByteSource::from_bytes({bytes.begin(), bytes.end()}, "input"));
    motley::CsvReader rows(in, separator);
    int64_t after = 1;
    size_t total = 0;
    for (motley::CsvRow row; rows.next(row);) {
      if (row.line < after || row.lines < 1) std::abort();
      after = row.line + row.lines;
      if (row.problem.empty() && row.fields.empty()) std::abort();
      for (const std::string& field : row.fields) total += field.size();
    }
    if (total > size) std::abort();
  }
  return 0;
}

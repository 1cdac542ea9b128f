#include "io/dataset/record.h"

#include "base/error.h"
#include "base/text.h"

namespace motley {

std::string with_commas(int64_t n) {
  const std::string digits = std::to_string(n);
  const size_t sign = n < 0 ? 1 : 0;
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > sign && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

void BadRecords::add(std::string_view file, int64_t line, std::string_view why, int64_t lines) {
  count_ += lines;
  if (shown_.size() < kShown) shown_.push_back(fmt::format("{} line {}: {}", printable(file), line, printable(why, 160)));
}

std::vector<std::string> BadRecords::report(int64_t total) const {
  if (count_ == 0) return {};
  std::string list;
  for (const std::string& s : shown_) list += "\n  " + s;
  if (count_ > static_cast<int64_t>(shown_.size())) list += fmt::format("\n  and {} more", with_commas(count_ - static_cast<int64_t>(shown_.size())));
  if (count_ > total / 100)
    fail(ErrorKind::file, "data", "{} of {} records cannot be used, which is more than one in a hundred; mend or remove them:{}", with_commas(count_),
         with_commas(total), list);
  return {fmt::format("{} of {} records skipped:{}", with_commas(count_), with_commas(total), list)};
}

}  // namespace motley

// Which columns of a table, or keys of its records, hold the text, a second text, one that does not belong to it, and the label.
//
//   Columns columns = find_columns(options, {"sentence", "label"}, "train.tsv");
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/data_options.h"

namespace motley {

struct Columns {
  std::string text, pair, negative, label;  // names; empty: there is none
};

// Error(usage) naming the columns there are, where one that is asked for (or a label that is needed) is not among them.
Columns find_columns(const DataOptions& options, const std::vector<std::string>& names, std::string_view what);

// Whether a column has one of the names by which find_columns() knows the text, of pairs or others.
bool has_text_column(const std::vector<std::string>& names);

}  // namespace motley

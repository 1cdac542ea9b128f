// What a data file is, found by looking at its beginning.
//
//   FileForm form = detect(file, options);         // Form::sharegpt
//   form.words                                     // "JSONL of sharegpt conversations"
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/columns.h"
#include "io/dataset/data_options.h"
#include "io/dataset/documents.h"

namespace motley {

enum class Form { text, rows, alpaca, sharegpt, messages, csv, tsv, tokens };

struct FileForm {
  Form form = Form::text;
  Split split = Split::none;  // of text
  std::string marker;         // of Split::marker
  Columns columns;            // of rows, csv, tsv
  std::string words;          // what it is, for people
};

// By its first hundred records, unless options say it. end_of_text: how the tokenizer writes the end of a text (plain texts may be cut there).
// Error(file) when it is empty, binary, or not what options say; Error(usage) for an unknown format, a column that is not there, or labels
// asked of texts that have none.
FileForm detect(const std::string& file, const DataOptions& options, std::string_view end_of_text);

}  // namespace motley

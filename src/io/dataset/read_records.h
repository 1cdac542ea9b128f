// From a data path to its records: finds the files, looks what they are, and reads them one after the other.
//
//   RecordSource source = find_records(options, "</s>");          // source.form.words: "TSV of sentence, label label"
//   BadRecords bad;
//   int64_t total = read_records(source, options, bad, [&](Record&& r) { ... });
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/detect.h"
#include "io/dataset/record.h"

namespace motley {

struct RecordSource {
  std::vector<std::string> files;
  std::vector<std::string> classes;  // of a folder per class: that of each file; empty otherwise
  FileForm form;                     // of all of them
};

// Bytes that were read, of all there are. May throw to stop the work.
using DataProgress = std::function<void(int64_t done, int64_t total)>;

// end_of_text: as in detect(). Error(file) when the files are of several kinds.
RecordSource find_records(const DataOptions& options, std::string_view end_of_text);

// Not for token shards, which hold no records. Gives how many records there were, those in `bad` (by line) included.
int64_t read_records(const RecordSource& source, const DataOptions& options, BadRecords& bad, const std::function<void(Record&&)>& take,
                     const DataProgress& progress = {});

// The name of a file for messages: without its folder.
std::string short_name(const std::string& file);

}  // namespace motley

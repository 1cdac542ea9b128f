// Tokenised samples, however many there are: ids and marks lie in a file that nobody sees, mapped, so that the system takes their pages back
// when memory is short; only where each sample begins and its labels are in memory. Neither a full disk nor another program can pull the file
// away from under a reader: it is written with write(), and has no name any more when it is mapped.
//
//   SampleCollector collector(folder);
//   collector.append_ids(ids, true);
//   SampleData data = collector.finish();
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"

namespace motley {

struct SampleData {
  std::vector<uint64_t> begins = {0};             // of each sample in the tokens (a part of the data does not begin at 0), and the end of the last
  std::shared_ptr<const MappedFile> ids, scored;  // int32 and uint8 for each token; no scored: every token counts
  std::vector<float> labels;                      // [samples][label_width]
  int64_t label_width = 0;
  std::vector<std::string> classes, warnings;
  std::string description;
  int64_t copies = 0;  // each sample is followed by so many made of it (io/dataset/augment.h)
  uint64_t hash = 0;   // of the files, the tokenizer and the options they were made from

  int64_t size() const { return static_cast<int64_t>(begins.size()) - 1; }
  std::span<const int32_t> all_ids() const {
    return {ids ? reinterpret_cast<const int32_t*>(ids->bytes().data()) : nullptr, static_cast<size_t>(begins.back())};
  }
  std::span<const uint8_t> all_scored() const {
    return {scored ? reinterpret_cast<const uint8_t*>(scored->bytes().data()) : nullptr, scored ? static_cast<size_t>(begins.back()) : 0};
  }
};

// A file without a name that grows at its end.
class SpillFile {
 public:
  explicit SpillFile(const std::string& folder);  // Error(runtime) when nothing can be written there
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  void append(std::span<const std::byte> bytes);  // Error(runtime) when the disk is full
  std::shared_ptr<const MappedFile> finish();

 private:
  void flush();
  std::string path_;
  int fd_ = -1;
  uint64_t written_ = 0;
  std::vector<std::byte> buffer_;
};

class SampleCollector {
 public:
  explicit SampleCollector(std::string folder);

  // More of the current sample; with `ends` its last part. Either no token has a mark, or each: marks follow in the order of the tokens.
  void append_ids(std::span<const int32_t> ids, bool ends);
  void append_marks(std::span<const uint8_t> scored);
  int64_t size() const { return static_cast<int64_t>(begins_.size()) - 1; }
  bool marked_alike() const { return marks_ == 0 || marks_ == tokens_; }
  SampleData finish();  // without labels and words, which are the caller's

 private:
  std::string folder_;
  SpillFile ids_;
  std::unique_ptr<SpillFile> scored_;
  std::vector<uint64_t> begins_ = {0};
  uint64_t tokens_ = 0, marks_ = 0;
};

}  // namespace motley

// What a reader of data files finds, one by one, before anything becomes tokens; and the policy for what cannot be used.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace motley {

struct Record {
  std::string text, pair, negative;  // negative: of LabelKind::texts
  bool has_pair = false;
  // A text too long to be handled at once comes in parts, one after the other.
  bool begins = true, ends = true;
  std::vector<std::string> labels;
  nlohmann::ordered_json messages, tools;  // of a conversation: arrays; null otherwise
  std::string instruction, input;          // of an alpaca record, for the prompt of its own where a model has no template
  size_t file = 0;                         // its place in the list of files
  int64_t line = 0;                        // on which it begins
};

// Records that cannot be used: each is reported with its line and skipped, and more than one in a hundred end the load.
class BadRecords {
 public:
  static constexpr size_t kShown = 5;
  void add(std::string_view file, int64_t line, std::string_view why, int64_t lines = 1);
  int64_t count() const { return count_; }
  // What to tell: nothing when all were good. Error(file) when too many of all `total` records were bad.
  std::vector<std::string> report(int64_t total) const;

 private:
  int64_t count_ = 0;
  std::vector<std::string> shown_;
};

// 3421 as "3,421".
std::string with_commas(int64_t n);

}  // namespace motley

// Labels as they stand in data become numbers: classes get an index each in a stable order (by value where all are whole numbers, by name
// otherwise), values stay what they are, several labels become a 0 or 1 for each class.
//
//   LabelTable table(LabelKind::classes, {});
//   std::string problem = table.add({"positive"});
//   LabelTable::Numbers numbers = table.finish("train.tsv");   // numbers.classes: {"negative", "positive"}
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/dataset/data_options.h"

namespace motley {

class LabelTable {
 public:
  static constexpr size_t kMostClasses = 10'000;

  // known: the classes there may be, in their order; empty: those that come. Where known classes have names, whole numbers count as their index.
  LabelTable(LabelKind kind, std::vector<std::string> known);

  // The labels of one more sample. Gives why they cannot be used; nothing when they can.
  std::string add(const std::vector<std::string>& labels);

  struct Numbers {
    std::vector<float> values;  // [samples][width]
    int64_t width = 0;
    std::vector<std::string> classes;  // empty for values
    std::string words;                 // "2 classes: negative, positive"
  };
  // Error(usage) when there are more classes than any data set has. what: the data's name, for the message.
  Numbers finish(std::string_view what) const;

 private:
  int32_t find(const std::string& label);
  LabelKind kind_;
  bool closed_;                     // no other classes than those known
  std::vector<std::string> names_;  // by first appearance
  std::unordered_map<std::string, int32_t> index_;
  std::vector<int32_t> given_;  // places in names_
  std::vector<size_t> ends_;    // of each sample's in given_
  bool all_numbers_ = true, any_fraction_ = false;
};

}  // namespace motley

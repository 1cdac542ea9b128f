// How well labels were told: what scikit-learn's classification_report and confusion_matrix say.
//
//   ClassificationScore s = score_classes(truth, predicted, 2);
//   s.accuracy, s.macro.f1, s.classes[1].recall, s.confusion[0][1]      // of class 0, told to be 1
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace motley {

struct ClassScore {
  double precision = 0, recall = 0, f1 = 0;  // 0 where nothing was told, or nothing was there
  int64_t support = 0;                       // how many are of it
  int64_t predicted = 0;                     // how many were told to be
};

// micro counts every decision alike; macro is the mean over labels, weighted that by their support.
struct LabelAverages {
  ClassScore macro, micro, weighted;
};

struct ClassificationScore : LabelAverages {  // averages over the classes that occur or were told
  int64_t samples = 0;
  double accuracy = 0;
  std::vector<ClassScore> classes;
  std::vector<std::vector<int64_t>> confusion;  // [truth][predicted]
};

// Indices below `classes`, as many of one as of the other.
ClassificationScore score_classes(std::span<const int32_t> truth, std::span<const int32_t> predicted, int64_t classes);

struct MultiLabelScore : LabelAverages {  // averages over all labels
  int64_t samples = 0;
  double subset_accuracy = 0;  // all labels of a sample right
  double hamming_loss = 0;     // of all decisions, those wrong
  std::vector<ClassScore> labels;
};

// 0 or 1 for each label, [samples][labels].
MultiLabelScore score_multi_label(std::span<const uint8_t> truth, std::span<const uint8_t> predicted, int64_t labels);

}  // namespace motley

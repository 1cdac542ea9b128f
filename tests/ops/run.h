// Puts a question of the exam to a device and to the reference interpreter, and compares.
//
//   Answer a = ask(device, c, 7, 0);                    // the case with its first 7 rows
//   std::string wrong = disagreement(c, reference(c, 7, 0), a);   // "" or what differs most
#pragma once
#include <string>
#include <vector>

#include "case.h"
#include "runtime/device.h"

namespace motley::exam {

struct Answer {
  std::string kernel;
  std::vector<std::vector<float>> results;
};

// T rows from row `first` on; T is ignored by cases without a row axis. Error(runtime) when the device has no kernel for it.
Answer ask(Device& device, const Case& c, int64_t rows, int64_t first);

struct Reference {
  std::vector<RefValue> in, out;
};
Reference reference(const Case& c, int64_t rows, int64_t first);

std::string disagreement(const Case& c, const Reference& expected, const Answer& got);

// A one-step Program of the case with its states in the device, for timing.
struct Ready {
  std::unique_ptr<Executable> executable;
  Sizes sizes;
  std::string kernel;
  std::vector<std::vector<int32_t>> inputs;
  std::vector<std::vector<float>> outputs;
  void run();
};
Ready make_ready(Device& device, const Case& c, int64_t rows, int64_t first);

}  // namespace motley::exam

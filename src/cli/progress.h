// One line on a terminal that says how far long work is. Silent when standard error is no terminal, and for the first half second.
//
//   Progress progress("loading", true);
//   options.progress = progress.bytes();
//   ...
//   progress.done();
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace motley {

class Progress {
 public:
  Progress(std::string what, bool wanted);
  void show(double fraction, const std::string& detail = "");
  std::function<void(int64_t done, int64_t total)> bytes();
  void done();  // clears the line

 private:
  std::string what_;
  bool wanted_, shown_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace motley

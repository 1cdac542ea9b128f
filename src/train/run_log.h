// What a run leaves behind about itself, in its output folder: metrics.jsonl (a line per report, keys as Hugging Face names them),
// TensorBoard's events, trainer_state.json and report.html, a page of curves that needs nothing else.
//
//   RunLog log("runs/a", from_step);            // later lines of an interrupted run are taken away: they will be written again
//   log.add(101, {{"loss", 3.2}, {"learning_rate", 1e-3}});
//   log.write_page(facts);
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"
#include "train/event_file.h"

namespace motley {

struct LogRecord {
  int64_t step = 0;
  std::vector<std::pair<std::string, double>> values;
  std::string note = {};  // a sentence in place of values: what was decided after this step, and why
};

class RunLog {
 public:
  RunLog(const std::string& output, int64_t from_step);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void add(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  void note(int64_t step, const std::string& sentence);
  // The keys that Hugging Face's Trainer writes, with everything logged so far.
  std::string trainer_state(int64_t step, int64_t steps, double epoch, double best, const std::string& best_checkpoint) const;
  // title and facts: what stands above the curves.
  void write_page(const std::string& title, const std::vector<std::pair<std::string, std::string>>& facts) const;

  const std::vector<LogRecord>& records() const { return records_; }

 private:
  void write(LogRecord record);

  std::string output_;
  std::FILE* lines_ = nullptr;
  std::unique_ptr<EventFile> events_;
  std::vector<LogRecord> records_;
};

}  // namespace motley

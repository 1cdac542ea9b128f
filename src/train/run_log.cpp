#include "train/run_log.h"

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "train/report_page.h"

namespace motley {
namespace {

constexpr uint64_t kMaxLogBytes = uint64_t{1} << 30;

std::string line_of(const LogRecord& r) {
  Json line = {{"step", r.step}};
  if (!r.note.empty()) line["note"] = r.note;
  for (const auto& [key, value] : r.values) line[key] = std::isfinite(value) ? Json(value) : Json();
  return line.dump() + "\n";
}

LogRecord record_of(const Json& line, const std::string& what) {
  LogRecord r{json_int(line, "step", what), {}, json_find_string(line, "note", what).value_or("")};
  for (const auto& [key, value] : line.items())
    if (key != "step" && key != "note") r.values.emplace_back(key, value.is_number() ? value.get<double>() : NAN);
  return r;
}

}  // namespace

RunLog::RunLog(const std::string& output, int64_t from_step) : output_(output) {
  std::filesystem::create_directories(output);
  const std::string path = output + "/metrics.jsonl";
  std::string kept;
  if (from_step > 0 && file_exists(path)) {
    const std::string text = read_file(path, kMaxLogBytes);
    for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {  // a last line cut short is left out
      LogRecord r = record_of(parse_json(std::string_view(text).substr(begin, end - begin), path), path);
      if (r.step > from_step) continue;
      kept += text.substr(begin, end + 1 - begin);
      records_.push_back(std::move(r));
    }
  }
  AtomicFile out(path);
  out.write(kept);
  out.commit();
  lines_ = std::fopen(path.c_str(), "a");
  if (!lines_) fail(ErrorKind::runtime, "train", "cannot write {}", path);
  events_ = std::make_unique<EventFile>(output, from_step);
}

RunLog::~RunLog() {
  if (lines_) std::fclose(lines_);
}

void RunLog::write(LogRecord record) {
  records_.push_back(std::move(record));
  const std::string line = line_of(records_.back());
  if (std::fwrite(line.data(), 1, line.size(), lines_) != line.size() || std::fflush(lines_) != 0)
    fail(ErrorKind::runtime, "train", "cannot write {}/metrics.jsonl; is the disk full?", output_);
}

void RunLog::add(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  write({step, values});
  events_->add(step, values);
}

void RunLog::note(int64_t step, const std::string& sentence) { write({step, {}, sentence}); }

std::string RunLog::trainer_state(int64_t step, int64_t steps, double epoch, double best, const std::string& best_checkpoint) const {
  Json history = Json::array();
  for (const LogRecord& r : records_) history.push_back(Json::parse(line_of(r)));
  return Json{{"best_metric", std::isfinite(best) ? Json(best) : Json()},
              {"best_model_checkpoint", best_checkpoint.empty() ? Json() : Json(best_checkpoint)},
              {"epoch", epoch},
              {"global_step", step},
              {"max_steps", steps},
              {"is_local_process_zero", true},
              {"is_world_process_zero", true},
              {"log_history", history}}
             .dump(1) +
         "\n";
}

void RunLog::write_page(const std::string& title, const std::vector<std::pair<std::string, std::string>>& facts) const {
  AtomicFile out(output_ + "/report.html");
  out.write(report_page(title, facts, records_));
  out.commit();
}

}  // namespace motley

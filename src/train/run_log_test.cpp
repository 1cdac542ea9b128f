#include "train/run_log.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "event.pb.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

class RunLogs : public testing::Test {
 protected:
  void SetUp() override {
    output_ = fs::temp_directory_path() / fmt::format("motley-log-{}", getpid());
    fs::remove_all(output_);
  }
  void TearDown() override { fs::remove_all(output_); }
  std::string lines() { return read_file(output_ + "/metrics.jsonl", 1 << 20); }
  std::vector<std::string> event_files() {
    std::vector<std::string> out;
    for (const auto& e : fs::directory_iterator(output_))
      if (e.path().filename().string().starts_with("events.out.tfevents.")) out.push_back(e.path());
    return out;
  }
  std::string output_;
};

TEST(Crc32c, IsThatOfRfc3720) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
}

TEST_F(RunLogs, AResumedRunForgetsWhatCameAfterItsCheckpoint) {
  {
    RunLog log(output_, 0);
    for (int64_t step : {10, 20, 30}) {
      log.add(step, {{"loss", 1.0 / static_cast<double>(step)}});
      log.note(step, "so it is");
    }
  }
  std::ofstream(output_ + "/metrics.jsonl", std::ios::app) << "{\"step\": 40, \"lo";  // killed while it wrote
  RunLog log(output_, 20);
  log.add(30, {{"loss", NAN}});
  EXPECT_EQ(lines(),
            "{\"loss\":0.1,\"step\":10}\n{\"note\":\"so it is\",\"step\":10}\n{\"loss\":0.05,\"step\":20}\n{\"note\":\"so it "
            "is\",\"step\":20}\n{\"loss\":null,\"step\":30}\n");
  EXPECT_EQ(log.records().size(), 5u);
  EXPECT_EQ(log.records()[1].note, "so it is");
}

TEST_F(RunLogs, EventsReadBack) {
  {
    RunLog log(output_, 7);
    log.add(8, {{"loss", 2.5}, {"learning_rate", 1e-3}});
  }
  ASSERT_EQ(event_files().size(), 1u);
  std::string bytes = read_file(event_files()[0], 1 << 20);
  std::vector<events::Event> all;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, 8);
    events::Event e;
    ASSERT_TRUE(e.ParseFromString(bytes.substr(at + 12, length)));
    all.push_back(e);
    at += 16 + length;
  }
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].file_version(), "brain.Event:2");
  EXPECT_EQ(all[1].step(), 8);
  EXPECT_EQ(all[1].session_log().status(), 1);
  EXPECT_EQ(all[2].summary().value(0).tag(), "loss");
  EXPECT_EQ(all[2].summary().value(0).simple_value(), 2.5f);
}

TEST_F(RunLogs, EventFilesAreNamedInTheOrderInWhichTheyWereBegun) {
  std::vector<std::string> begun;
  for (int64_t step : {0, 100, 20, 3}) {  // all within a second, and perhaps by other processes
    RunLog log(output_, step);
    for (const std::string& file : event_files())
      if (std::ranges::find(begun, file) == begun.end()) begun.push_back(file);
  }
  EXPECT_EQ(begun.size(), 4u);
  EXPECT_TRUE(std::ranges::is_sorted(begun));
}

TEST_F(RunLogs, ThePageShowsWhatWasLoggedAndNothingIsTakenFromElsewhere) {
  RunLog log(output_, 0);
  for (int64_t step = 1; step <= 3000; ++step) log.add(step, {{"loss", 5 - 0.001 * static_cast<double>(step)}});
  log.write_page("a <b>", {{"model", "x & y"}});
  std::string page = read_file(output_ + "/report.html", 1 << 20);
  EXPECT_THAT(page, testing::HasSubstr("a &lt;b&gt;"));
  EXPECT_THAT(page, testing::HasSubstr("<polyline"));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("http")));
  EXPECT_LT(page.size(), 100000u);
}

TEST_F(RunLogs, TrainerStateHasTheKeysOfHuggingFace) {
  RunLog log(output_, 0);
  log.add(5, {{"loss", 2.0}});
  Json state = parse_json(log.trainer_state(5, 100, 0.5, 1.5, "x/checkpoint-5"), "state");
  EXPECT_EQ(state["global_step"], 5);
  EXPECT_EQ(state["max_steps"], 100);
  EXPECT_EQ(state["best_metric"], 1.5);
  EXPECT_EQ(state["log_history"][0]["loss"], 2.0);
}

}  // namespace
}  // namespace motley

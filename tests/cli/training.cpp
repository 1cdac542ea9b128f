#include "training.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <thread>

#include "base/file.h"
#include "io/json.h"
#include "program.h"

namespace motley {

std::string lesson(int sentences) {
  constexpr const char *kWho[] = {"a cat", "the dog", "one bird"}, *kDoes[] = {"sees", "likes", "meets"},
                       *kWhat[] = {"a tree", "the sun", "one fish"};
  std::string text;
  for (int i = 0; i < sentences; ++i) text += std::string(kWho[i % 3]) + " " + kDoes[i / 3 % 3] + " " + kWhat[i % 3] + (i % 5 == 4 ? ".\n\n" : ", ");
  return text;
}

std::vector<double> logged(const std::string& folder, const char* key) {
  std::vector<double> out;
  std::ifstream lines(folder + "/metrics.jsonl");
  for (std::string line; std::getline(lines, line);)
    if (Json j = parse_json(line, "metrics"); j.contains(key)) out.push_back(j[key].is_number() ? j[key].get<double>() : NAN);
  return out;
}

void Training::SetUp() {
  model_ = model_with_tokenizer(folder_);
  data_ = folder_.write("lesson.txt", lesson());
}

std::vector<std::string> Training::command(const std::string& output, const std::vector<std::string>& more) const {
  std::vector<std::string> out = {"train",    "--model",      model_,    "--data",    data_,     "--output",    folder_ / output,
                                  "--length", "32",           "--batch", "4",         "--steps", "24",          "--learning-rate",
                                  "3e-3",     "--eval-every", "6",       "--threads", "2",       "--log-every", "1"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::string Training::weights(const std::string& output, const std::string& file) const {
  return read_file(folder_ / (output + "/" + file), 1 << 28);
}

namespace {

// Starts the program and kills it after so long; whether it was still running.
bool killed_after(const std::vector<std::string>& arguments, std::chrono::milliseconds after) {
  std::vector<char*> argv = {const_cast<char*>(MOTLEY_PROGRAM)};
  for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stdout);
    std::freopen("/dev/null", "w", stderr);
    execv(MOTLEY_PROGRAM, argv.data());
    _exit(127);
  }
  std::this_thread::sleep_for(after);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

}  // namespace

void Training::run_and_kill(const std::vector<std::string>& more) const {
  const auto start = std::chrono::steady_clock::now();
  Ran whole = run(command("whole", more));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  std::mt19937 random(7);
  int killed = 0;
  for (int attempt = 0; attempt < 12; ++attempt) {  // each somewhere in the run, checkpoints being written included: one is written each step
    std::uniform_int_distribution<int64_t> instant(1, std::max<int64_t>(time.count(), 2));
    killed += killed_after(command("killed", more), std::chrono::milliseconds(instant(random)));
  }
  EXPECT_GT(killed, 0);
  Ran last = run(command("killed", more));
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(losses("killed"), losses("whole"));
  EXPECT_EQ(losses("killed", "eval_loss"), losses("whole", "eval_loss"));
}

}  // namespace motley

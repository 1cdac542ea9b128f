// Training from outside: a run that is killed at any instant ends where one that never was ends, to the bit; damaged checkpoints are left out;
// what cannot be trained is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "io/json.h"
#include "program.h"
#include "training.h"

namespace motley {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST_F(Training, LowersTheLossAndLeavesAModelThatRuns) {
  Ran r = run(command("a", {"--json"}));
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.json()["end"], "finished");
  auto loss = losses("a"), eval = losses("a", "eval_loss");
  ASSERT_EQ(loss.size(), 24u);
  EXPECT_EQ(eval.size(), 4u);
  EXPECT_LT(loss.back(), 0.6 * loss.front());
  EXPECT_LT(eval.back(), eval.front());
  EXPECT_THAT(r.err, HasSubstr("model "));
  EXPECT_THAT(r.err, HasSubstr("sample "));
  Ran said = run({"run", folder_ / "a", "-p", "a cat", "-n", "4", "--temp", "0"});
  EXPECT_EQ(said.code, 0) << said.err;
  for (const char* file :
       {"config.json", "tokenizer.json", "report.html", "metrics.jsonl", "checkpoint-24/trainer_state.json", "checkpoint-24/MANIFEST.json"})
    EXPECT_TRUE(fs::exists(fs::path(folder_ / "a") / file)) << file;
  EXPECT_FALSE(fs::exists(folder_ / "a/optimizer.safetensors"));
}

TEST_F(Training, AClassifierLearnsLabelsThatThereAreAndNamesThem) {
  std::string table = "text\tlabel\n";
  constexpr const char *kGood[] = {"a fine day", "the sun, a joy", "one dear friend"}, *kBad[] = {"a sad end", "the rain, a pain", "one old foe"};
  for (int i = 0; i < 200; ++i) table += std::string(i % 2 ? kGood[i % 3] : kBad[i % 3]) + "\t" + (i % 2 ? "good" : "bad") + "\n";
  std::string data = folder_.write("labels.tsv", table), config = folder_.write("rnn.json", R"({"model_type": "text-rnn", "vocab_size": 64,
      "embedding_size": 16, "units": 16, "id2label": {"0": "bad", "1": "good"}})");
  Ran r = run({"train", "--model",        config,  "--tokenizer",     model_,        "--data",    data, "--eval-data",
               data,    "--label-column", "label", "--output",        folder_ / "c", "--length",  "32", "--batch",
               "10",    "--epochs",       "4",     "--learning-rate", "2e-2",        "--threads", "2"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("200 of 200 evaluation samples occur in the training data"));
  auto accuracy = losses("c", "eval_accuracy");
  ASSERT_FALSE(accuracy.empty());
  EXPECT_EQ(accuracy.back(), 1) << r.err;
  Ran said = run({"classify", folder_ / "c", "-p", "the sun, a joy", "--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.json()["results"][0]["labels"][0]["label"], "good");
}

TEST_F(Training, MicroBatchesOfAnySizeGiveTheSameLosses) {
  std::vector<double> expected;
  for (const char* rows : {"4", "2", "1"}) {
    ASSERT_EQ(run(command(rows, {"--micro-batch", rows})).code, 0);
    auto got = losses(rows);
    if (expected.empty()) expected = got;
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(got[i], expected[i], 1e-4 * expected[i]) << rows << " rows, step " << i + 1;
  }
}

TEST_F(Training, ARunKilledAtAnyInstantEndsWhereOneThatNeverWasEnds) {
  run_and_kill({"--save-every", "1", "--average", "0.9", "--dropout", "0.1", "--micro-batch", "2"});
  EXPECT_EQ(weights("killed"), weights("whole"));
}

TEST_F(Training, ComputingAgainChangesNoBitAndTheLargestBatchIsFound) {
  ASSERT_EQ(run(command("none", {"--recompute", "none"})).code, 0);
  for (const char* mode : {"selective", "full"}) {
    Ran r = run(command(mode, {"--recompute", mode}));
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_THAT(r.err, HasSubstr(std::string("; ") + mode + " recomputation"));
    EXPECT_EQ(weights(mode), weights("none")) << mode;
  }
  Ran small = run(command("small", {"--batch", "auto", "--memory", "1200KiB"}));
  ASSERT_EQ(small.code, 0) << small.err;
  EXPECT_THAT(small.err, testing::ContainsRegex("rows at once would need [0-9]+ MiB of 1: [0-9]+ rows? at once"));
  EXPECT_THAT(run(command("x", {"--batch", "many"})).err, HasSubstr("--batch should be a number of rows, or auto, not 'many'"));
}

TEST_F(Training, ADamagedCheckpointIsLeftOutAndSaid) {
  ASSERT_EQ(run(command("whole")).code, 0);
  ASSERT_EQ(run(command("a")).code, 0);
  std::string newest = folder_ / "a/checkpoint-24/optimizer.safetensors";
  std::fstream file(newest, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(3000);
  const char flipped = static_cast<char>(file.peek() ^ 1);
  file.seekp(3000);
  file.put(flipped);
  file.close();
  Ran again = run(command("a"));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("optimizer.safetensors is not what was written"));
  EXPECT_THAT(again.err, HasSubstr("going on after step 18"));
  EXPECT_EQ(weights("a"), weights("whole"));
  Ran explicitly = run(command("b", {"--resume", folder_ / "a/checkpoint-12"}));
  EXPECT_EQ(explicitly.code, 0) << explicitly.err;
  EXPECT_EQ(weights("b"), weights("whole"));
}

TEST_F(Training, ADamagedNewestCheckpointDoesNotBecomeTheResult) {
  ASSERT_EQ(run(command("whole")).code, 0);
  const std::string before = weights("whole");
  const std::string newest = folder_ / "whole/checkpoint-24/model.safetensors";
  std::filesystem::resize_file(newest, 1000);
  Ran again = run(command("whole"));
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(weights("whole"), before);
  EXPECT_EQ(read_file(newest, 1 << 26), before);
}

TEST_F(Training, CtrlCSavesAndTheSameCommandGoesOn) {
  ASSERT_EQ(run(command("whole", {"--steps", "60"})).code, 0);
  std::vector<std::string> arguments = command("a", {"--steps", "60", "--eval-every", "60"});
  std::vector<char*> argv = {const_cast<char*>(MOTLEY_PROGRAM)};
  for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stderr);
    execv(MOTLEY_PROGRAM, argv.data());
    _exit(127);
  }
  for (int i = 0; i < 2000 && !fs::exists(folder_ / "a/metrics.jsonl"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 0) GTEST_SKIP() << "the run was over before it could be stopped";
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_FALSE(fs::exists(folder_ / "a/model.safetensors"));
}

TEST_F(Training, AnotherRecipeDoesNotGoOn) {
  ASSERT_EQ(run(command("a")).code, 0);
  Ran r = run(command("a", {"--batch", "8"}));
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("batch was '4' and is '8'"));
}

TEST_F(Training, ALossOutOfHandStopsTheRunAndKeepsAGoodCheckpoint) {
  Ran r = run(command("a", {"--learning-rate", "1e6", "--optimizer", "sgd", "--clip", "0", "--warmup", "8", "--steps", "60", "--save-every", "1"}));
  EXPECT_EQ(r.code, 1) << r.err;
  EXPECT_THAT(r.err, HasSubstr("was skipped"));
  EXPECT_THAT(r.err, HasSubstr("smaller --learning-rate"));
  EXPECT_FALSE(fs::exists(folder_ / "a/model.safetensors"));
}

TEST_F(Training, SaysWhatIsWrong) {
  auto refused = [&](std::vector<std::string> arguments) {
    Ran r = run(arguments);
    EXPECT_NE(r.code, 0);
    return r.err;
  };
  EXPECT_THAT(refused({"train"}), HasSubstr("--model"));
  EXPECT_THAT(refused({"train", "--model", model_}), HasSubstr("--data"));
  EXPECT_THAT(refused({"train", "--model", model_, "--data", data_}), HasSubstr("--output"));
  EXPECT_THAT(refused({"train", "--model", model_, "--data", folder_ / "none.txt", "--output", folder_ / "x"}), HasSubstr("none.txt"));
  EXPECT_THAT(refused(command("x", {"--optimizer", "adanw"})), HasSubstr("did you mean 'adamw'?"));
  EXPECT_THAT(refused(command("x", {"--schedule", "cosin"})), HasSubstr("did you mean 'cosine'?"));
  EXPECT_THAT(refused(command("x", {"--length", "100000"})), HasSubstr("positions"));
  EXPECT_THAT(refused(command("x", {"--memory", "1KiB"})), HasSubstr("use a smaller"));
  EXPECT_THAT(refused(command("x", {"--micro-batch", "3"})), HasSubstr("no multiple"));
  EXPECT_THAT(refused(command("x", {"--dropout", "1"})), HasSubstr("below 1"));
  EXPECT_THAT(refused(command("x", {"--resume", folder_ / "nowhere"})), HasSubstr("MANIFEST.json"));
  EXPECT_THAT(refused({"train", folder_.write("r.yaml", "modal: a\n")}), HasSubstr("did you mean 'model'?"));
  EXPECT_THAT(refused({"train", "--model", tiny_model(), "--data", data_, "--output", folder_ / "x"}), HasSubstr("no tokenizer"));
}

TEST_F(Training, ARecipeFileIsTheSameAsItsFlags) {
  ASSERT_EQ(run(command("a")).code, 0);
  std::string recipe =
      folder_.write("r.yaml", "model: " + model_ + "\ndata: " + data_ +
                                  "\nlength: 32\nbatch: 4\nsteps: 24\nlearning-rate: 0.003\neval-every: 6\nthreads: 2\nlog-every: 1\n");
  Ran r = run({"train", recipe, "--output", folder_ / "b"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(weights("b"), weights("a"));
}

TEST_F(Training, AFullDiskLosesNothing) {
  ASSERT_EQ(run(command("whole")).code, 0);
  Ran r = run(command("a"), {.max_file_bytes = 40000});
  EXPECT_NE(r.code, 0);
  EXPECT_THAT(r.err, HasSubstr("more to write"));
  EXPECT_FALSE(fs::exists(folder_ / "a/model.safetensors"));
  for (const auto& entry : fs::directory_iterator(folder_ / "a"))
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("checkpoint-")));
  EXPECT_EQ(run(command("a")).code, 0);
  EXPECT_EQ(weights("a"), weights("whole"));
}

}  // namespace
}  // namespace motley

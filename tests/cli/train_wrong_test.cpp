// What clumsy hands and hostile files give to training: each ends with the documented code, says what to do, and leaves nothing half-written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <tuple>

#include "base/file.h"
#include "base/folder_lock.h"
#include "io/json.h"
#include "program.h"
#include "training.h"

namespace motley {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class WrongTraining : public Training {
 protected:
  void expect(const std::vector<std::string>& arguments, int code, const std::string& words) {
    Ran r = run(arguments);
    EXPECT_EQ(r.code, code) << r.err;
    EXPECT_THAT(r.err, AllOf(HasSubstr(words), testing::Not(HasSubstr("[internal]"))));
  }
  void flip_bit(const std::string& path, std::streamoff at) const {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char flipped = static_cast<char>(file.peek() ^ 4);
    file.seekp(at);
    file.put(flipped);
  }
};

TEST_F(WrongTraining, NumbersOutOfTheirRange) {
  for (auto [flag, value, words] : {std::tuple{"--epochs", "0", "--epochs should be above 0"},
                                    {"--epochs", "nan", "--epochs should be above 0"},
                                    {"--steps", "-3", "--steps should be at least 0"},
                                    {"--learning-rate", "inf", "--learning-rate should be at least 0"},
                                    {"--learning-rate", "-1", "--learning-rate should be at least 0"},
                                    {"--weight-decay", "nan", "--weight-decay should be at least 0"},
                                    {"--beta1", "1", "--beta1 should be at least 0 and below 1"},
                                    {"--momentum", "-0.5", "--momentum should be at least 0"},
                                    {"--epsilon", "0", "--epsilon should be above 0"},
                                    {"--clip", "-1", "--clip should be at least 0"},
                                    {"--floor", "2", "--floor should be at least 0 and at most 1"},
                                    {"--warmup", "-2", "--warmup should be at least -1"},
                                    {"--eval-fraction", "1", "--eval-fraction should be at least 0 and below 1"},
                                    {"--eval-every", "-1", "--eval-every should be at least 0"},
                                    {"--patience", "-1", "--patience should be at least 0"},
                                    {"--threads", "-1", "--threads should be at least 0"},
                                    {"--length", "-5", "--length should be at least 0"},
                                    {"--length", "1", "hold nothing to predict"},
                                    {"--batch", "0", "--batch should be a number of rows"},
                                    {"--memory", "lots", "--memory should be a size"},
                                    {"--objective", "win", "there is no objective 'win'"}})
    expect(command("x", {flag, value}), 2, words);
  EXPECT_TRUE(folder_.holds_only({"model", "lesson.txt", "x"}));
  EXPECT_FALSE(fs::exists(folder_ / "x/metrics.jsonl"));
}

TEST_F(WrongTraining, RecipesOfAnotherShape) {
  auto recipe = [&](const std::string& text) { return std::vector<std::string>{"train", folder_.write("r.yaml", text)}; };
  expect(recipe("model: x\ndata: {path: a}\n"), 2, "r.yaml line 2: 'data' should be a value");
  expect(recipe("steps: 1.5\n"), 2, "--steps = 1.5");
  expect(recipe("just words\n"), 2, "should be a list of 'flag: value' lines");
  expect(recipe("a: &x [*x]\n"), 2, "r.yaml line 1");
  expect(recipe(std::string(5000, '[')), 2, "r.yaml line 1");
  expect(recipe(std::string(2 << 20, '#')), 3, "r.yaml");
  expect({"train", folder_ / "none.yaml"}, 3, "none.yaml");
}

TEST_F(WrongTraining, DataThatAreNone) {
  auto with = [&](const std::string& name, const std::string& bytes, const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags = {"--data", folder_.write(name, bytes)};
    flags.insert(flags.end(), more.begin(), more.end());
    return command("x", flags);
  };
  expect(with("empty.txt", ""), 3, "empty.txt is empty: there is nothing to read");
  expect(with("blank.txt", " \n\n\t\n"), 3, "is empty");
  expect(with("zero.txt", std::string("a\0b", 3)), 3, "byte 1 is zero");
  expect(with("broken.jsonl", "{\"text\": \"a b\"}\n{\"text\": \n{\"text\": 3}\n"), 3, "broken.jsonl");
  expect(with("few.jsonl", "{\"text\": \"a cat\"}\n{\"text\": 3}\n"), 3, "line 2: 'text' is number, expected a text");
  expect(with("head.tsv", "text\tlabel\n", {"--label-column", "label"}), 3, "nothing to learn from");
  expect(with("hole.tsv", "text\tlabel\na cat\t\nthe dog\tx\n", {"--label-column", "label"}), 3, "line 2: the label is missing");
  expect(with("other.tsv", "text\tmark\na cat\t1\n", {"--label-column", "label"}), 2, "there is no column 'label'");
  expect(with("nan.tsv", "text\tlabel\na cat\tnan\nthe dog\t1.5\n", {"--label-column", "label", "--objective", "regression"}), 3,
         "'nan' is no number");
  expect(with("lesson.md", lesson(), {"--label-column", "label"}), 2, "has no label column");
  expect(command("x", {"--eval-data", folder_.write("e.txt", "")}), 3, "e.txt is empty");
  expect(command("x", {"--eval-fraction", "0", "--patience", "2"}), 2, "--patience waits for evaluations");
  expect(command("x", {"--eval-fraction", "0", "--schedule", "plateau"}), 2, "--schedule plateau waits for evaluations");
  EXPECT_FALSE(fs::exists(folder_ / "x/model.safetensors"));
}

TEST_F(WrongTraining, SmallAndOddDataAreLearnedAllTheSame) {
  for (auto [name, text] : {std::pair{"line.txt", "a cat sees the sun"},
                            {"letter.txt", "a"},
                            {"crlf.txt",
                             "\xEF\xBB\xBF"
                             "a cat\r\nsees\r\nthe sun\r\n"},
                            {"bad.txt", "a cat \xFF\xFE sees the sun"}}) {
    Ran r = run(command(std::string("from-") + name, {"--data", folder_.write(name, text), "--steps", "2"}));
    EXPECT_EQ(r.code, 0) << name << r.err;
  }
  // A line longer than any row is cut into rows; a labelled one loses its end, which is said.
  std::string line;
  while (line.size() < (1 << 20)) line += "a cat sees the sun, ";
  Ran r = run(command("long", {"--data", folder_.write("long.txt", line), "--steps", "2", "--eval-batches", "1"}));
  EXPECT_EQ(r.code, 0) << r.err;
  Ran labelled = run(command("labels", {"--data", folder_.write("long.tsv", "text\tlabel\n" + line + "\tx\nthe dog\ty\n"), "--label-column", "label",
                                        "--steps", "2", "--eval-fraction", "0"}));
  EXPECT_EQ(labelled.code, 0) << labelled.err;
  EXPECT_THAT(labelled.err, HasSubstr("1 of the records had more than 32 tokens and were cut"));
}

TEST_F(WrongTraining, AnOutputThatCannotBeWritten) {
  expect(command("lesson.txt"), 1, "cannot make the folder");
  expect(command("lesson.txt/below"), 1, "cannot make the folder");
  if (fs::exists("/proc/self")) {
    std::vector<std::string> arguments = command("x");
    *(std::ranges::find(arguments, "--output") + 1) = "/proc/motley";
    expect(arguments, 1, "cannot make the folder /proc/motley");
  }
}

TEST_F(WrongTraining, OnlyOneTrainingWritesIntoAFolder) {
  {
    FolderLock lock(folder_ / "a");
    expect(command("a"), 2, "another process is writing into");
  }
  EXPECT_EQ(run(command("a")).code, 0);
}

// Class by class: a bit, a file that is missing, two that are exchanged, a manifest that says something else.
TEST_F(WrongTraining, DamagedCheckpointsAreLeftOutOrRefused) {
  ASSERT_EQ(run(command("whole")).code, 0);
  auto damaged = [&](const char* how, const std::function<void(const std::string&)>& damage) {
    const std::string name = std::string("of-") + how;
    fs::copy(folder_ / "whole", folder_ / name, fs::copy_options::recursive);
    const std::string newest = folder_ / (name + "/checkpoint-24");
    damage(newest);
    expect(command(name, {"--resume", newest}), 3, "cannot be gone on from");
    Ran on = run(command(name));
    EXPECT_EQ(on.code, 0) << how << on.err;
    EXPECT_THAT(on.err, AllOf(HasSubstr("WARNING"), HasSubstr("going on after step 18"))) << how;
    EXPECT_EQ(weights(name), weights("whole")) << how;
  };
  damaged("bit", [&](const std::string& c) { flip_bit(c + "/model.safetensors", 2000); });
  damaged("run", [&](const std::string& c) { flip_bit(c + "/run.json", 5); });
  damaged("missing", [&](const std::string& c) { fs::remove(c + "/optimizer.safetensors"); });
  damaged("cut", [&](const std::string& c) { fs::resize_file(c + "/model.safetensors", 1000); });
  damaged("exchanged", [&](const std::string& c) {
    fs::rename(c + "/optimizer.safetensors", c + "/x");
    fs::rename(c + "/model.safetensors", c + "/optimizer.safetensors");
    fs::rename(c + "/x", c + "/model.safetensors");
  });
  damaged("folder", [&](const std::string& c) {
    fs::remove(c + "/run.json");
    fs::create_directory(c + "/run.json");
  });
  for (auto [name, text] : {std::pair{"nothing", ""},
                            {"list", "[]"},
                            {"numbers", R"({"files": [1, {"name": 2}]})"},
                            {"files", R"({"files": 3})"},
                            {"outside", R"({"files": [{"name": "../x", "bytes": 1, "hash": "0"}]})"},
                            {"negative", R"({"files": [{"name": "run.json", "bytes": -1, "hash": ""}]})"}})
    damaged(name, [&](const std::string& c) { std::ofstream(c + "/MANIFEST.json") << text; });
}

// A model whose weights are no numbers never becomes a checkpoint that looks good.
TEST_F(WrongTraining, WeightsThatAreNoNumbersEndTheRun) {
  const std::string path = model_ + "/model.safetensors";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4000, std::ios::end);
  const float nothing = NAN;
  for (int i = 0; i < 100; ++i) file.write(reinterpret_cast<const char*>(&nothing), sizeof nothing);
  file.close();
  Ran r = run(command("x", {"--save-every", "100"}));
  EXPECT_EQ(r.code, 1) << r.err;
  EXPECT_THAT(r.err, HasSubstr("its loss is nan"));
  EXPECT_FALSE(fs::exists(folder_ / "x/model.safetensors"));
}

}  // namespace
}  // namespace motley

// Models with an encoder through the program: what it writes, and what eval tells of it.
#include <gtest/gtest.h>

#include <filesystem>

#include "material.h"
#include "program.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

std::string translator(const TempFolder& folder, const std::string& name) {
  fs::copy(fs::path(MOTLEY_SOURCE_DIR "/tests/data/seq2seq") / name, folder / name, fs::copy_options::recursive);
  return folder / name;
}

std::string pairs(const TempFolder& folder) {
  return folder.write(
      "pairs.tsv",
      "source\ttarget\nthe cat sat\ta dog ate\na dog ate\tthe man had\nthe man had\tno hat\nno hat\tthe mat\nthe mat\tan ant\nan ant\tthe cat "
      "sat\n");
}

TEST(Translating, WritesAnAnswerAndTellsItsWorth) {
  TempFolder folder;
  const std::string model = translator(folder, "t5"), data = pairs(folder);
  Ran said = run({"run", model, "-p", "the cat sat", "-n", "12", "--json"}),
      again = run({"run", model, "-p", "the cat sat", "-n", "12", "--beams", "1", "--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.json()["ids"], again.json()["ids"]);  // by the likeliest tokens, with no seed
  Ran searched = run({"run", model, "-p", "the cat sat", "-n", "12", "--beams", "3", "--length-penalty", "0.5", "--json"});
  ASSERT_EQ(searched.code, 0) << searched.err;
  EXPECT_LE(searched.json()["ids"].size(), 12u);
  Ran told = run({"eval", model, "--data", data, "--answers", "-n", "12", "--json"});
  ASSERT_EQ(told.code, 0) << told.err;
  EXPECT_EQ(told.json()["answers"], 6);
  EXPECT_GE(told.json()["bleu"].get<double>(), 0);
  EXPECT_EQ(run({"eval", model, "--data", data, "--answers", "-n", "12", "--min-bleu", "99"}).code, 7);
}

// BART's file says what an answer begins with, Marian's asks for a search; the text in another language is cut into pieces of its own.
TEST(Translating, EachFamilyAsItsFilesSay) {
  TempFolder folder;
  const std::string data = pairs(folder);
  for (const char* name : {"bart", "marian"}) {
    const std::string model = translator(folder, name);
    const auto say = [&](std::vector<std::string> more) {
      more.insert(more.begin(), {"run", model, "-p", "the cat sat", "-n", "12", "--json"});
      Ran said = run(more);
      EXPECT_EQ(said.code, 0) << said.err;
      return said.json()["ids"];
    };
    EXPECT_EQ(say({}), say({"--beams", std::string_view(name) == "marian" ? "2" : "1"})) << name;
    Ran told = run({"eval", model, "--data", data, "--answers", "-n", "12", "--json"});
    ASSERT_EQ(told.code, 0) << told.err;
    EXPECT_EQ(told.json()["answers"], 6);
  }
}

TEST(Translating, RefusesWhatDoesNotGoTogether) {
  TempFolder folder;
  const std::string model = translator(folder, "t5");
  auto refused = [](const std::vector<std::string>& arguments, const char* words) {
    Ran r = run(arguments);
    EXPECT_EQ(r.code, 2) << r.err;
    EXPECT_NE(r.err.find(words), std::string::npos) << r.err;
  };
  refused({"chat", model}, "without a conversation");
  refused({"eval", model, "--ppl", folder.write("text", "the cat")}, "measure it on --data");
  refused({"run", model, "-p", "the cat", "--beams", "2", "--temp", "1"}, "leave --temp out");
  refused({"run", model, "-p", "the cat", "--beams", "2", "--logits", folder / "logits"}, "use --beams 1");
  refused({"finetune", model, "--data", pairs(folder), "--output", folder / "out"}, "does not learn yet");
}

}  // namespace
}  // namespace motley

// The model that the program carries: every command takes it by its name, those that write also without one.
#include <gtest/gtest.h>

#include "base/file.h"
#include "material.h"
#include "program.h"
#include "training.h"

namespace motley {
namespace {

TEST(Embedded, WritesWithoutAModelBeingNamed) {
  Ran named = run({"run", "stories", "-p", "Once upon a time", "-n", "24", "--temp", "0", "--json"});
  ASSERT_EQ(named.code, 0) << named.err;
  const auto json = named.json();
  EXPECT_GE(json["ids"].size(), 20u);
  EXPECT_EQ(json["prompt_ids"][0], 0);  // texts begin with the token that parts them
  Ran unnamed = run({"run", "-p", "Once upon a time", "-n", "24", "--temp", "0", "--json"});
  ASSERT_EQ(unnamed.code, 0) << unnamed.err;
  EXPECT_EQ(unnamed.json()["text"], json["text"]);
}

TEST(Embedded, WritesWords) {
  const std::string text = run({"run", "-p", "Once upon a time there was a little girl", "-n", "60", "--temp", "0", "--json"}).json()["text"];
  int known = 0;
  for (const char* word : {" she", " the", " was", " to", " and"}) known += text.find(word) != text.npos;
  EXPECT_GE(known, 4) << text;
}

TEST(Embedded, OtherCommandsTakeItByName) {
  Ran ids = run({"tokenize", "stories", "--json", "--no-special"}, {.input = "the little dog"});
  ASSERT_EQ(ids.code, 0) << ids.err;
  EXPECT_EQ(run({"detokenize", "stories"}, {.input = ids.out}).out, "the little dog");
  Ran show = run({"show", "stories", "--json"});
  ASSERT_EQ(show.code, 0) << show.err;
  EXPECT_EQ(show.json()["supported"], true);

  TempFolder folder;
  Ran small = run({"quantize", "stories", "-t", "q4_0", "-o", folder / "small.gguf", "-q"});
  ASSERT_EQ(small.code, 0) << small.err;
  EXPECT_EQ(run({"run", folder / "small.gguf", "-p", "One day", "-n", "4", "--temp", "0", "-q"}).code, 0);
}

TEST(Embedded, LearnsAText) {
  TempFolder folder;
  folder.write("lesson.txt", lesson());
  Ran learned = run({"finetune", "stories", "--data", folder / "lesson.txt", "--output", folder / "out", "--length", "64", "--batch", "4", "--steps",
                     "12", "--log-every", "1", "--learning-rate", "2e-3", "-q"});
  ASSERT_EQ(learned.code, 0) << learned.err;
  const auto losses = logged(folder / "out", "loss");
  ASSERT_EQ(losses.size(), 12u);
  EXPECT_LT(losses.back(), 0.7 * losses.front());
  EXPECT_EQ(run({"run", folder / "out", "-p", "the", "-n", "4", "--temp", "0", "-q"}).code, 0);
}

}  // namespace
}  // namespace motley

// What the tokenizers of these models make of texts, and of those that answer them: as the transformers and SentencePiece packages do.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "base/file.h"
#include "io/io_test_support.h"
#include "io/tokenizer/tokenizer.h"
#include "motley/error.h"
#include "translator.h"

namespace motley {
namespace {

// For what it does not know the library writes a mark between spaces; without special tokens there is none, as in transformers, and a text begins
// with what is left.
std::string without_marks(std::string text) {
  const std::string mark = " \u2047 ";
  bool first = false;
  for (size_t at; (at = text.find(mark)) != std::string::npos; text.erase(at, mark.size())) first = first || at == 0;
  return first && text.starts_with(' ') ? text.substr(1) : text;
}

class Seq2SeqTokens : public testing::TestWithParam<std::string> {};

TEST_P(Seq2SeqTokens, AreThoseOfTheReference) {
  const std::string path = seq2seq_folder(GetParam()) + "/tokens.json";
  const Json expected = parse_json(read_file(path, 1 << 20), path);
  auto tokenizer = Tokenizer::load(seq2seq_folder(GetParam()));
  auto check = [](const Tokenizer& t, const Json& cases) {
    for (const Json& c : cases) {
      EXPECT_EQ(t.encode(c["text"].get<std::string>()), c["ids"].get<std::vector<int32_t>>()) << c["text"];
      EXPECT_EQ(t.decode(c["ids"].get<std::vector<int32_t>>(), {.skip_special = true}), without_marks(c["decoded"].get<std::string>())) << c["text"];
    }
  };
  check(*tokenizer, expected["texts"]);
  if (expected.contains("answers")) check(tokenizer->of_answers(), expected["answers"]);
}

TEST(MarianTokens, ControlTokensAreReadWhereAskedFor) {
  auto t = Tokenizer::load(seq2seq_folder("marian"));
  const auto text = t->encode("a cat", {.add_special = false});
  auto with = text;
  with.push_back(t->special().eos);
  EXPECT_EQ(t->encode("a cat</s>", {.add_special = false, .parse_special = true}), with);
  EXPECT_EQ(t->encode("a cat"), with);
  EXPECT_NE(t->encode("a cat</s>", {.add_special = false}), with);
}

// Files that are damaged, and the one that says more than is read.
TEST(MarianTokens, NameWhatIsWrongWithTheirFiles) {
  const auto refused = [](const std::function<void(const std::string& folder)>& damage) {
    test::TemporaryFolder folder;
    for (const char* file : {"source.spm", "target.spm", "vocab.json"}) folder.write(file, read_file(seq2seq_folder("marian") + "/" + file, 1 << 20));
    damage(folder.path());
    try {
      Tokenizer::load(folder.path());
    } catch (const Error& e) {
      return std::string(e.what()).replace(std::string(e.what()).find(folder.path()), folder.path().size(), "FOLDER");
    }
    return std::string("nothing was refused");
  };
  namespace fs = std::filesystem;
  EXPECT_EQ(refused([](const std::string& f) { std::ofstream(f + "/vocab.json") << R"({"<unk>": 1, "a": 2})"; }),
            "[tokenizer] FOLDER/vocab.json: there is no '</s>'");
  EXPECT_EQ(refused([](const std::string& f) { std::ofstream(f + "/vocab.json") << R"({"<unk>": 1, "</s>": "0"})"; }),
            "[tokenizer] FOLDER/vocab.json: the id of '</s>' should be an integer");
  EXPECT_EQ(refused([](const std::string& f) { std::ofstream(f + "/vocab.json") << "[]"; }),
            "[tokenizer] FOLDER/vocab.json: expected an object from token to id, found array");
  EXPECT_EQ(refused([](const std::string& f) { fs::copy(f + "/vocab.json", f + "/target_vocab.json"); }),
            "[tokenizer] FOLDER/target_vocab.json: translations have ids of their own, expected one vocab.json for both languages");
  EXPECT_NE(refused([](const std::string& f) { fs::remove(f + "/target.spm"); }).find("FOLDER/target.spm"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, Seq2SeqTokens, testing::Values("t5", "t5-v1.1", "bart", "marian"));

}  // namespace
}  // namespace motley

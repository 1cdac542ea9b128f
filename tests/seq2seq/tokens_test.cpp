// What the tokenizers of these models make of texts: as the SentencePiece library does.
#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "io/tokenizer/tokenizer.h"
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
}

INSTANTIATE_TEST_SUITE_P(All, Seq2SeqTokens, testing::Values("t5", "t5-v1.1"));

}  // namespace
}  // namespace motley

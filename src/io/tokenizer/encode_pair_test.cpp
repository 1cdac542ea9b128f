#include "io/tokenizer/encode_pair.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace motley {
namespace {

using Ids = std::vector<int32_t>;

std::shared_ptr<const Tokenizer> words() {
  return Tokenizer::from_vocab_txt("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\n", "vocab.txt");  // a is 5
}

std::string json_with(const std::string& post_processor) {
  return R"({"added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "post_processor": )" + post_processor +
         R"(, "model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "c": 4}, "unk_token": "a"}})";
}

TEST(EncodeWhole, OneTextIsWhatEncodeGives) {
  auto t = words();
  const EncodedText e = encode_whole(*t, "a b", std::nullopt, 16);
  EXPECT_EQ(e.ids, t->encode("a b"));
  EXPECT_EQ(e.ids, (Ids{2, 5, 6, 3}));
  EXPECT_EQ(e.types, (Ids{0, 0, 0, 0}));
  EXPECT_EQ(e.first_begin, 1);
  EXPECT_EQ(e.first_size, 2);
  EXPECT_EQ(e.second_size, 0);
}

TEST(EncodeWhole, TwoTextsAreTwoSegments) {
  const EncodedText e = encode_whole(*words(), "a b", "c", 16);
  EXPECT_EQ(e.ids, (Ids{2, 5, 6, 3, 7, 3}));
  EXPECT_EQ(e.types, (Ids{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(e.second_begin, 4);
  EXPECT_EQ(e.second_size, 1);
  EXPECT_EQ(e.cut, 0);
}

TEST(EncodeWhole, TheLongerTextIsCutFirstAndTheSpecialTokensStay) {
  auto t = words();
  EXPECT_EQ(encode_whole(*t, "a b c d e", std::nullopt, 4).ids, (Ids{2, 5, 6, 3}));
  const EncodedText e = encode_whole(*t, "a b c d e", "d", 7);
  EXPECT_EQ(e.ids, (Ids{2, 5, 6, 7, 3, 8, 3}));
  EXPECT_EQ(e.cut, 2);
  EXPECT_EQ(encode_whole(*t, "a b c d", "a b c d e", 8).ids, (Ids{2, 5, 6, 3, 5, 6, 7, 3}));
}

TEST(EncodeWhole, ATokenizerSaysWhatStandsAroundAPair) {
  auto roberta = Tokenizer::from_tokenizer_json(json_with(R"({"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 1]})"), "r");
  const EncodedText e = encode_whole(*roberta, "a", "b", 16);
  EXPECT_EQ(e.ids, (Ids{0, 2, 1, 1, 3, 1}));
  EXPECT_EQ(e.types, (Ids{0, 0, 0, 0, 0, 0}));
  auto by_template = Tokenizer::from_tokenizer_json(json_with(R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
                    "pair": [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "</s>", "type_id": 1}},
                             {"Sequence": {"id": "A", "type_id": 0}}],
                    "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}})"),
                                                    "t");
  const EncodedText swapped = encode_whole(*by_template, "a", "b c", 16);
  EXPECT_EQ(swapped.ids, (Ids{3, 4, 1, 2}));
  EXPECT_EQ(swapped.types, (Ids{1, 1, 1, 0}));
  EXPECT_EQ(swapped.first_begin, 3);
  auto nothing = Tokenizer::from_tokenizer_json(json_with("null"), "n");
  EXPECT_EQ(encode_whole(*nothing, "a", "b", 16).ids, (Ids{2, 3}));
}

TEST(EncodeWhole, NoRoomForTextIsAnError) { EXPECT_THROW(encode_whole(*words(), "a", std::nullopt, 2), Error); }

}  // namespace
}  // namespace motley

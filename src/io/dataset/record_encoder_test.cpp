#include "io/dataset/record_encoder.h"

#include "io/dataset/conversation.h"
#include "io/dataset/dataset_test_support.h"
#include "io/ordered_json.h"
#include "io/template/builtin_templates.h"

namespace motley {
namespace {

using namespace test;

Record record_of(std::string_view json, std::string (*read)(const nlohmann::ordered_json&, Record&)) {
  Record r;
  EXPECT_EQ(read(parse_ordered_json(json, "record"), r), "") << json;
  return r;
}

// The text that counts, and in brackets the text that does not.
std::string marked(const EncodedRecord& e, const Tokenizer& tokenizer) {
  EXPECT_EQ(e.problem, "");
  std::string out;
  for (size_t begin = 0, end; begin < e.ids.size(); begin = end) {
    for (end = begin + 1; end < e.ids.size() && e.scored[end] == e.scored[begin];) ++end;
    const std::string text = tokenizer.decode(std::span(e.ids).subspan(begin, end - begin));
    out += e.scored[begin] ? text : "[" + text + "]";
  }
  return out;
}

class Encoder : public testing::Test {
 protected:
  std::string encoded(const Record& r) { return marked(RecordEncoder(*tokenizer_, options_).encode(r), *tokenizer_); }
  std::string problem(const Record& r) { return RecordEncoder(*tokenizer_, options_).encode(r).problem; }
  std::shared_ptr<const Tokenizer> tokenizer_ = byte_tokenizer();
  DataOptions options_;
};

constexpr const char* kTwoTurns =
    R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"},
        {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]})";

TEST_F(Encoder, OnlyAnswersAndWhatEndsThemCount) {
  options_.chat_template = *builtin_chat_template("chatml");
  EXPECT_EQ(encoded(record_of(kTwoTurns, read_messages)),
            "[<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n]2<|im_end|>[\n<|im_start|>user\n2+2?"
            "<|im_end|>\n<|im_start|>assistant\n]4<|im_end|>");
}

TEST_F(Encoder, ATurnThatNothingEndsIsEndedAtLast) {
  options_.chat_template = *builtin_chat_template("alpaca");
  EXPECT_EQ(encoded(record_of(kTwoTurns, read_messages)),
            "[Be brief.\n\n### Instruction:\n1+1?\n\n### Response:\n]2\n\n[### Instruction:\n2+2?\n\n### Response:\n]4\n\n<|endoftext|>");
}

TEST_F(Encoder, AnAnswerOfWeightZeroDoesNotCount) {
  options_.chat_template = *builtin_chat_template("chatml");
  const std::string text = encoded(record_of(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "B", "weight": 0}, {"role": "user", "content": "c"},
          {"role": "assistant", "content": "D"}]})",
      read_messages));
  EXPECT_TRUE(text.ends_with("B<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n]D<|im_end|>")) << text;
}

TEST_F(Encoder, ShareGptIsReadByItsOwnWords) {
  options_.chat_template = *builtin_chat_template("chatml");
  EXPECT_EQ(encoded(record_of(R"({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}], "system": "S", "tools": ""})",
                              read_sharegpt)),
            "[<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n]Ho<|im_end|>");
  Record call = record_of(
      R"({"conversations": [{"from": "human", "value": "?"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},
          {"from": "observation", "value": "7"}, {"from": "gpt", "value": "seven"}], "tools": "[{\"type\": \"function\"}]"})",
      read_sharegpt);
  EXPECT_EQ(call.messages[1]["tool_calls"][0]["function"]["arguments"]["x"], 1);
  EXPECT_EQ(call.messages[2]["role"], "tool");
  EXPECT_EQ(call.tools.size(), 1u);
}

TEST_F(Encoder, AlpacaHasAPromptOfItsOwnWithoutATemplate) {
  const char* json = R"({"instruction": "Add.", "input": "1 2", "output": "3"})";
  EXPECT_EQ(encoded(record_of(json, read_alpaca)),
            "[Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately "
            "completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n]3<|endoftext|>");
  options_.chat_template = *builtin_chat_template("chatml");
  EXPECT_EQ(encoded(record_of(json, read_alpaca)), "[<|im_start|>user\nAdd.\n1 2<|im_end|>\n<|im_start|>assistant\n]3<|im_end|>");
  Record history = record_of(R"({"instruction": "Again.", "output": "5", "history": [["Add.", "4"]]})", read_alpaca);
  EXPECT_EQ(encoded(history),
            "[<|im_start|>user\nAdd.<|im_end|>\n<|im_start|>assistant\n]4<|im_end|>[\n<|im_start|>user\nAgain.<|im_end|>\n"
            "<|im_start|>assistant\n]5<|im_end|>");
}

TEST_F(Encoder, ATemplateThatForgetsEarlierAnswersIsNoticed) {
  // As those do that leave out earlier reasoning: only the last answer is shown as it was given.
  options_.chat_template =
      "{% for m in messages %}{% if m.role == 'user' %}U{{ m.content }}{% else %}A{{ m.content if loop.last else '...' }}<|im_end|>{% endif %}"
      "{% endfor %}{% if add_generation_prompt %}A{% endif %}";
  Record r = record_of(kTwoTurns, read_messages);
  r.messages.erase(0);
  EncodedRecord e = RecordEncoder(*tokenizer_, options_).encode(r);
  EXPECT_TRUE(e.earlier_answers_lost);
  EXPECT_EQ(marked(e, *tokenizer_), "[U1+1?A...<|im_end|>U2+2?A]4<|im_end|>");
}

TEST_F(Encoder, WhatATemplateRefusesIsABadRecord) {
  Record r = record_of(kTwoTurns, read_messages);
  EXPECT_NE(problem(r).find("--chat-template"), std::string::npos);
  options_.chat_template = "{{ raise_exception('no system here') }}";
  EXPECT_NE(problem(r).find("no system here"), std::string::npos);
}

TEST_F(Encoder, RecordsThatTeachNothingAreRefusedInWords) {
  auto refusal = [](std::string_view json, std::string (*read)(const nlohmann::ordered_json&, Record&)) {
    Record r;
    return read(parse_ordered_json(json, "record"), r);
  };
  EXPECT_NE(refusal(R"({"messages": [{"role": "user", "content": "a"}]})", read_messages).find("no answer"), std::string::npos);
  EXPECT_NE(refusal(R"({"messages": [{"role": "assistant", "content": " "}]})", read_messages).find("empty answer"), std::string::npos);
  EXPECT_NE(refusal(R"({"messages": [{"role": "robot", "content": "a"}]})", read_messages).find("'robot'"), std::string::npos);
  EXPECT_NE(refusal(R"({"messages": "a"})", read_messages).find("no list"), std::string::npos);
  EXPECT_NE(refusal(R"({"conversations": [{"from": "alien", "value": "a"}]})", read_sharegpt).find("'alien'"), std::string::npos);
  EXPECT_NE(refusal(R"({"conversations": [{"from": "function_call", "value": "{"}]})", read_sharegpt), "");
  EXPECT_NE(refusal(R"({"instruction": "a", "output": ""})", read_alpaca).find("'output'"), std::string::npos);
  EXPECT_NE(refusal(R"({"output": "a"})", read_alpaca).find("'instruction'"), std::string::npos);
  EXPECT_NE(refusal(R"({"instruction": "a", "output": "b", "history": [["x"]]})", read_alpaca).find("'history'"), std::string::npos);
}

TEST_F(Encoder, LongConversationsAreCutAndSaySo) {
  options_.chat_template = *builtin_chat_template("chatml");
  options_.max_tokens = 40;
  const Record r = record_of(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "0123456789012345678901234567890123"}]})", read_messages);
  EncodedRecord e = RecordEncoder(*tokenizer_, options_).encode(r);
  EXPECT_TRUE(e.cut && !e.nothing_left);
  EXPECT_EQ(e.ids.size(), 40u);
  EXPECT_EQ(e.scored.size(), 40u);
  options_.max_tokens = 10;
  EXPECT_TRUE(RecordEncoder(*tokenizer_, options_).encode(r).nothing_left);
  options_.score_prompts = true;
  e = RecordEncoder(*tokenizer_, options_).encode(r);
  EXPECT_TRUE(e.scored.empty() && !e.nothing_left);
}

TEST(EncoderOfPairs, PutsSpecialTokensWhereTheModelExpectsThem) {
  auto bert = Tokenizer::from_vocab_txt("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n", "vocab.txt");
  DataOptions options{.labels = LabelKind::classes};
  Record r;
  r.text = "a b";
  EXPECT_EQ(RecordEncoder(*bert, options).encode(r).ids, (std::vector<int32_t>{2, 5, 6, 3}));
  r.pair = "c c c";
  r.has_pair = true;
  EXPECT_EQ(RecordEncoder(*bert, options).encode(r).ids, (std::vector<int32_t>{2, 5, 6, 3, 7, 7, 7, 3}));
  options.max_tokens = 7;  // the longer of the two gives way, and the special tokens stay
  EncodedRecord e = RecordEncoder(*bert, options).encode(r);
  EXPECT_EQ(e.ids, (std::vector<int32_t>{2, 5, 6, 3, 7, 7, 3}));
  EXPECT_TRUE(e.cut);
  options.max_tokens = 3;
  r.has_pair = false;
  EXPECT_EQ(RecordEncoder(*bert, options).encode(r).ids, (std::vector<int32_t>{2, 5, 3}));
}

}  // namespace
}  // namespace motley

// Records become tokens, and of conversations it becomes known which tokens count.
//
//   RecordEncoder encoder(tokenizer, options);
//   EncodedRecord e = encoder.encode(record);          // any number of threads at once
//
// A conversation is rendered by the model's chat template as it would be at the time of answering: the prompt of each answer is the rendering
// of the messages before it, with the beginning of an answer. What the whole rendering has behind that, up to and with the token that ends the
// turn, is the answer, and counts.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/data_options.h"
#include "io/dataset/record.h"
#include "io/template/chat_template.h"
#include "io/tokenizer/tokenizer.h"

namespace motley {

struct EncodedRecord {
  std::vector<int32_t> ids;
  std::vector<uint8_t> scored;        // empty: all
  std::vector<float> lengths;         // LabelKind::texts: in tokens, of each of the texts
  std::string problem;                // why the record cannot be used; empty: it can
  bool cut = false;                   // it was longer than max_tokens
  bool nothing_left = false;          // and what is left has no token that counts
  bool earlier_answers_lost = false;  // the template shows earlier answers otherwise than when they were given: only the last counts
};

class RecordEncoder {
 public:
  // Error(file) when a template does not parse.
  RecordEncoder(const Tokenizer& tokenizer, const DataOptions& options);
  EncodedRecord encode(const Record& record) const;

 private:
  EncodedRecord encode_text(const Record& record) const;
  EncodedRecord encode_answer(const std::string& text, const std::string& answer) const;
  EncodedRecord encode_labelled(const Record& record) const;
  EncodedRecord encode_texts(const Record& record) const;
  EncodedRecord encode_instruction(const Record& record) const;
  EncodedRecord encode_conversation(const Record& record) const;
  const ChatTemplate* template_for(const Record& record) const;
  void score_answers(const Record& record, const ChatTemplate& chat, const ChatOptions& how, const std::string& whole, EncodedRecord& e) const;
  void end_answer(EncodedRecord& e) const;
  void fit(bool conversation, EncodedRecord& e) const;
  std::vector<int32_t> rendered_ids(std::string_view text) const;

  const Tokenizer& tokenizer_;
  const DataOptions& options_;
  std::vector<int32_t> before_, after_;  // the special tokens around a text
  std::vector<int32_t> between_;         // and those between two
  std::string bos_, eos_;
  std::optional<ChatTemplate> chat_, tools_chat_;
};

}  // namespace motley

// Tokenizers: text to token ids and back, for every kind of tokenizer file that language models come with.
//
// load() takes a folder in Hugging Face layout (tokenizer.json, or tokenizer.model, or vocab.json with merges.txt or with source.spm and
// target.spm, or vocab.txt, or a *.tiktoken file, with tokenizer_config.json and its companions beside it) or one such file, or a GGUF file. What
// comes out is constant: any number of threads may encode and decode with it at the same time.
//
//   auto tokenizer = Tokenizer::load("models/llama-3.2-1b");
//   std::vector<int32_t> ids = tokenizer->encode("Hello world");             // with the special tokens the model expects around it
//   std::string text = tokenizer->decode(ids, {.skip_special = true});
//
//   StreamDecoder stream(tokenizer, {.skip_special = true});                  // for tokens as they are generated
//   for (int32_t id : generated) std::cout << stream.put(id);
//   std::cout << stream.finish();
//
// Truncation and padding that a tokenizer.json may ask for are the caller's affair and not done here. Text that is not UTF-8 is read
// with U+FFFD in place of what is malformed.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/tokenizer/vocabulary.h"

namespace motley {

class GgufFile;
namespace tok {
struct Pipeline;
}

struct EncodeOptions {
  bool add_special = true;     // what the model expects around a text: BOS, [CLS] ... [SEP]
  bool parse_special = false;  // "<|im_end|>" in the text means the control token; for prompts made by a template, not for user text
};

struct DecodeOptions {
  bool skip_special = false;  // control tokens leave no text
};

// The ids with a role; -1 where there is none.
struct SpecialIds {
  int32_t bos = -1, eos = -1, unk = -1, pad = -1, sep = -1, cls = -1, mask = -1;
};

class Tokenizer {
 public:
  // Error(file) naming the file and the field that cannot be used.
  static std::shared_ptr<const Tokenizer> load(const std::string& path);

  static std::shared_ptr<const Tokenizer> from_gguf(const GgufFile& file);

  // The same from memory; name stands for the path in messages.
  static std::shared_ptr<const Tokenizer> from_tokenizer_json(std::string_view text, const std::string& name);
  static std::shared_ptr<const Tokenizer> from_sentencepiece(std::string_view bytes, const std::string& name);
  static std::shared_ptr<const Tokenizer> from_vocab_txt(std::string_view text, const std::string& name);

  // answers: where a text that answers another is cut into pieces in its own way, as a translation is.
  explicit Tokenizer(std::unique_ptr<tok::Pipeline> pipeline, std::shared_ptr<const Tokenizer> answers = nullptr);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  // Always valid UTF-8. An id outside the vocabulary (models pad their embedding) has no text.
  std::string decode(std::span<const int32_t> ids, DecodeOptions options = {}) const;

  // Of the texts that answer those which this encodes. Both have the same ids and decode alike.
  const Tokenizer& of_answers() const { return answers_ ? *answers_ : *this; }

  int32_t vocab_size() const;  // one more than the highest id, added tokens included
  const SpecialIds& special() const;
  // Every id after which a model has said all: EOS, and the ends of turns and messages that the files know.
  std::span<const int32_t> end_of_generation() const;
  bool is_end_of_generation(int32_t id) const;
  bool is_special(int32_t id) const;  // a control token, or the unknown token

  // A token as the file writes it ("Ġhello"), and its id, -1 when there is none.
  std::string_view token_text(int32_t id) const;
  int32_t token_id(std::string_view token_text) const;
  // The bytes it stands for in the middle of a text (" hello"): perhaps a part of a character.
  std::string token_bytes(int32_t id) const;

  // The template that renders a conversation, where the files hold one. Some hold several: "default", "tool_use", "rag".
  std::optional<std::string_view> chat_template(std::string_view name = "default") const;
  std::span<const std::pair<std::string, std::string>> chat_templates() const;

  // What was wrong with the files but could be worked around, a sentence each, for the program to show.
  std::span<const std::string> warnings() const;

  const tok::Vocabulary& vocabulary() const;
  const tok::Pipeline& pipeline() const { return *pipeline_; }

 private:
  std::unique_ptr<tok::Pipeline> pipeline_;
  std::shared_ptr<const Tokenizer> answers_;
};

// Takes the spaces before full stops and the like out of a decoded text ("how are you ?"), which the Python library `transformers` does
// where a configuration asks for clean_up_tokenization_spaces. It is for showing WordPiece text; with byte-level tokenizers it loses
// spaces that were in the text.
std::string clean_up_spaces(std::string text);

// Decodes tokens one by one. Text comes out as soon as its characters are complete; all of it together is what decode() gives for the
// same ids (where bytes are malformed, more of the valid characters around them stay).
class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, DecodeOptions options = {});
  ~StreamDecoder();
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;

  // Ids that stand before those of the stream, a prompt: they give no text, but a first word then keeps its space. Without them the
  // stream begins a text, as a chat answer does.
  void skip(std::span<const int32_t> ids);
  std::string put(int32_t id);
  std::string finish();  // what an unfinished character leaves

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace motley

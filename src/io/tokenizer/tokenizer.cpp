#include "io/tokenizer/tokenizer.h"

#include <algorithm>

#include "io/tokenizer/pipeline.h"

namespace motley {

Tokenizer::Tokenizer(std::unique_ptr<tok::Pipeline> pipeline, std::shared_ptr<const Tokenizer> answers)
    : pipeline_(std::move(pipeline)), answers_(std::move(answers)) {}
Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  auto ids = pipeline_->encode(text, options.parse_special);
  return options.add_special ? pipeline_->post.apply(std::move(ids)) : ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, DecodeOptions options) const {
  std::string out;
  auto run = pipeline_->decoder.start(out, false);
  for (int32_t id : ids)
    if (vocabulary().contains(id) && !(options.skip_special && is_special(id))) run.put(token_text(id));
  run.finish();
  return out;
}

int32_t Tokenizer::vocab_size() const { return pipeline_->vocabulary.size(); }
const SpecialIds& Tokenizer::special() const { return pipeline_->special; }
std::span<const int32_t> Tokenizer::end_of_generation() const { return pipeline_->end_of_generation; }
bool Tokenizer::is_end_of_generation(int32_t id) const {
  return std::binary_search(pipeline_->end_of_generation.begin(), pipeline_->end_of_generation.end(), id);
}
bool Tokenizer::is_special(int32_t id) const { return pipeline_->is_special(id); }

std::string_view Tokenizer::token_text(int32_t id) const {
  return vocabulary().contains(id) ? std::string_view(vocabulary().text(id)) : std::string_view();
}
int32_t Tokenizer::token_id(std::string_view text) const { return vocabulary().find(text); }
std::string Tokenizer::token_bytes(int32_t id) const { return pipeline_->decoder.piece(token_text(id)); }

std::optional<std::string_view> Tokenizer::chat_template(std::string_view name) const {
  for (const auto& [key, text] : pipeline_->chat_templates)
    if (key == name) return text;
  return std::nullopt;
}
std::span<const std::pair<std::string, std::string>> Tokenizer::chat_templates() const { return pipeline_->chat_templates; }
std::span<const std::string> Tokenizer::warnings() const { return pipeline_->warnings; }
const tok::Vocabulary& Tokenizer::vocabulary() const { return pipeline_->vocabulary; }

struct StreamDecoder::State {
  std::shared_ptr<const Tokenizer> tokenizer;
  DecodeOptions options;
  std::string out;
  tok::Decoder::Run run;
  State(std::shared_ptr<const Tokenizer> t, DecodeOptions o)
      : tokenizer(std::move(t)), options(o), run(tokenizer->pipeline().decoder.start(out, true)) {}
};

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, DecodeOptions options)
    : state_(std::make_unique<State>(std::move(tokenizer), options)) {}
StreamDecoder::~StreamDecoder() = default;
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;

void StreamDecoder::skip(std::span<const int32_t> ids) {
  for (int32_t id : ids) put(id);
}

std::string StreamDecoder::put(int32_t id) {
  const Tokenizer& t = *state_->tokenizer;
  if (t.vocabulary().contains(id) && !(state_->options.skip_special && t.is_special(id))) state_->run.put(t.token_text(id));
  return std::exchange(state_->out, {});
}

std::string StreamDecoder::finish() {
  state_->run.finish();
  return std::exchange(state_->out, {});
}

}  // namespace motley

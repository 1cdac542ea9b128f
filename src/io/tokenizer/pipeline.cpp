#include "io/tokenizer/pipeline.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

constexpr size_t kMaxTextBytes = 64u << 20;  // offsets of words have 32 bits, also after steps that make the text longer
constexpr size_t kMaxGrowth = 16;
constexpr size_t kMaxFreeScratch = 4;

// Control tokens that end a turn or a message in one family or another, whatever their file calls its EOS.
constexpr std::string_view kEndTexts[] = {"<|eot_id|>",
                                          "<|im_end|>",
                                          "<|end|>",
                                          "<end_of_turn>",
                                          "<|endoftext|>",
                                          "<|end_of_text|>",
                                          "<|eom_id|>",
                                          "<EOT>",
                                          "<|return|>",
                                          "<|call|>",
                                          "<end_of_utterance>",
                                          "<|user_end|>",
                                          "<|eot|>",
                                          "<|END_OF_TURN_TOKEN|>",
                                          "<｜end▁of▁sentence｜>"};

}  // namespace

// One call of encode().
struct Pipeline::Encoding {
  const Pipeline& parts;
  Scratch& scratch;
  bool parse_special;
  size_t max_bytes;
  std::vector<int32_t> ids;

  void raw(std::string_view text) {
    if (parts.added.empty(AddedTokens::raw)) return segment(text, true);
    parts.added.split(text, AddedTokens::raw, parse_special, [&](std::string_view part, int32_t id) {
      if (id >= 0) {
        ids.push_back(id);
      } else {
        segment(part, part.data() == text.data());
      }
    });
  }

  void segment(std::string_view text, bool at_start) {
    if (parts.normalizers.empty()) return normalized(text, at_start);
    Segment changed{std::string(text), at_start, max_bytes};
    for (const auto& step : parts.normalizers) step->apply(changed, scratch.regex);
    normalized(changed.text, changed.at_start);
  }

  void normalized(std::string_view text, bool at_start) {
    if (parts.added.empty(AddedTokens::normalized)) return words(text, at_start);
    parts.added.split(text, AddedTokens::normalized, parse_special, [&](std::string_view part, int32_t id) {
      if (id >= 0) {
        ids.push_back(id);
      } else {
        words(part, at_start && part.data() == text.data());
      }
    });
  }

  void words(std::string_view text, bool at_start) {
    Words words(text, at_start, max_bytes);
    for (const auto& step : parts.pre_tokenizers) step->apply(words, scratch.regex);
    for (auto [begin, end] : words.pieces) word(words.text.substr(begin, end - begin), words.text.size() - begin);
  }

  void word(std::string_view text, size_t readable) {
    if (text.size() > WordCache::kMaxWordBytes) return parts.model->encode(text, ids);
    auto key = WordCache::key(text, readable);
    if (auto known = scratch.cache.find(key)) {
      ids.insert(ids.end(), known->begin(), known->end());
      return;
    }
    size_t before = ids.size();
    parts.model->encode(text, ids);
    scratch.cache.store(key, std::span(ids).subspan(before));
  }
};

std::unique_ptr<Pipeline::Scratch> Pipeline::take_scratch() const {
  {
    std::lock_guard lock(scratch_mutex_);
    if (!free_scratch_.empty()) {
      auto scratch = std::move(free_scratch_.back());
      free_scratch_.pop_back();
      return scratch;
    }
  }
  return std::make_unique<Scratch>();
}

void Pipeline::give_back(std::unique_ptr<Scratch> scratch) const {
  std::lock_guard lock(scratch_mutex_);
  if (free_scratch_.size() < kMaxFreeScratch) free_scratch_.push_back(std::move(scratch));
}

std::vector<int32_t> Pipeline::encode(std::string_view text, bool parse_special) const {
  if (text.size() > kMaxTextBytes)
    fail(ErrorKind::usage, "tokenizer", "a text of {} bytes, expected at most {}; encode it in parts", text.size(), kMaxTextBytes);
  if (text.empty()) return {};
  std::string mended;
  if (!is_valid_utf8(text)) text = mended = lossy_utf8(text);
  auto scratch = take_scratch();
  scratch->regex.begin_text(text.size());
  Encoding encoding{*this, *scratch, parse_special, text.size() * kMaxGrowth + (1 << 20), {}};
  encoding.ids.reserve(text.size() / 3 + 8);
  encoding.raw(text);
  give_back(std::move(scratch));
  return std::move(encoding.ids);
}

void Pipeline::add_end_of_generation(int32_t id) {
  if (!vocabulary.contains(id)) return;
  auto place = std::lower_bound(end_of_generation.begin(), end_of_generation.end(), id);
  if (place == end_of_generation.end() || *place != id) end_of_generation.insert(place, id);
}

void Pipeline::finish(std::vector<AddedToken> added_tokens) {
  special_flags_.assign(static_cast<size_t>(vocabulary.size()), false);
  for (int32_t id = 0; id < vocabulary.size(); ++id)
    special_flags_[static_cast<size_t>(id)] = vocabulary.type(id) == TokenType::control || vocabulary.type(id) == TokenType::unknown;
  for (const AddedToken& token : added_tokens)
    if (token.special && vocabulary.contains(token.id)) special_flags_[static_cast<size_t>(token.id)] = true;
  added = AddedTokens(std::move(added_tokens), [&](const std::string& content) {
    Segment segment{content, true, content.size() * kMaxGrowth + (1 << 20)};
    Regex::Scratch regex;
    regex.begin_text(content.size());
    for (const auto& step : normalizers) step->apply(segment, regex);
    return segment.text;
  });
  if (model->independent_at_metaspace()) pre_tokenizers.push_back(make_cut_before_metaspace());
  add_end_of_generation(special.eos);
  for (std::string_view text : kEndTexts)
    if (int32_t id = vocabulary.find(text); is_special(id)) add_end_of_generation(id);
}

}  // namespace motley::tok

#include "io/dataset/record_encoder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/dataset/conversation.h"
#include "io/tokenizer/pipeline.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

// No id of a vocabulary, and not tok::Template::kText: stands for a text whose surroundings are asked for.
constexpr int32_t kPlace = -2;

size_t common(std::string_view a, std::string_view b) { return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin()); }
size_t common(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

void append(std::vector<int32_t>& to, const std::vector<int32_t>& ids) { to.insert(to.end(), ids.begin(), ids.end()); }

OrderedJson first_messages(const OrderedJson& messages, size_t n) {
  OrderedJson out = OrderedJson::array();
  for (size_t i = 0; i < n; ++i) out.push_back(messages[i]);
  return out;
}

// The two texts of a pair, or of a conversation of one question and its answer.
std::pair<std::string, std::string> question_and_answer(const Record& record) {
  if (record.has_pair) return {record.text, record.pair};
  const OrderedJson& messages = record.messages;
  auto says = [&](size_t i, std::string_view role) {
    return messages[i].value("role", "") == role && messages[i].contains("content") && messages[i]["content"].is_string();
  };
  if (!messages.is_array() || messages.size() != 2 || !says(0, "user") || !says(1, "assistant"))
    fail(ErrorKind::usage, "data", "it is no text with its answer");
  return {messages[0]["content"].get<std::string>(), messages[1]["content"].get<std::string>()};
}

std::string words_of(const Error& e) {
  const std::string_view words = e.what();
  return std::string(words.substr(std::min(words.find("] ") + 2, words.size())));
}

}  // namespace

RecordEncoder::RecordEncoder(const Tokenizer& tokenizer, const DataOptions& options) : tokenizer_(tokenizer), options_(options) {
  const auto around = tokenizer.pipeline().post.apply({kPlace});
  const auto place = std::ranges::find(around, kPlace);
  before_.assign(around.begin(), place);
  if (place != around.end()) after_.assign(place + 1, around.end());
  const SpecialIds& s = tokenizer.special();
  between_ = after_;
  // RoBERTa and its kin put their separator twice between two texts.
  if (!after_.empty() && s.cls >= 0 && tokenizer.token_text(s.cls) == "<s>") append(between_, after_);
  if (between_.empty() && s.eos >= 0) between_ = {s.eos};
  if (s.bos >= 0) bos_ = tokenizer.token_text(s.bos);
  if (s.eos >= 0) eos_ = tokenizer.token_text(s.eos);
  if (!options.chat_template.empty()) {
    chat_ = ChatTemplate::parse(options.chat_template);
  } else {
    if (auto source = tokenizer.chat_template()) chat_ = ChatTemplate::parse(*source);
    if (auto source = tokenizer.chat_template("tool_use")) tools_chat_ = ChatTemplate::parse(*source);
  }
}

EncodedRecord RecordEncoder::encode(const Record& record) const {
  EncodedRecord e;
  try {
    if (options_.answers) {
      const auto [text, answer] = question_and_answer(record);
      e = encode_answer(text, answer);
    } else if (record.messages.is_array()) {
      e = template_for(record) || record.instruction.empty() ? encode_conversation(record) : encode_instruction(record);
    } else {
      e = options_.labels == LabelKind::none    ? encode_text(record)
          : options_.labels == LabelKind::texts ? encode_texts(record)
                                                : encode_labelled(record);
    }
  } catch (const Error& error) {
    e.problem = words_of(error);
    return e;
  }
  if (!options_.answers) fit(record.messages.is_array(), e);
  return e;
}

EncodedRecord RecordEncoder::encode_text(const Record& record) const {
  EncodedRecord e;
  if (record.begins) e.ids = before_;
  append(e.ids, tokenizer_.encode(record.text, {.add_special = false}));
  if (record.has_pair) {
    append(e.ids, between_);
    append(e.ids, tokenizer_.encode(record.pair, {.add_special = false}));
  }
  if (!record.ends) return e;
  append(e.ids, after_);
  const int32_t eos = tokenizer_.special().eos;
  if (options_.end_of_text && eos >= 0 && after_.empty()) e.ids.push_back(eos);
  return e;
}

// Each with its own special tokens; what is cut loses its end but for those.
EncodedRecord RecordEncoder::encode_answer(const std::string& text, const std::string& answer) const {
  EncodedRecord e;
  auto put = [&](const Tokenizer& tokenizer, const std::string& words, uint8_t counts) {
    std::vector<int32_t> ids = before_;
    append(ids, tokenizer.encode(words, {.add_special = false}));
    const int32_t eos = tokenizer_.special().eos;
    const std::vector<int32_t> end = !after_.empty() || eos < 0 ? after_ : std::vector<int32_t>{eos};
    // Half of what a record may have is each one's.
    if (const auto most = static_cast<size_t>(options_.max_tokens) / 2; most > 0 && ids.size() + end.size() > most) {
      ids.resize(most - std::min(most, end.size()));
      e.cut = true;
    }
    append(ids, end);
    append(e.ids, ids);
    e.scored.resize(e.ids.size(), counts);
  };
  put(tokenizer_, text, 0);
  put(tokenizer_.of_answers(), answer, 1);
  return e;
}

// With room for the special tokens; of a pair the longer text gives way first.
EncodedRecord RecordEncoder::encode_labelled(const Record& record) const {
  EncodedRecord e;
  auto text = tokenizer_.encode(record.text, {.add_special = false});
  std::vector<int32_t> pair;
  size_t special = before_.size() + after_.size();
  if (record.has_pair) {
    pair = tokenizer_.encode(record.pair, {.add_special = false});
    special += between_.size();
  }
  if (options_.max_tokens > 0) {
    const auto most = static_cast<size_t>(options_.max_tokens);
    const size_t room = most - std::min(most, special);
    e.cut = text.size() + pair.size() > room;
    if (e.cut) {
      const size_t short_pair = std::min(pair.size(), std::max(room / 2, room - std::min(room, text.size())));
      text.resize(std::min(text.size(), room - short_pair));
      pair.resize(short_pair);
    }
  }
  e.ids = before_;
  append(e.ids, text);
  if (record.has_pair) {
    append(e.ids, between_);
    append(e.ids, pair);
  }
  append(e.ids, after_);
  return e;
}

// Texts that are read apart, one behind the other: each as if it were alone, with its share of the room.
EncodedRecord RecordEncoder::encode_texts(const Record& record) const {
  EncodedRecord e;
  std::vector<std::string_view> texts = {record.text, record.pair};
  if (!record.negative.empty()) texts.emplace_back(record.negative);
  const size_t special = before_.size() + after_.size(), most = static_cast<size_t>(options_.max_tokens) / texts.size();
  for (std::string_view text : texts) {
    auto ids = tokenizer_.encode(text, {.add_special = false});
    if (options_.max_tokens > 0 && ids.size() + special > most) {
      ids.resize(most - std::min(most, special));
      e.cut = true;
    }
    append(e.ids, before_);
    append(e.ids, ids);
    append(e.ids, after_);
    if (ids.size() + special == 0) e.problem = "one of its texts has no tokens";
    e.lengths.push_back(static_cast<float>(ids.size() + special));
  }
  return e;
}

// A prompt made by a template says itself where special tokens stand; where it does not begin with BOS, the tokenizer's own way holds.
std::vector<int32_t> RecordEncoder::rendered_ids(std::string_view text) const {
  std::vector<int32_t> ids;
  if (bos_.empty() || !text.starts_with(bos_)) ids = before_;
  append(ids, tokenizer_.encode(text, {.add_special = false, .parse_special = true}));
  return ids;
}

// An answer that nothing ends would teach the model never to stop.
void RecordEncoder::end_answer(EncodedRecord& e) const {
  const int32_t eos = tokenizer_.special().eos;
  if ((e.scored.back() && tokenizer_.is_end_of_generation(e.ids.back())) || eos < 0) return;
  e.ids.push_back(eos);
  e.scored.push_back(1);
}

EncodedRecord RecordEncoder::encode_instruction(const Record& record) const {
  EncodedRecord e;
  const std::string prompt = alpaca_prompt(record);
  e.ids = rendered_ids(prompt + record.messages.back()["content"].get_ref<const std::string&>());
  e.scored.assign(e.ids.size(), 0);
  std::fill(e.scored.begin() + static_cast<std::ptrdiff_t>(common(rendered_ids(prompt), e.ids)), e.scored.end(), uint8_t{1});
  end_answer(e);
  return e;
}

const ChatTemplate* RecordEncoder::template_for(const Record& record) const {
  if (tools_chat_ && record.tools.is_array() && !record.tools.empty()) return &*tools_chat_;
  return chat_ ? &*chat_ : nullptr;
}

EncodedRecord RecordEncoder::encode_conversation(const Record& record) const {
  EncodedRecord e;
  const ChatTemplate* chat = template_for(record);
  if (!chat) {
    e.problem = "the model has no chat template; choose one with --chat-template";
    return e;
  }
  ChatOptions how;
  if (!bos_.empty()) how.bos_token = bos_;
  if (!eos_.empty()) how.eos_token = eos_;
  if (record.tools.is_array()) how.tools = &record.tools;
  const std::string whole = chat->render(record.messages, how);
  e.ids = rendered_ids(whole);
  e.scored.assign(e.ids.size(), 0);
  score_answers(record, *chat, how, whole, e);
  if (std::ranges::find(e.scored, uint8_t{1}) == e.scored.end()) {
    e.problem = "the template shows its answers nowhere behind the prompts they answer";
    return e;
  }
  // Nothing is learned from what follows the last answer.
  size_t end = e.scored.size();
  while (e.scored[end - 1] == 0) --end;
  e.ids.resize(end);
  e.scored.resize(end);
  end_answer(e);
  return e;
}

void RecordEncoder::score_answers(const Record& record, const ChatTemplate& chat, const ChatOptions& how, const std::string& whole,
                                  EncodedRecord& e) const {
  const OrderedJson& messages = record.messages;
  ChatOptions prompt_how = how;
  prompt_how.add_generation_prompt = true;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].value("role", "") != "assistant") continue;
    if (auto weight = messages[i].find("weight"); weight != messages[i].end() && *weight == 0) continue;
    const bool last = i + 1 == messages.size();
    const OrderedJson before = first_messages(messages, i);
    const std::string base = i > 0 ? chat.render(before, how) : std::string();
    const std::string prompt = i > 0 ? chat.render(before, prompt_how) : std::string();
    const std::string with_answer = last ? whole : chat.render(first_messages(messages, i + 1), how);
    if (!whole.starts_with(base) || !whole.starts_with(with_answer)) {
      e.earlier_answers_lost = true;
      continue;
    }
    const size_t answer = std::max(base.size(), common(prompt, whole));
    const size_t begin = common(rendered_ids(std::string_view(whole).substr(0, answer)), e.ids);
    const size_t end = last ? e.ids.size() : common(rendered_ids(with_answer), e.ids);
    size_t stop = end;  // line ends and the like behind the end of the turn are the template's
    while (stop > begin && !tokenizer_.is_end_of_generation(e.ids[stop - 1])) --stop;
    if (stop == begin) stop = end;
    for (size_t t = begin; t < stop; ++t) e.scored[t] = 1;
  }
}

void RecordEncoder::fit(bool conversation, EncodedRecord& e) const {
  if (!e.problem.empty()) return;
  if (options_.score_prompts) e.scored.clear();
  const auto most = static_cast<size_t>(options_.max_tokens);
  if (!conversation || most == 0 || e.ids.size() <= most) return;
  e.cut = true;
  e.ids.resize(most);
  if (e.scored.empty()) return;
  e.scored.resize(most);
  e.nothing_left = std::find(e.scored.begin() + 1, e.scored.end(), uint8_t{1}) == e.scored.end();
}

}  // namespace motley

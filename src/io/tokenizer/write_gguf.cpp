#include <algorithm>

#include "base/error.h"
#include "io/gguf_writer.h"
#include "io/tokenizer/write_vocabulary.h"

namespace motley {
namespace {

// What the converters of the GGUF world give words that must never be joined to.
constexpr float kNeverJoined = -10000;

std::vector<std::string_view> views(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

}  // namespace

int64_t fit_vocabulary(GgmlVocabulary& v, int64_t rows) {
  const auto size = static_cast<size_t>(rows), before = v.tokens.size();
  for (size_t id = before; id < size; ++id) {
    v.tokens.push_back(fmt::format("[PAD{}]", id));
    v.types.push_back(static_cast<int32_t>(TokenType::unused));
    if (!v.scores.empty()) v.scores.push_back(kNeverJoined);
  }
  if (before <= size) return 0;
  v.tokens.resize(size);
  v.types.resize(size);
  if (!v.scores.empty()) v.scores.resize(size);
  auto beyond = [&](int32_t id) { return id >= rows; };
  for (int32_t* id : {&v.special.bos, &v.special.eos, &v.special.unk, &v.special.pad, &v.special.sep, &v.special.cls, &v.special.mask})
    if (beyond(*id)) *id = -1;
  for (std::vector<int32_t>* ids : {&v.end_of_turn, &v.lstrip, &v.rstrip, &v.single_word, &v.before, &v.after}) std::erase_if(*ids, beyond);
  return static_cast<int64_t>(before - size);
}

void write_vocabulary(const GgmlVocabulary& v, GgufWriter& out) {
  auto key = [](const char* name) { return std::string("tokenizer.ggml.") + name; };
  out.set_string(key("model"), v.model);
  if (!v.pre.empty()) out.set_string(key("pre"), v.pre);
  out.set_strings(key("tokens"), views(v.tokens));
  if (!v.scores.empty()) out.set_f32s(key("scores"), v.scores);
  out.set_i32s(key("token_type"), v.types);
  if (!v.merges.empty()) out.set_strings(v.model == "gpt2" ? key("merges") : "motley.tokenizer.merges", views(v.merges));
  auto id = [&](const char* name, int32_t value) {
    if (value >= 0) out.set_u32(key(name), static_cast<uint32_t>(value));
  };
  id("bos_token_id", v.special.bos);
  id("eos_token_id", v.special.eos);
  id("unknown_token_id", v.special.unk);
  id("padding_token_id", v.special.pad);
  id("seperator_token_id", v.special.sep);  // so spelled in the format
  id("cls_token_id", v.special.cls);
  id("mask_token_id", v.special.mask);
  if (!v.end_of_turn.empty()) id("eot_token_id", v.end_of_turn[0]);
  if (v.end_of_turn.size() > 1) id("eom_token_id", v.end_of_turn[1]);
  auto flag = [&](const char* name, const std::optional<bool>& value) {
    if (value) out.set_bool(key(name), *value);
  };
  flag("add_bos_token", v.add_bos);
  flag("add_eos_token", v.add_eos);
  flag("add_space_prefix", v.add_space_prefix);
  flag("remove_extra_whitespaces", v.remove_extra_whitespaces);
  flag("normalizer.lowercase", v.lowercase);
  if (v.ignore_merges) out.set_bool("motley.tokenizer.ignore_merges", *v.ignore_merges);
  if (v.nfc) out.set_bool("motley.tokenizer.nfc", *v.nfc);
  if (!v.space_prefix.empty()) out.set_string("motley.tokenizer.space_prefix", v.space_prefix);
  for (auto [name, ids] : {std::pair("lstrip", &v.lstrip), std::pair("rstrip", &v.rstrip), std::pair("single_word", &v.single_word),
                           std::pair("before", &v.before), std::pair("after", &v.after)})
    if (!ids->empty()) out.set_i32s(std::string("motley.tokenizer.") + name, *ids);
  if (!v.charsmap.empty()) out.set_bytes(key("precompiled_charsmap"), v.charsmap);
  std::vector<std::string_view> names;
  for (const auto& [name, text] : v.chat_templates) {
    if (name != "default") names.push_back(name);
    out.set_string(name == "default" ? std::string("tokenizer.chat_template") : "tokenizer.chat_template." + name, text);
  }
  if (!names.empty()) out.set_strings("tokenizer.chat_templates", names);
}

}  // namespace motley

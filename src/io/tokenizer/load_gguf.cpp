// The tokenizer.* keys of a GGUF file.
#include <utility>

#include "base/text.h"
#include "io/gguf.h"
#include "io/tokenizer/ggml_vocabulary.h"
#include "io/tokenizer/loaders.h"

namespace motley::tok {

std::unique_ptr<Pipeline> read_gguf(const GgufFile& file) {
  auto key = [](const char* name) { return std::string("tokenizer.ggml.") + name; };
  auto copy = [](const std::vector<std::string_view>& views) { return std::vector<std::string>(views.begin(), views.end()); };
  GgmlVocabulary v;
  v.model = file.string(key("model"));
  v.pre = file.find_string(key("pre")).value_or("");
  v.tokens = copy(file.strings(key("tokens")));
  v.scores = file.find_floats(key("scores")).value_or(std::vector<float>{});
  for (int64_t type : file.find_ints(key("token_type")).value_or(std::vector<int64_t>{}))
    v.types.push_back(static_cast<int32_t>(type < 0 || type > 255 ? 255 : type));
  v.merges = copy(file.find_strings(v.model == "gpt2" ? key("merges") : "motley.tokenizer.merges").value_or(std::vector<std::string_view>{}));
  auto id = [&](const char* name) {
    auto value = file.find_int(key(name));
    return value && *value >= 0 && *value < INT32_MAX ? static_cast<int32_t>(*value) : -1;
  };
  v.special = {id("bos_token_id"),       id("eos_token_id"), id("unknown_token_id"), id("padding_token_id"),
               id("seperator_token_id"), id("cls_token_id"), id("mask_token_id")};
  for (const char* name : {"eot_token_id", "eom_token_id"})
    if (int32_t end = id(name); end >= 0) v.end_of_turn.push_back(end);
  v.add_bos = file.find_bool(key("add_bos_token"));
  v.add_eos = file.find_bool(key("add_eos_token"));
  v.add_space_prefix = file.find_bool(key("add_space_prefix"));
  v.remove_extra_whitespaces = file.find_bool(key("remove_extra_whitespaces"));
  if (const GgufEntry* map = file.find(key("precompiled_charsmap")))
    if (map->element == GgufType::u8 || map->element == GgufType::i8) v.charsmap = file.value_bytes(*map);
  v.lowercase = file.find_bool(key("normalizer.lowercase"));
  v.ignore_merges = file.find_bool("motley.tokenizer.ignore_merges");
  v.nfc = file.find_bool("motley.tokenizer.nfc");
  v.space_prefix = file.find_string("motley.tokenizer.space_prefix").value_or("");
  for (auto [name, ids] : {std::pair("lstrip", &v.lstrip), std::pair("rstrip", &v.rstrip), std::pair("single_word", &v.single_word),
                           std::pair("before", &v.before), std::pair("after", &v.after)})
    for (int64_t i : file.find_ints(std::string("motley.tokenizer.") + name).value_or(std::vector<int64_t>{}))
      if (i >= 0 && i < INT32_MAX) ids->push_back(static_cast<int32_t>(i));
  v.family = std::string(file.find_string("general.architecture").value_or("")) + " " + lower_ascii(file.find_string("general.name").value_or(""));
  if (auto text = file.find_string("tokenizer.chat_template")) v.chat_templates.emplace_back("default", *text);
  for (const GgufEntry& entry : file.entries()) {
    constexpr std::string_view kPrefix = "tokenizer.chat_template.";
    if (entry.key.starts_with(kPrefix) && entry.type == GgufType::string)
      v.chat_templates.emplace_back(entry.key.substr(kPrefix.size()), *file.find_string(entry.key));
  }
  return make_ggml_pipeline(std::move(v), file.path());
}

}  // namespace motley::tok

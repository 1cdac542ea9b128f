// tokenizer.json as the `tokenizers` package reads it, and tokenizer_config.json.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"
#include "io/tokenizer/base64.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/patterns.h"
#include "io/tokenizer/pipeline.h"
#include "io/tokenizer/write_vocabulary.h"

namespace motley {
namespace {

using namespace tok;
using OrderedJson = nlohmann::ordered_json;
constexpr const char* kMetaspace = "\xE2\x96\x81";

std::string dump(const OrderedJson& json) { return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n"; }

OrderedJson sequence(const char* member, std::vector<OrderedJson> steps) {
  if (steps.empty()) return nullptr;
  if (steps.size() == 1) return steps[0];
  return {{"type", "Sequence"}, {member, steps}};
}

OrderedJson replace(OrderedJson pattern, const char* content) { return {{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", content}}; }

// Rows that only fill up an embedding are no words.
bool is_padding(const Vocabulary& vocabulary, int32_t id) {
  const std::string& text = vocabulary.text(id);
  return text.empty() || (vocabulary.type(id) == TokenType::unused && text == fmt::format("[PAD{}]", id));
}

OrderedJson added_tokens(const Pipeline& p) {
  std::vector<AddedToken> tokens = p.added.tokens();
  std::ranges::sort(tokens, {}, &AddedToken::id);
  OrderedJson out = OrderedJson::array();
  for (const AddedToken& t : tokens)
    out.push_back({{"id", t.id},
                   {"content", t.content},
                   {"single_word", t.single_word},
                   {"lstrip", t.lstrip},
                   {"rstrip", t.rstrip},
                   {"normalized", t.normalized},
                   {"special", t.special}});
  return out;
}

// What stands around a text, once for one text and once for a pair.
OrderedJson template_processing(const Pipeline& p, const GgmlVocabulary& v) {
  const bool bos = v.add_bos.value_or(false) && v.special.bos >= 0, eos = v.add_eos.value_or(false) && v.special.eos >= 0;
  if (!bos && !eos) return nullptr;
  OrderedJson single = OrderedJson::array(), pair = OrderedJson::array(), tokens = OrderedJson::object();
  auto special = [&](int32_t id, int type) {
    const std::string& text = p.vocabulary.text(id);
    tokens[text] = {{"id", text}, {"ids", {id}}, {"tokens", {text}}};
    return OrderedJson{{"SpecialToken", {{"id", text}, {"type_id", type}}}};
  };
  for (auto [name, type] : {std::pair("A", 0), std::pair("B", 1)}) {
    OrderedJson part = OrderedJson::array();
    if (bos) part.push_back(special(v.special.bos, type));
    part.push_back({{"Sequence", {{"id", name}, {"type_id", type}}}});
    if (eos) part.push_back(special(v.special.eos, type));
    if (type == 0) single = part;
    for (auto& item : part) pair.push_back(item);
  }
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
}

OrderedJson bpe_model(const Pipeline& p, bool sentencepiece) {
  OrderedJson vocab = OrderedJson::object(), merges = OrderedJson::array();
  for (int32_t id = 0; id < p.vocabulary.size(); ++id)
    if (!is_padding(p.vocabulary, id) && p.vocabulary.find(p.vocabulary.text(id)) == id) vocab[p.vocabulary.text(id)] = id;
  for (const Merge& m : p.bpe->merges()) merges.push_back({p.vocabulary.text(m.left), p.vocabulary.text(m.right)});
  const PrePattern* pre = sentencepiece ? nullptr : find_pre_pattern(p.ggml.pre);
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", sentencepiece && p.special.unk >= 0 ? OrderedJson(p.vocabulary.text(p.special.unk)) : OrderedJson(nullptr)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", sentencepiece},
          {"byte_fallback", sentencepiece},
          {"ignore_merges", pre != nullptr && pre->ignore_merges},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

void byte_level(const Pipeline& p, const GgmlVocabulary& v, OrderedJson& root) {
  const PrePattern* pre = find_pre_pattern(v.pre);
  const bool prefix = v.add_space_prefix.value_or(false);
  // Qwen's tokenizers compose characters, which GGUF has no field for.
  root["normalizer"] = v.pre == "qwen2" ? OrderedJson{{"type", "NFC"}} : OrderedJson(nullptr);
  std::vector<OrderedJson> steps;
  const bool gpt2 = pre->splits.size() == 1 && pre->splits[0] == kGpt2Pattern;
  if (!gpt2)
    for (std::string_view split : pre->splits)
      steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}, {"invert", false}});
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"trim_offsets", true}, {"use_regex", gpt2}});
  root["pre_tokenizer"] = sequence("pretokenizers", std::move(steps));
  root["post_processor"] = template_processing(p, v);
  root["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  root["model"] = bpe_model(p, false);
}

void sentencepiece_bpe(const Pipeline& p, const GgmlVocabulary& v, OrderedJson& root) {
  const bool prefix = v.add_space_prefix.value_or(true);
  std::vector<OrderedJson> normalizer, decoder;
  if (prefix) normalizer.push_back({{"type", "Prepend"}, {"prepend", kMetaspace}});
  normalizer.push_back(replace({{"String", " "}}, kMetaspace));
  root["normalizer"] = sequence("normalizers", std::move(normalizer));
  root["pre_tokenizer"] = nullptr;
  root["post_processor"] = template_processing(p, v);
  decoder.push_back(replace({{"String", kMetaspace}}, " "));
  decoder.push_back({{"type", "ByteFallback"}});
  decoder.push_back({{"type", "Fuse"}});
  if (prefix) decoder.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  root["decoder"] = sequence("decoders", std::move(decoder));
  root["model"] = bpe_model(p, true);
}

void unigram(const Pipeline& p, const GgmlVocabulary& v, OrderedJson& root) {
  const char* scheme = v.add_space_prefix.value_or(true) ? "always" : "never";
  std::vector<OrderedJson> normalizer;
  if (!v.charsmap.empty()) normalizer.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(v.charsmap)}});
  if (v.remove_extra_whitespaces.value_or(false)) {
    normalizer.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    normalizer.push_back(replace({{"Regex", " {2,}"}}, " "));
  }
  OrderedJson metaspace = {{"type", "Metaspace"}, {"replacement", kMetaspace}, {"prepend_scheme", scheme}, {"split", true}};
  root["normalizer"] = sequence("normalizers", std::move(normalizer));
  root["pre_tokenizer"] = metaspace;
  root["post_processor"] = template_processing(p, v);
  root["decoder"] = metaspace;
  OrderedJson vocab = OrderedJson::array();
  bool bytes = false;
  for (const Token& token : p.vocabulary.tokens()) {
    vocab.push_back({token.text, token.score});
    bytes = bytes || token.type == TokenType::byte;
  }
  root["model"] = {{"type", "Unigram"},
                   {"unk_id", p.special.unk >= 0 ? OrderedJson(p.special.unk) : OrderedJson(nullptr)},
                   {"vocab", std::move(vocab)},
                   {"byte_fallback", bytes}};
}

OrderedJson tokenizer_config(const Pipeline& p, const GgmlVocabulary& v) {
  OrderedJson config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  auto role = [&](const char* key, int32_t id) {
    if (id >= 0) config[key] = p.vocabulary.text(id);
  };
  role("bos_token", v.special.bos);
  role("eos_token", v.special.eos);
  role("unk_token", v.special.unk);
  role("pad_token", v.special.pad);
  role("sep_token", v.special.sep);
  role("cls_token", v.special.cls);
  role("mask_token", v.special.mask);
  config["add_bos_token"] = v.add_bos.value_or(false);
  config["add_eos_token"] = v.add_eos.value_or(false);
  if (v.chat_templates.size() == 1 && v.chat_templates[0].first == "default") {
    config["chat_template"] = v.chat_templates[0].second;
  } else if (!v.chat_templates.empty()) {
    for (const auto& [name, text] : v.chat_templates) config["chat_template"].push_back({{"name", name}, {"template", text}});
  }
  return config;
}

}  // namespace

TokenizerFiles hf_tokenizer_files(const Tokenizer& tokenizer) {
  const Pipeline& p = tokenizer.pipeline();
  const GgmlVocabulary v = ggml_vocabulary(tokenizer);
  OrderedJson root = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", added_tokens(p)}};
  if (v.model == "gpt2") {
    byte_level(p, v, root);
  } else if (v.model == "llama" && p.bpe) {
    sentencepiece_bpe(p, v, root);
  } else if (v.model == "t5") {
    unigram(p, v, root);
  } else {
    fail(ErrorKind::usage, "tokenizer", "a tokenizer of kind '{}' cannot be written as tokenizer.json; byte-level BPE and SentencePiece can",
         v.model);
  }
  return {dump(root), dump(tokenizer_config(p, v))};
}

}  // namespace motley

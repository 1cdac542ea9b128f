// tokenizer.json as the `tokenizers` package reads it, and tokenizer_config.json.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

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

OrderedJson replace(OrderedJson pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", content}};
}

// Entries of a vocabulary come in their hundreds of thousands, and each is new: no search through those before.
void append(OrderedJson& object, const std::string& key, OrderedJson value) {
  static_cast<std::vector<std::pair<const std::string, OrderedJson>>&>(object.get_ref<OrderedJson::object_t&>()).emplace_back(key, std::move(value));
}

TokenType type_of(const GgmlVocabulary& v, size_t id) { return static_cast<TokenType>(v.types[id]); }

// Rows that only fill up an embedding are no words.
bool is_padding(const GgmlVocabulary& v, size_t id) { return type_of(v, id) == TokenType::unused && v.tokens[id] == fmt::format("[PAD{}]", id); }

bool has_bytes(const GgmlVocabulary& v) { return std::ranges::find(v.types, static_cast<int32_t>(TokenType::byte)) != v.types.end(); }

OrderedJson added_tokens(const Pipeline& p, const GgmlVocabulary& v) {
  std::vector<AddedToken> tokens = p.added.tokens();
  std::ranges::sort(tokens, {}, &AddedToken::id);
  OrderedJson out = OrderedJson::array();
  for (const AddedToken& t : tokens) {
    const auto id = static_cast<size_t>(t.id);
    if (!t.special && type_of(v, id) != TokenType::user_defined) continue;  // a word like others there
    out.push_back({{"id", t.id},
                   {"content", v.tokens[id]},
                   {"single_word", t.single_word},
                   {"lstrip", t.lstrip},
                   {"rstrip", t.rstrip},
                   {"normalized", false},
                   {"special", t.special}});
  }
  return out;
}

// What stands around a text, once for one text and once for a pair.
OrderedJson template_processing(const GgmlVocabulary& v) {
  std::vector<int32_t> before = v.before, after = v.after;
  if (before.empty() && after.empty()) {
    if (v.add_bos.value_or(false) && v.special.bos >= 0) before = {v.special.bos};
    if (v.add_eos.value_or(false) && v.special.eos >= 0) after = {v.special.eos};
  }
  if (before.empty() && after.empty()) return nullptr;
  OrderedJson single = OrderedJson::array(), pair = OrderedJson::array(), tokens = OrderedJson::object();
  for (auto [name, type] : {std::pair("A", 0), std::pair("B", 1)}) {
    OrderedJson part = OrderedJson::array();
    auto special = [&, type = type](const std::vector<int32_t>& ids) {
      for (int32_t id : ids) {
        const std::string& text = v.tokens[static_cast<size_t>(id)];
        tokens[text] = {{"id", text}, {"ids", {id}}, {"tokens", {text}}};
        part.push_back({{"SpecialToken", {{"id", text}, {"type_id", type}}}});
      }
    };
    special(before);
    part.push_back({{"Sequence", {{"id", name}, {"type_id", type}}}});
    special(after);
    if (type == 0) single = part;
    for (auto& item : part) pair.push_back(item);
  }
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
}

// The merges without those whose result no one may see: an unused word that is no part of another one either.
OrderedJson merges(const Pipeline& p, const GgmlVocabulary& v) {
  auto all = p.bpe->merges();
  std::unordered_set<int32_t> parts;
  for (const Merge& m : all) parts.insert({m.left, m.right});
  OrderedJson out = OrderedJson::array();
  auto text = [&](int32_t id) -> const std::string& { return v.tokens[static_cast<size_t>(id)]; };
  for (const Merge& m : all)
    if (type_of(v, static_cast<size_t>(m.result)) != TokenType::unused || parts.contains(m.result)) out.push_back({text(m.left), text(m.right)});
  return out;
}

OrderedJson bpe_model(const Pipeline& p, const GgmlVocabulary& v, bool sentencepiece) {
  OrderedJson vocab = OrderedJson::object();
  std::unordered_set<std::string_view> seen;
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (!is_padding(v, id) && seen.insert(v.tokens[id]).second) append(vocab, v.tokens[id], id);
  const int32_t unk = sentencepiece ? v.special.unk : -1;
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unk >= 0 ? OrderedJson(v.tokens[static_cast<size_t>(unk)]) : OrderedJson(nullptr)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", sentencepiece},
          {"byte_fallback", sentencepiece && has_bytes(v)},
          {"ignore_merges", p.bpe->ignores_merges()},
          {"vocab", std::move(vocab)},
          {"merges", merges(p, v)}};
}

void byte_level(const Pipeline& p, const GgmlVocabulary& v, OrderedJson& root) {
  const PrePattern* pre = find_pre_pattern(v.pre);
  const bool gpt2 = pre->splits.size() == 1 && pre->splits[0] == kGpt2Pattern, prefix = v.add_space_prefix.value_or(false);
  std::vector<OrderedJson> normalizer, steps;
  if (p.ggml.nfc) normalizer.push_back({{"type", "NFC"}});
  // ByteLevel would put the space before each piece.
  if (prefix && !gpt2) normalizer.push_back(replace({{"Regex", "\\A(?=[^ ])"}}, " "));
  if (!gpt2)
    for (std::string_view split : pre->splits)
      steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}, {"invert", false}});
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", prefix && gpt2}, {"trim_offsets", true}, {"use_regex", gpt2}});
  root["normalizer"] = sequence("normalizers", std::move(normalizer));
  root["pre_tokenizer"] = sequence("pretokenizers", std::move(steps));
  root["post_processor"] = template_processing(v);
  root["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  root["model"] = bpe_model(p, v, false);
}

OrderedJson unigram_model(const Pipeline& p, const GgmlVocabulary& v) {
  // Here every word can be found in a text, so those that are none get the score of the least likely word: the worst that does not make
  // the unknown token worse.
  double lowest = 0;
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (type_of(v, id) == TokenType::normal) lowest = std::min(lowest, p.vocabulary.score(static_cast<int32_t>(id)));
  size_t size = v.tokens.size();
  while (size > 0 && is_padding(v, size - 1)) --size;
  OrderedJson vocab = OrderedJson::array();
  for (size_t id = 0; id < size; ++id) {
    const TokenType type = type_of(v, id);
    const bool word = type == TokenType::normal || type == TokenType::unknown;
    vocab.push_back({v.tokens[id], word ? p.vocabulary.score(static_cast<int32_t>(id)) : type == TokenType::unused ? lowest : 0.0});
  }
  return {{"type", "Unigram"},
          {"unk_id", v.special.unk >= 0 ? OrderedJson(v.special.unk) : OrderedJson(nullptr)},
          {"vocab", std::move(vocab)},
          {"byte_fallback", has_bytes(v)}};
}

// Both kinds of SentencePiece vocabulary: its normaliser and decoder step by step.
void sentencepiece(const Pipeline& p, const GgmlVocabulary& v, OrderedJson& root) {
  const bool prefix = *v.add_space_prefix, remove_extra = *v.remove_extra_whitespaces;
  const bool metaspace = v.space_prefix == "first" || v.space_prefix == "always";
  std::vector<OrderedJson> normalizer, decoder;
  if (!v.charsmap.empty()) normalizer.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(v.charsmap)}});
  if (remove_extra) {
    normalizer.push_back(replace({{"Regex", kLeadingSpaces}}, ""));
    normalizer.push_back(replace({{"Regex", " {2,}"}}, " "));
  }
  if (prefix && !metaspace) normalizer.push_back({{"type", "Prepend"}, {"prepend", kMetaspace}});
  normalizer.push_back(replace({{"String", " "}}, kMetaspace));
  if (remove_extra) normalizer.push_back(replace({{"Regex", kTrailingMetaspaces}}, ""));
  root["normalizer"] = sequence("normalizers", std::move(normalizer));
  // A long text is cut into words where that changes nothing.
  const bool split = !p.bpe && metaspace_only_leads(p.vocabulary);
  root["pre_tokenizer"] = nullptr;
  if (split || metaspace)
    root["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", kMetaspace}, {"prepend_scheme", metaspace ? v.space_prefix : "never"}, {"split", split}};
  root["post_processor"] = template_processing(v);
  decoder.push_back(replace({{"String", kMetaspace}}, " "));
  if (has_bytes(v)) decoder.push_back({{"type", "ByteFallback"}});
  decoder.push_back({{"type", "Fuse"}});
  constexpr int kAll = 1000;
  if (prefix || remove_extra) decoder.push_back({{"type", "Strip"}, {"content", " "}, {"start", remove_extra ? kAll : 1}, {"stop", 0}});
  root["decoder"] = sequence("decoders", std::move(decoder));
  root["model"] = p.bpe ? bpe_model(p, v, true) : unigram_model(p, v);
}

OrderedJson tokenizer_config(const GgmlVocabulary& v) {
  OrderedJson config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  auto role = [&](const char* key, int32_t id) {
    if (id >= 0) config[key] = v.tokens[static_cast<size_t>(id)];
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
  OrderedJson root = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", added_tokens(p, v)}};
  if (v.model == "gpt2") {
    byte_level(p, v, root);
  } else if (v.model == "llama" || v.model == "t5") {
    sentencepiece(p, v, root);
  } else {
    fail(ErrorKind::usage, "tokenizer", "a tokenizer of kind '{}' cannot be written as tokenizer.json; byte-level BPE and SentencePiece can",
         v.model);
  }
  TokenizerFiles files{dump(root), dump(tokenizer_config(v)), {}};
  if (v.space_prefix == "sentencepiece")
    files.warnings.emplace_back("tokenizer.json cannot say that no space is put after user-defined tokens: text after one gets it");
  return files;
}

}  // namespace motley

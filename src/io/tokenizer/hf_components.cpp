#include "io/tokenizer/hf_components.h"

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/base64.h"
#include "io/tokenizer/patterns.h"

namespace motley::tok {
namespace {

constexpr size_t kMaxSteps = 64;
constexpr size_t kMaxReplacementBytes = 4096;
constexpr const char* kMetaspace = "\xE2\x96\x81";
const std::string kSentencePiece = "SentencePiece ";

std::string type_of(const Json& json, const std::string& where) {
  if (!json.is_object()) fail(ErrorKind::file, "tokenizer", "{}: expected an object with a 'type', found {}", where, json.type_name());
  return json_string(json, "type", where);
}

[[noreturn]] void unknown_type(const std::string& type, const std::string& where) {
  fail(ErrorKind::file, "tokenizer", "{}: type '{}' is not known to this program", where, printable(type));
}

bool flag(const Json& json, const char* key, bool otherwise, const std::string& where) {
  return json_find_bool(json, key, where).value_or(otherwise);
}

std::string short_text(const Json& json, const char* key, const std::string& where) {
  std::string text = json_string(json, key, where);
  if (text.size() > kMaxReplacementBytes)
    fail(ErrorKind::file, "tokenizer", "{}: '{}' has {} bytes, expected at most {}", where, key, text.size(), kMaxReplacementBytes);
  return text;
}

std::string one_character(const Json& json, const char* key, const std::string& where) {
  std::string text = json_string(json, key, where);
  if (text.empty() || text.size() != char_length(text[0]))
    fail(ErrorKind::file, "tokenizer", "{}: '{}' should be one character, found '{}'", where, key, printable(text));
  return text;
}

size_t small_count(const Json& json, const char* key, const std::string& where) {
  int64_t n = json_int(json, key, where);
  if (n < 0 || n > 1 << 20) fail(ErrorKind::file, "tokenizer", "{}: '{}' is {}, expected 0 to {}", where, key, n, 1 << 20);
  return static_cast<size_t>(n);
}

struct Pattern {
  std::optional<std::string> text;
  std::optional<Regex> regex;
};

Pattern read_pattern(const Json& json, const std::string& where) {
  auto it = json.find("pattern");
  if (it == json.end()) fail(ErrorKind::file, "tokenizer", "{}: 'pattern' is missing", where);
  if (it->is_string()) return {it->get<std::string>(), std::nullopt};
  if (auto text = json_find_string(*it, "String", where)) return {std::move(text), std::nullopt};
  return {std::nullopt, Regex(json_string(*it, "Regex", where), where)};
}

SplitBehavior read_behavior(const Json& json, const std::string& where, const char* otherwise) {
  const std::string name = json_find_string(json, "behavior", where).value_or(otherwise);
  const std::map<std::string, SplitBehavior> kNames{{"Removed", SplitBehavior::removed},
                                                    {"Isolated", SplitBehavior::isolated},
                                                    {"MergedWithPrevious", SplitBehavior::merged_with_previous},
                                                    {"MergedWithNext", SplitBehavior::merged_with_next},
                                                    {"Contiguous", SplitBehavior::contiguous}};
  auto found = kNames.find(name);
  if (found == kNames.end()) fail(ErrorKind::file, "tokenizer", "{}: behavior '{}' is not known", where, printable(name));
  return found->second;
}

std::unique_ptr<Normalizer> make_normalizer(const Json& json, const std::string& where, Pipeline& pipeline, StepNames& steps) {
  const std::string type = type_of(json, where);
  const std::string at = where + "." + type;
  GgmlFacts& facts = pipeline.ggml;
  steps.push_back(type);
  auto sentencepiece = [&] { steps.back() = kSentencePiece + type; };
  if (type == "NFC") facts.nfc = true;
  if (type == "NFC") return make_unicode_normalizer(NormalForm::nfc);
  if (type == "NFD") return make_unicode_normalizer(NormalForm::nfd);
  if (type == "NFKC") return make_unicode_normalizer(NormalForm::nfkc);
  if (type == "NFKD") return make_unicode_normalizer(NormalForm::nfkd);
  if (type == "Lowercase") return make_lowercase();
  if (type == "StripAccents") return make_strip_accents();
  if (type == "Nmt") return make_nmt();
  if (type == "ByteLevel") return make_byte_level_normalizer();
  if (type == "Strip") return make_strip(flag(json, "strip_left", true, at), flag(json, "strip_right", true, at));
  if (type == "Prepend") {
    if (json_string(json, "prepend", at) == kMetaspace) facts.add_space_prefix = true, sentencepiece();
    return make_prepend(short_text(json, "prepend", at));
  }
  if (type == "Append") return make_append(short_text(json, "append", at));
  if (type == "Replace") {
    std::string content = short_text(json, "content", at);
    Pattern pattern = read_pattern(json, at);
    const std::string& text = pattern.regex ? pattern.regex->pattern() : *pattern.text;
    if (pattern.regex && text == " {2,}") facts.remove_extra_whitespaces = true;
    const bool known =
        pattern.regex ? text == " {2,}" || text == kLeadingSpaces || text == kTrailingMetaspaces : text == " " && content == kMetaspace;
    if (known) sentencepiece();
    return pattern.regex ? make_replace(std::move(*pattern.regex), std::move(content)) : make_replace(std::move(*pattern.text), std::move(content));
  }
  if (type == "BertNormalizer") {
    BertNormalizerOptions o;
    o.clean_text = flag(json, "clean_text", true, at);
    o.handle_chinese_chars = flag(json, "handle_chinese_chars", true, at);
    o.lowercase = flag(json, "lowercase", true, at);
    o.strip_accents = flag(json, "strip_accents", o.lowercase, at);
    facts.lowercase = o.lowercase;
    return make_bert_normalizer(o);
  }
  if (type == "Precompiled") {
    std::string coded = json_find_string(json, "precompiled_charsmap", at).value_or("");
    if (coded.empty()) return nullptr;
    auto blob = decode_base64(coded);
    if (!blob) fail(ErrorKind::file, "tokenizer", "{}: 'precompiled_charsmap' is not base64", at);
    facts.charsmap = *blob;
    sentencepiece();
    return make_precompiled(CharsMap(*blob, at));
  }
  unknown_type(type, where);
}

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const Json& json, const std::string& where, bool as_bytes, PreTokenizerFacts& facts) {
  const std::string type = type_of(json, where);
  const std::string at = where + "." + type;
  bool plain = false;
  std::unique_ptr<PreTokenizer> made;
  if (type == "ByteLevel") {
    bool prefix = flag(json, "add_prefix_space", true, at), use_regex = flag(json, "use_regex", true, at);
    plain = !prefix;
    if (use_regex) facts.splits.emplace_back(kGpt2Pattern);
    made = make_byte_level(prefix, use_regex, as_bytes);
  } else if (type == "Split") {
    SplitBehavior behavior = read_behavior(json, at, "");
    bool invert = flag(json, "invert", false, at);
    Pattern pattern = read_pattern(json, at);
    // Isolated, inverted or not, gives the same pieces.
    plain = pattern.regex && (behavior == SplitBehavior::isolated || (behavior == SplitBehavior::removed && invert));
    if (pattern.regex) facts.splits.push_back(pattern.regex->pattern());
    made = pattern.regex ? make_split(std::move(*pattern.regex), behavior, invert) : make_split(std::move(*pattern.text), behavior, invert);
  } else if (type == "Digits") {
    bool individual = flag(json, "individual_digits", false, at);
    plain = true;
    facts.splits.emplace_back(individual ? R"re(\p{N})re" : R"re(\p{N}+)re");
    made = make_split(is_numeric, individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
  } else if (type == "Metaspace") {
    std::string replacement = one_character(json, "replacement", at);
    std::string scheme = json_find_string(json, "prepend_scheme", at).value_or(flag(json, "add_prefix_space", true, at) ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never")
      fail(ErrorKind::file, "tokenizer", "{}: prepend_scheme '{}' is not known", at, printable(scheme));
    made = make_metaspace(std::move(replacement), scheme == "always", scheme == "first", flag(json, "split", true, at));
  } else if (type == "CharDelimiterSplit") {
    made = make_split(one_character(json, "delimiter", at), SplitBehavior::removed, false);
  } else if (type == "BertPreTokenizer") {
    made = make_split(is_white_space, SplitBehavior::removed);
  } else if (type == "Punctuation") {
    made = make_split(is_punctuation, read_behavior(json, at, "Isolated"));
  } else if (type == "Whitespace") {
    made = make_whitespace();
  } else if (type == "WhitespaceSplit") {
    made = make_split(is_white_space, SplitBehavior::removed);
  } else if (type == "UnicodeScripts") {
    made = make_unicode_scripts();
  } else if (type == "FixedLength") {
    size_t length = small_count(json, "length", at);
    if (length == 0) fail(ErrorKind::file, "tokenizer", "{}: 'length' is 0, expected at least 1", at);
    made = make_fixed_length(length);
  } else {
    unknown_type(type, where);
  }
  facts.plain_splits = facts.plain_splits && plain;
  return made;
}

int32_t token_id(const Json& value, const std::string& where) {
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() > INT32_MAX)
    fail(ErrorKind::file, "tokenizer", "{}: a token id should be an integer from 0 to 2^31 - 1, found {}", where, value.dump().substr(0, 40));
  return value.get<int32_t>();
}

// ["[SEP]", 102]
int32_t pair_id(const Json& json, const char* key, const std::string& where) {
  auto it = json.find(key);
  if (it == json.end() || !it->is_array() || it->size() != 2)
    fail(ErrorKind::file, "tokenizer", "{}: '{}' should be a list of a token and its id", where, key);
  return token_id((*it)[1], where + "." + key);
}

// What stands at a place of a template: a text, or a special token.
struct TemplateItem {
  bool is_text;
  int32_t id;    // of a special token
  bool second;   // the text is "B"
  int32_t type;  // of the segment
};
std::vector<TemplateItem> read_items(const Json& json, const char* list, const std::string& where) {
  const std::string at = fmt::format("{}.{}", where, list);
  auto tokens = json.find("special_tokens");
  std::vector<TemplateItem> items;
  size_t texts = 0;
  for (const Json& item : json[list]) {
    const bool is_text = item.is_object() && item.contains("Sequence");
    if (!item.is_object() || (!is_text && !item.contains("SpecialToken")))
      fail(ErrorKind::file, "tokenizer", "{}: expected SpecialToken or Sequence", at);
    const Json& part = item[is_text ? "Sequence" : "SpecialToken"];
    const int64_t type = part.is_object() ? json_find_int(part, "type_id", at).value_or(0) : 0;
    if (type < 0 || type > 255) fail(ErrorKind::file, "tokenizer", "{}: 'type_id' is {}, expected a number from 0 to 255", at, type);
    if (is_text) {
      ++texts;
      items.push_back({true, 0, part.is_object() && part.value("id", Json()) == "B", static_cast<int32_t>(type)});
      continue;
    }
    std::string name = json_string(part, "id", at);
    if (tokens == json.end() || !tokens->is_object() || !tokens->contains(name))
      fail(ErrorKind::file, "tokenizer", "{}: special token '{}' is not in 'special_tokens'", where, printable(name));
    const Json& entry = (*tokens)[name];
    if (!entry.is_object() || !entry.contains("ids") || !entry["ids"].is_array())
      fail(ErrorKind::file, "tokenizer", "{}.special_tokens: '{}' should have a list 'ids'", where, printable(name));
    for (const Json& id : entry["ids"]) items.push_back({false, token_id(id, where + ".special_tokens"), false, static_cast<int32_t>(type)});
  }
  if (texts > 4 || items.size() > 4096)
    fail(ErrorKind::file, "tokenizer", "{}: {} tokens and {} texts, expected at most 4096 and 4", at, items.size() - texts, texts);
  return items;
}

Template read_template(const Json& json, const std::string& where) {
  auto single = json.find("single");
  if (single == json.end() || !single->is_array()) fail(ErrorKind::file, "tokenizer", "{}: 'single' should be a list", where);
  Template t;
  for (const TemplateItem& item : read_items(json, "single", where)) t.items.push_back(item.is_text ? Template::kText : item.id);
  return t;
}

PairTemplate read_pair_template(const Json& json, const std::string& where) {
  PairTemplate t;
  auto pair = json.find("pair");
  if (pair == json.end() || !pair->is_array()) return t;
  for (const TemplateItem& item : read_items(json, "pair", where))
    t.items.push_back({item.is_text ? (item.second ? PairTemplate::kSecond : PairTemplate::kFirst) : item.id, item.type});
  return t;
}

std::optional<DecoderStep> make_decoder_step(const Json& json, const std::string& where) {
  const std::string type = type_of(json, where);
  const std::string at = where + "." + type;
  if (type == "ByteLevel") return ByteLevelStep{};
  if (type == "ByteFallback") return ByteFallbackStep{};
  if (type == "Fuse") return FuseStep{};
  if (type == "Strip") return StripStep{one_character(json, "content", at), small_count(json, "start", at), small_count(json, "stop", at)};
  if (type == "Replace") {
    std::string content = short_text(json, "content", at);
    Pattern pattern = read_pattern(json, at);
    ReplaceStep step{pattern.text.value_or(""), std::move(content), nullptr};
    if (pattern.regex) step.regex = std::make_shared<Regex>(std::move(*pattern.regex));
    return step;
  }
  if (type == "Metaspace") {
    std::string scheme = json_find_string(json, "prepend_scheme", at).value_or(flag(json, "add_prefix_space", true, at) ? "always" : "never");
    return MetaspaceStep{one_character(json, "replacement", at), scheme != "never"};
  }
  if (type == "WordPiece") return WordPieceStep{json_find_string(json, "prefix", at).value_or("##"), flag(json, "cleanup", true, at)};
  if (type == "BPEDecoder") return BpeSuffixStep{json_find_string(json, "suffix", at).value_or("</w>")};
  if (type == "CTC")
    return CtcStep{json_find_string(json, "pad_token", at).value_or("<pad>"), json_find_string(json, "word_delimiter_token", at).value_or("|"),
                   flag(json, "cleanup", true, at)};
  unknown_type(type, where);
}

void collect(const Json& json, const char* key, const std::string& where, std::vector<const Json*>& out) {
  if (out.size() > kMaxSteps) fail(ErrorKind::file, "tokenizer", "{}: more than {} steps", where, kMaxSteps);
  if (!json.is_object() || json.value("type", Json()) != "Sequence") {
    out.push_back(&json);
    return;
  }
  auto list = json.find(key);
  if (list == json.end() || !list->is_array()) fail(ErrorKind::file, "tokenizer", "{}: a Sequence should have a list '{}'", where, key);
  for (const Json& item : *list) collect(item, key, where, out);
}

}  // namespace

std::vector<const Json*> flatten(const Json& json, const char* key, const std::string& where) {
  std::vector<const Json*> out;
  if (!json.is_null()) collect(json, key, where, out);
  return out;
}

StepNames read_normalizer(const Json& json, const std::string& where, Pipeline& pipeline) {
  StepNames steps;
  for (const Json* step : flatten(json, "normalizers", where))
    if (auto made = make_normalizer(*step, where, pipeline, steps)) pipeline.normalizers.push_back(std::move(made));
  return steps;
}

PreTokenizerFacts read_pre_tokenizer(const Json& json, const std::string& where, bool model_takes_bytes, Pipeline& pipeline) {
  PreTokenizerFacts facts;
  auto steps = flatten(json, "pretokenizers", where);
  size_t num_byte_level = 0;
  for (const Json* step : steps) num_byte_level += type_of(*step, where) == "ByteLevel";
  for (const Json* step : steps) {
    std::string type = type_of(*step, where);
    bool as_bytes = model_takes_bytes && num_byte_level == 1 && step == steps.back() && type == "ByteLevel";
    facts.byte_level_last = facts.byte_level_last || as_bytes;
    pipeline.pre_tokenizers.push_back(make_pre_tokenizer(*step, where, as_bytes, facts));
    if (type == "BertPreTokenizer") pipeline.pre_tokenizers.push_back(make_split(is_punctuation, SplitBehavior::isolated));
    facts.steps.push_back(type);
    if (type == "WhitespaceSplit") pipeline.ggml.remove_extra_whitespaces = true;
    if (type == "Metaspace") {
      const std::string scheme =
          json_find_string(*step, "prepend_scheme", where).value_or(flag(*step, "add_prefix_space", true, where) ? "always" : "never");
      if (scheme != "never") pipeline.ggml.add_space_prefix = true, pipeline.ggml.space_prefix = scheme;
      const bool splits = flag(*step, "split", true, where);
      facts.steps.back() = json_string(*step, "replacement", where) == kMetaspace ? splits ? "Metaspace, split" : kSentencePiece + type : type;
    }
    // Gemma's: there is no space left to split at.
    if (type == "Split" && step->contains("pattern") && (*step)["pattern"] == Json{{"String", " "}}) facts.steps.back() = "Split at spaces";
  }
  // Without extra spaces there is none yet where one is put.
  if (pipeline.ggml.remove_extra_whitespaces && pipeline.ggml.space_prefix == "always") pipeline.ggml.space_prefix.clear();
  if (steps.size() == 1 && facts.byte_level_last) {
    pipeline.ggml.add_space_prefix = flag(*steps[0], "add_prefix_space", true, where);
    facts.plain_splits = true;
  }
  return facts;
}

void read_post_processor(const Json& json, const std::string& where, Pipeline& pipeline) {
  for (const Json* step : flatten(json, "processors", where)) {
    std::string type = type_of(*step, where), at = where + "." + type;
    if (type == "ByteLevel") continue;  // about offsets only
    if (type == "TemplateProcessing") {
      pipeline.post.add(read_template(*step, at));
      if (PairTemplate pair = read_pair_template(*step, at); !pair.items.empty()) pipeline.post.set_pair(std::move(pair));
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      const int32_t cls = pair_id(*step, "cls", at), sep = pair_id(*step, "sep", at);
      pipeline.post.add(Template{{cls, Template::kText, sep}});
      pipeline.post.set_pair(type == "BertProcessing" ? bert_pair(cls, sep) : roberta_pair(cls, sep));
    } else {
      unknown_type(type, where);
    }
  }
}

void read_decoder(const Json& json, const std::string& where, Pipeline& pipeline) {
  for (const Json* step : flatten(json, "decoders", where))
    if (auto made = make_decoder_step(*step, where)) pipeline.decoder.add(std::move(*made));
  if (pipeline.decoder.steps().empty()) pipeline.decoder.add(JoinStep{});
}

}  // namespace motley::tok

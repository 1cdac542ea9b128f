// tokenizer.json: the file of the `tokenizers` package, which describes every step of a tokenizer.
#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/hf_components.h"
#include "io/tokenizer/hf_json.h"
#include "io/tokenizer/loaders.h"
#include "io/tokenizer/patterns.h"
#include "io/tokenizer/unigram.h"
#include "io/tokenizer/wordpiece.h"

namespace motley::tok {
namespace {

const Json& field(const Json& json, const char* key) {
  static const Json kNull;
  auto it = json.find(key);
  return it == json.end() ? kNull : *it;
}

std::string model_type(const Json& model, const HfJson& file, const std::string& where) {
  if (auto type = json_find_string(model, "type", where)) return *type;
  // Files of old versions do not say it.
  if (file.has_merges) return "BPE";
  if (file.vocabulary_is_list) return "Unigram";
  return model.contains("continuing_subword_prefix") || model.contains("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

std::vector<AddedToken> read_added_tokens(const Json& list, const std::string& where) {
  std::vector<AddedToken> out;
  if (list.is_null()) return out;
  if (!list.is_array()) fail(ErrorKind::file, "tokenizer", "{}: expected a list, found {}", where, list.type_name());
  for (const Json& entry : list) {
    AddedToken token;
    int64_t id = json_int(entry, "id", where);
    if (id < 0 || id > INT32_MAX) fail(ErrorKind::file, "tokenizer", "{}: id {} of an added token, expected 0 to 2^31 - 1", where, id);
    token.id = static_cast<int32_t>(id);
    token.content = json_string(entry, "content", where);
    token.special = json_find_bool(entry, "special", where).value_or(false);
    token.normalized = json_find_bool(entry, "normalized", where).value_or(!token.special);
    token.single_word = json_find_bool(entry, "single_word", where).value_or(false);
    token.lstrip = json_find_bool(entry, "lstrip", where).value_or(false);
    token.rstrip = json_find_bool(entry, "rstrip", where).value_or(false);
    if (!token.content.empty()) out.push_back(std::move(token));
  }
  return out;
}

void make_bpe(const Json& model, const HfJson& file, const std::string& where, Pipeline& pipeline, BpeOptions options) {
  if (auto dropout = json_find_double(model, "dropout", where); dropout && *dropout > 0)
    fail(ErrorKind::file, "tokenizer", "{}: dropout is {}, which makes encoding random; set it to null", where, *dropout);
  options.fuse_unk = json_find_bool(model, "fuse_unk", where).value_or(false);
  options.ignore_merges = json_find_bool(model, "ignore_merges", where).value_or(false);
  options.end_suffix = json_find_string(model, "end_of_word_suffix", where).value_or("");
  options.continuing_prefix = json_find_string(model, "continuing_subword_prefix", where).value_or("");
  options.unk_id = pipeline.special.unk;
  auto merges = merges_from_list(pipeline.vocabulary, file.merges, options.continuing_prefix, where + ".merges");
  auto bpe = std::make_unique<BpeModel>(pipeline.vocabulary, std::move(merges), std::move(options));
  pipeline.bpe = bpe.get();
  pipeline.model = std::move(bpe);
}

bool is_sentencepiece(const StepNames& normalizer, const StepNames& pre_tokenizer) {
  auto has = [](const StepNames& steps) { return std::ranges::any_of(steps, [](const auto& s) { return s.starts_with("SentencePiece "); }); };
  return has(normalizer) || has(pre_tokenizer);
}

// What GGUF files have no fields for. The expressions of byte-level BPE are looked at elsewhere, since they can have a name.
std::string obstacle(const Pipeline& pipeline, const StepNames& normalizer, const StepNames& pre_tokenizer) {
  auto other = [](const StepNames& steps, std::initializer_list<std::string_view> known) -> std::string {
    for (const std::string& step : steps)
      if (std::ranges::none_of(known, [&](std::string_view k) { return k.ends_with(' ') ? step.starts_with(k) : step == k; })) return step;
    return {};
  };
  const std::string& model = pipeline.ggml.model;
  std::string before, cut;
  if (model == "gpt2") before = other(normalizer, {"NFC"});
  // Spaces go from the ends of a text where they go from between words.
  if (model == "llama" || model == "t5") before = other(normalizer, {"SentencePiece ", pipeline.ggml.remove_extra_whitespaces ? "Strip" : ""});
  if (model == "bert") before = other(normalizer, {"BertNormalizer"});
  if (model == "llama")
    cut = other(pre_tokenizer, {"SentencePiece ", "Split at spaces", metaspace_only_leads(pipeline.vocabulary) ? "Metaspace, split" : ""});
  if (model == "t5") cut = other(pre_tokenizer, {"SentencePiece ", "WhitespaceSplit", "Metaspace, split"});
  if (model == "bert") cut = other(pre_tokenizer, {"BertPreTokenizer"});
  if (model == "llama" && pipeline.bpe->ignores_merges()) return "words that are tokens are taken whole (ignore_merges)";
  if (!pipeline.ggml.obstacle.empty()) return pipeline.ggml.obstacle;
  if (!before.empty()) return fmt::format("the normalizer {}", printable(before, 40));
  return cut.empty() ? "" : fmt::format("the pre_tokenizer {}", printable(cut, 40));
}

}  // namespace

std::unique_ptr<Pipeline> read_tokenizer_json(std::string_view text, const std::string& name, const Companions& companions) {
  HfJson file = read_hf_json(text, name);
  const Json& root = file.root;
  if (!root.is_object() || !root.contains("model")) fail(ErrorKind::file, "tokenizer", "{}: expected an object with 'model'", name);
  const Json& model = root["model"];
  const std::string where = name + ": model";
  if (!model.is_object()) fail(ErrorKind::file, "tokenizer", "{}: expected an object, found {}", where, model.type_name());
  const std::string type = model_type(model, file, where);
  if (file.num_tokens == 0) fail(ErrorKind::file, "tokenizer", "{}.vocab: expected tokens, found none", where);
  if (file.vocabulary_is_list != (type == "Unigram"))
    fail(ErrorKind::file, "tokenizer", "{}.vocab: expected {} for type '{}'", where,
         type == "Unigram" ? "a list of [token, score]" : "an object from token to id", printable(type));
  auto pipeline = std::make_unique<Pipeline>();
  VocabularyBuilder& vocabulary = file.vocabulary;
  // The unknown token is one of the model's words; an added token with the same text does not change its id.
  if (type == "Unigram") {
    auto unk = json_find_int(model, "unk_id", where);
    if (unk && (*unk < 0 || *unk >= static_cast<int64_t>(file.num_tokens)))
      fail(ErrorKind::file, "tokenizer", "{}: unk_id {} is not in the vocabulary", where, *unk);
    pipeline->special.unk = unk ? static_cast<int32_t>(*unk) : -1;
  } else if (auto unk = json_find_string(model, "unk_token", where)) {
    pipeline->special.unk = vocabulary.find(*unk);
  }
  std::vector<AddedToken> added = read_added_tokens(field(root, "added_tokens"), name + ": added_tokens");
  for (const AddedToken& token : added) {
    if (vocabulary.find(token.content) != token.id) vocabulary.set(token.id, Token{token.content, 0, TokenType::normal});
    vocabulary.set_type(token.id, token.special ? TokenType::control : TokenType::user_defined);
  }
  if (pipeline->special.unk >= 0) vocabulary.set_type(pipeline->special.unk, TokenType::unknown);
  const bool byte_fallback = json_find_bool(model, "byte_fallback", where).value_or(false);
  for (unsigned b = 0; byte_fallback && b < 256; ++b)
    if (int32_t id = vocabulary.find(fmt::format("<0x{:02X}>", b)); id >= 0) vocabulary.set_type(id, TokenType::byte);
  pipeline->vocabulary = Vocabulary(vocabulary.take());

  const StepNames normalizer = read_normalizer(field(root, "normalizer"), name + ": normalizer", *pipeline);
  // In the byte alphabet one byte is one character, except where such a character is itself spelled in bytes.
  const bool model_takes_bytes = type == "BPE" && !byte_fallback;
  auto pre = read_pre_tokenizer(field(root, "pre_tokenizer"), name + ": pre_tokenizer", model_takes_bytes, *pipeline);
  read_post_processor(field(root, "post_processor"), name + ": post_processor", *pipeline);
  read_decoder(field(root, "decoder"), name + ": decoder", *pipeline);

  if (type == "BPE") {
    BpeOptions options;
    options.raw_bytes = pre.byte_level_last;
    options.byte_fallback = byte_fallback;
    make_bpe(model, file, where, *pipeline, std::move(options));
    const bool llama = byte_fallback || (is_sentencepiece(normalizer, pre.steps) && json_find_bool(model, "fuse_unk", where).value_or(false));
    pipeline->ggml.model = pre.byte_level_last ? "gpt2" : llama ? "llama" : "";
    bool ignore_merges = json_find_bool(model, "ignore_merges", where).value_or(false);
    if (pre.byte_level_last && pre.plain_splits) pipeline->ggml.pre = name_of_patterns(pre.splits, ignore_merges).value_or("");
  } else if (type == "Unigram") {
    pipeline->model = std::make_unique<UnigramModel>(pipeline->vocabulary, UnigramOptions{pipeline->special.unk, byte_fallback});
    pipeline->ggml.model = "t5";
  } else if (type == "WordPiece") {
    int64_t longest = json_find_int(model, "max_input_chars_per_word", where).value_or(100);
    if (longest < 1 || longest > 1 << 20)
      fail(ErrorKind::file, "tokenizer", "{}: max_input_chars_per_word is {}, expected 1 to {}", where, longest, 1 << 20);
    WordPieceOptions options{pipeline->special.unk, json_find_string(model, "continuing_subword_prefix", where).value_or("##"),
                             static_cast<size_t>(longest)};
    pipeline->ggml.model = "bert";
    if (longest != 100) pipeline->ggml.obstacle = fmt::format("words of more than {} characters are unknown", longest);
    if (options.continuing_prefix != "##")
      pipeline->ggml.obstacle = fmt::format("inner parts of words begin with '{}'", printable(options.continuing_prefix));
    pipeline->model = std::make_unique<WordPieceModel>(pipeline->vocabulary, std::move(options));
  } else if (type == "WordLevel") {
    pipeline->model = std::make_unique<WordLevelModel>(pipeline->vocabulary, pipeline->special.unk);
  } else {
    fail(ErrorKind::file, "tokenizer", "{}: type '{}' is not known to this program", where, printable(type));
  }
  pipeline->ggml.obstacle = obstacle(*pipeline, normalizer, pre.steps);
  apply_companions(companions, *pipeline);
  pipeline->finish(std::move(added));
  return pipeline;
}

}  // namespace motley::tok

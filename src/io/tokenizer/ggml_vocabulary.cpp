#include "io/tokenizer/ggml_vocabulary.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/byte_level.h"
#include "io/tokenizer/patterns.h"
#include "io/tokenizer/pipeline.h"
#include "io/tokenizer/sentencepiece.h"

namespace motley {
namespace {

using namespace tok;
constexpr std::string_view kMetaspace = "\xE2\x96\x81";

// A BERT vocabulary is stored with U+2581 before words and nothing before continuations; bracketed tokens stay as they are.
bool is_bracketed(std::string_view text) { return text.size() > 2 && text.front() == '[' && text.back() == ']'; }

std::string bert_text_for_ggml(std::string_view text) {
  if (text.empty() || is_bracketed(text)) return std::string(text);
  return text.starts_with("##") ? std::string(text.substr(2)) : std::string(kMetaspace) + std::string(text);
}

std::string bert_text_from_ggml(std::string_view text, TokenType type) {
  if (text.empty() || is_bracketed(text) || type == TokenType::control) return std::string(text);
  return text.starts_with(kMetaspace) ? std::string(text.substr(kMetaspace.size())) : "##" + std::string(text);
}

std::vector<Token> tokens_of(const GgmlVocabulary& v, const std::string& name) {
  auto check_count = [&](size_t count, const char* key) {
    if (count != 0 && count != v.tokens.size())
      fail(ErrorKind::file, "tokenizer", "{}: tokenizer.ggml.{} has {} entries, expected one for each of the {} tokens", name, key, count,
           v.tokens.size());
  };
  check_count(v.scores.size(), "scores");
  check_count(v.types.size(), "token_type");
  std::vector<Token> tokens(v.tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    int32_t type = v.types.empty() ? 1 : v.types[i];
    if (type < 0 || type > 6) fail(ErrorKind::file, "tokenizer", "{}: tokenizer.ggml.token_type[{}] is {}, expected 0 to 6", name, i, type);
    tokens[i] = {v.tokens[i], v.scores.empty() ? 0.0 : double{v.scores[i]}, static_cast<TokenType>(type)};
  }
  return tokens;
}

// Control and user-defined tokens, as what is looked for in the text before anything else.
std::vector<AddedToken> added_of(const std::vector<Token>& tokens, const std::string& family) {
  // Phi-3's control tokens take the white space after them along, which GGUF has no field for.
  const bool phi3 = family.find("phi3") != family.npos || family.find("phi-3") != family.npos;
  std::vector<AddedToken> added;
  for (size_t i = 0; i < tokens.size(); ++i) {
    bool control = tokens[i].type == TokenType::control || tokens[i].type == TokenType::unknown;
    if ((!control && tokens[i].type != TokenType::user_defined) || tokens[i].text.empty()) continue;
    AddedToken token;
    token.id = static_cast<int32_t>(i);
    token.content = tokens[i].text;
    token.special = control;
    token.rstrip = phi3 && control && token.content != "<unk>" && token.content != "<s>" && token.content != "<|endoftext|>";
    added.push_back(std::move(token));
  }
  return added;
}

void check_ids(SpecialIds& ids, size_t num_tokens) {
  // Some writers store 2^32 - 1 for "none".
  for (int32_t* id : {&ids.bos, &ids.eos, &ids.unk, &ids.pad, &ids.sep, &ids.cls, &ids.mask})
    if (*id < 0 || static_cast<size_t>(*id) >= num_tokens) *id = -1;
}

std::unique_ptr<Pipeline> from_gpt2(const GgmlVocabulary& v, const std::string& name) {
  ByteLevelParts parts;
  parts.name = name;
  parts.vocabulary = tokens_of(v, name);
  parts.added = added_of(parts.vocabulary, v.family);
  parts.special = v.special;
  parts.pre = v.pre.empty() ? "default" : v.pre;
  parts.skip_unknown_merges = true;
  parts.add_prefix_space = v.add_space_prefix.value_or(false);
  for (const std::string& merge : v.merges) {
    // A token may begin with a space of its own in no byte alphabet, so the first space after the first character divides.
    size_t space = merge.find(' ', 1);
    if (space == merge.npos) fail(ErrorKind::file, "tokenizer", "{}: tokenizer.ggml.merges: '{}' should be two tokens", name, printable(merge, 60));
    parts.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  const PrePattern* pre = find_pre_pattern(parts.pre);
  if (v.add_bos.value_or(pre && pre->add_bos) && v.special.bos >= 0) parts.around.items.push_back(v.special.bos);
  parts.around.items.push_back(Template::kText);
  if (v.add_eos.value_or(false) && v.special.eos >= 0) parts.around.items.push_back(v.special.eos);
  return make_byte_level_pipeline(std::move(parts));
}

std::unique_ptr<Pipeline> from_sentencepiece(const GgmlVocabulary& v, const std::string& name) {
  SentencePieceParts parts;
  parts.name = name;
  parts.unigram = v.model == "t5";
  parts.vocabulary = tokens_of(v, name);
  parts.added = added_of(parts.vocabulary, v.family);
  // User-defined pieces are looked for in the normalised text, which make_sentencepiece() arranges; the unknown token is not.
  std::erase_if(parts.added, [](const AddedToken& t) { return !t.special; });
  parts.special = v.special;
  parts.byte_fallback = std::any_of(parts.vocabulary.begin(), parts.vocabulary.end(), [](const Token& t) { return t.type == TokenType::byte; });
  parts.add_dummy_prefix = v.add_space_prefix.value_or(!parts.unigram);
  parts.remove_extra_whitespaces = parts.unigram && v.remove_extra_whitespaces.value_or(false);
  parts.charsmap = parts.unigram ? v.charsmap : "";
  parts.add_bos = v.add_bos.value_or(!parts.unigram);
  parts.add_eos = v.add_eos.value_or(parts.unigram);
  return make_sentencepiece(std::move(parts));
}

std::unique_ptr<Pipeline> from_bert(const GgmlVocabulary& v, const std::string& name) {
  WordPieceParts parts;
  parts.name = name;
  parts.vocabulary = tokens_of(v, name);
  for (Token& token : parts.vocabulary) token.text = bert_text_from_ggml(token.text, token.type);
  parts.added = added_of(parts.vocabulary, v.family);
  parts.special = v.special;
  if (parts.special.cls < 0) parts.special.cls = v.special.bos;
  if (parts.special.sep < 0) parts.special.sep = v.special.eos;
  if (parts.special.unk < 0) fail(ErrorKind::file, "tokenizer", "{}: a WordPiece vocabulary should have tokenizer.ggml.unknown_token_id", name);
  return make_wordpiece_pipeline(std::move(parts));
}

// Scores in the order of the merges, for a vocabulary that has ranks instead: of two pairs the one with the higher score is joined. Words
// that no merge makes come after all that one does.
std::vector<float> scores_from_merges(const Pipeline& p) {
  auto merges = p.bpe->merges();
  std::vector<float> scores(static_cast<size_t>(p.vocabulary.size()), -static_cast<float>(merges.size() + 1));
  for (size_t i = merges.size(); i-- > 0;) scores[static_cast<size_t>(merges[i].result)] = -static_cast<float>(i + 1);
  return scores;
}

}  // namespace

std::unique_ptr<tok::Pipeline> make_ggml_pipeline(GgmlVocabulary v, const std::string& name) {
  check_ids(v.special, v.tokens.size());
  std::unique_ptr<Pipeline> pipeline;
  if (v.model == "gpt2") {
    pipeline = from_gpt2(v, name);
  } else if (v.model == "llama" || v.model == "t5") {
    pipeline = from_sentencepiece(v, name);
  } else if (v.model == "bert") {
    pipeline = from_bert(v, name);
  } else {
    fail(ErrorKind::file, "tokenizer", "{}: tokenizer.ggml.model is '{}', expected gpt2, llama, bert or t5", name, printable(v.model));
  }
  for (int32_t id : v.end_of_turn) pipeline->add_end_of_generation(id);
  pipeline->chat_templates = std::move(v.chat_templates);
  return pipeline;
}

GgmlVocabulary ggml_vocabulary(const Tokenizer& tokenizer) {
  const Pipeline& p = tokenizer.pipeline();
  GgmlVocabulary v;
  v.model = p.ggml.model;
  v.pre = p.ggml.pre;
  if (v.model.empty())
    fail(ErrorKind::file, "tokenizer", "GGUF has no form for this tokenizer: it is neither byte-level BPE, nor SentencePiece, nor WordPiece");
  if (v.model == "gpt2" && v.pre.empty())
    fail(ErrorKind::file, "tokenizer", "GGUF has no name for the patterns by which this tokenizer splits text, so a GGUF file could not describe it");
  const int32_t size = p.vocabulary.size();
  for (int32_t id = 0; id < size; ++id) {
    const std::string& text = p.vocabulary.text(id);
    TokenType type = p.vocabulary.type(id);
    v.tokens.push_back(text.empty() ? fmt::format("[PAD{}]", id) : v.model == "bert" ? bert_text_for_ggml(text) : text);
    v.types.push_back(static_cast<int32_t>(text.empty() ? TokenType::unused : type));
  }
  if (v.model == "gpt2")
    for (const Merge& m : p.bpe->merges()) v.merges.push_back(p.vocabulary.text(m.left) + " " + p.vocabulary.text(m.right));
  if (v.model == "llama" || v.model == "t5") {
    bool any_score = std::any_of(p.vocabulary.tokens().begin(), p.vocabulary.tokens().end(), [](const Token& t) { return t.score != 0; });
    if (any_score || !p.bpe) {
      for (int32_t id = 0; id < size; ++id) v.scores.push_back(static_cast<float>(p.vocabulary.score(id)));
    } else {
      v.scores = scores_from_merges(p);
    }
    v.add_space_prefix = p.ggml.add_space_prefix;
    v.remove_extra_whitespaces = p.ggml.remove_extra_whitespaces;
    v.charsmap = p.ggml.charsmap;
  }
  v.special = p.special;
  for (int32_t id : p.end_of_generation)
    if (id != p.special.eos) v.end_of_turn.push_back(id);
  std::vector<int32_t> around = p.post.apply({});
  if (v.model != "bert") {
    v.add_bos = !around.empty() && around.front() == p.special.bos;
    v.add_eos = !around.empty() && around.back() == p.special.eos && !(around.size() == 1 && *v.add_bos);
  }
  v.chat_templates = p.chat_templates;
  return v;
}

}  // namespace motley

#include "io/tokenizer/ggml_vocabulary.h"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>

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

std::string with_metaspaces(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ' ') {
      out += kMetaspace;
    } else {
      out += c;
    }
  }
  return out;
}

std::string with_spaces(std::string text) {
  for (size_t at = text.find(kMetaspace); at != text.npos; at = text.find(kMetaspace, at)) text.replace(at, kMetaspace.size(), " ");
  return text;
}

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
std::vector<AddedToken> added_of(const std::vector<Token>& tokens, const GgmlVocabulary& v) {
  // Phi-3's control tokens take the white space after them along, which files from elsewhere have no key for.
  const bool phi3 = v.family.find("phi3") != v.family.npos || v.family.find("phi-3") != v.family.npos;
  auto set_of = [](const std::vector<int32_t>& ids) { return std::unordered_set<int32_t>(ids.begin(), ids.end()); };
  const auto lstrip = set_of(v.lstrip), rstrip = set_of(v.rstrip), single_word = set_of(v.single_word);
  std::vector<AddedToken> added;
  for (size_t i = 0; i < tokens.size(); ++i) {
    bool control = tokens[i].type == TokenType::control || tokens[i].type == TokenType::unknown;
    if ((!control && tokens[i].type != TokenType::user_defined) || tokens[i].text.empty()) continue;
    AddedToken token;
    token.id = static_cast<int32_t>(i);
    token.content = tokens[i].text;
    token.special = control;
    token.lstrip = lstrip.contains(token.id);
    token.single_word = single_word.contains(token.id);
    token.rstrip =
        rstrip.contains(token.id) || (phi3 && control && token.content != "<unk>" && token.content != "<s>" && token.content != "<|endoftext|>");
    added.push_back(std::move(token));
  }
  return added;
}

// Qwen's tokenizers compose characters, and files from elsewhere do not say it.
bool composes(std::string_view pre) { return pre == "qwen2"; }

void check_ids(SpecialIds& ids, size_t num_tokens) {
  // Some writers store 2^32 - 1 for "none".
  for (int32_t* id : {&ids.bos, &ids.eos, &ids.unk, &ids.pad, &ids.sep, &ids.cls, &ids.mask})
    if (*id < 0 || static_cast<size_t>(*id) >= num_tokens) *id = -1;
}

std::vector<std::pair<std::string, std::string>> merges_of(const GgmlVocabulary& v, const std::string& name) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& merge : v.merges) {
    // A token may begin with a space of its own in no byte alphabet, so the first space after the first character divides.
    size_t space = merge.find(' ', 1);
    if (space == merge.npos) fail(ErrorKind::file, "tokenizer", "{}: tokenizer.ggml.merges: '{}' should be two tokens", name, printable(merge, 60));
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return merges;
}

std::unique_ptr<Pipeline> from_gpt2(const GgmlVocabulary& v, const std::string& name) {
  ByteLevelParts parts;
  parts.name = name;
  parts.vocabulary = tokens_of(v, name);
  parts.added = added_of(parts.vocabulary, v);
  parts.special = v.special;
  parts.nfc = v.nfc.value_or(composes(v.pre));
  parts.pre = v.pre.empty() ? "default" : v.pre;
  parts.skip_unknown_merges = true;
  parts.add_prefix_space = v.add_space_prefix.value_or(false);
  parts.merges = merges_of(v, name);
  parts.ignore_merges = v.ignore_merges;
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
  // All of them are looked for in the text as it comes, user-defined ones too: so do the readers for which these files are written.
  parts.added = added_of(parts.vocabulary, v);
  if (v.space_prefix == "sentencepiece") {
    // Then only the special ones; the others in the normalised text, which make_sentencepiece() arranges.
    std::erase_if(parts.added, [](const AddedToken& t) { return !t.special; });
    for (Token& token : parts.vocabulary)
      if (token.type == TokenType::user_defined) token.text = with_metaspaces(token.text);
  } else {
    parts.space_prefix = v.space_prefix;
  }
  parts.special = v.special;
  parts.byte_fallback = std::any_of(parts.vocabulary.begin(), parts.vocabulary.end(), [](const Token& t) { return t.type == TokenType::byte; });
  parts.add_dummy_prefix = v.add_space_prefix.value_or(!parts.unigram);
  parts.remove_extra_whitespaces = v.remove_extra_whitespaces.value_or(false);
  parts.charsmap = v.charsmap;
  parts.merges = merges_of(v, name);
  parts.add_bos = v.add_bos.value_or(!parts.unigram);
  parts.add_eos = v.add_eos.value_or(parts.unigram);
  return make_sentencepiece(std::move(parts));
}

std::unique_ptr<Pipeline> from_bert(const GgmlVocabulary& v, const std::string& name) {
  WordPieceParts parts;
  parts.name = name;
  parts.vocabulary = tokens_of(v, name);
  for (Token& token : parts.vocabulary) token.text = bert_text_from_ggml(token.text, token.type);
  parts.added = added_of(parts.vocabulary, v);
  parts.special = v.special;
  parts.lowercase = v.lowercase;
  if (parts.special.cls < 0) parts.special.cls = v.special.bos;
  if (parts.special.sep < 0) parts.special.sep = v.special.eos;
  if (parts.special.unk < 0) fail(ErrorKind::file, "tokenizer", "{}: a WordPiece vocabulary should have tokenizer.ggml.unknown_token_id", name);
  return make_wordpiece_pipeline(std::move(parts));
}

// Scores in the order of the merges, for a vocabulary that has ranks instead: of two pairs the one with the higher score is joined. Words
// that no merge makes come after all that one does.
std::vector<float> scores_from_merges(const std::vector<Merge>& merges, size_t size) {
  std::vector<float> scores(size, -static_cast<float>(merges.size() + 1));
  for (size_t i = merges.size(); i-- > 0;) scores[static_cast<size_t>(merges[i].result)] = -static_cast<float>(i + 1);
  return scores;
}

// Whether a reader of the scores joins the same pairs in the same order.
bool scores_say_the_same(const std::vector<Merge>& merges, size_t num_extra_characters, const GgmlVocabulary& v) {
  const Merges scored = merges_from_scores(Vocabulary(tokens_of(v, "")));
  const auto size = static_cast<int32_t>(v.tokens.size());
  std::map<std::pair<int32_t, int32_t>, uint32_t> ranks;
  for (const Merge& m : scored.list)
    if (m.left < size && m.right < size) ranks.emplace(std::pair(m.left, m.right), m.rank);
  uint32_t last = 0;
  return merges.size() == ranks.size() && scored.extra_characters.size() == num_extra_characters && std::ranges::all_of(merges, [&](const Merge& m) {
           auto found = ranks.find({m.left, m.right});
           const uint32_t before = std::exchange(last, found == ranks.end() ? 0 : found->second);
           return found != ranks.end() && found->second >= before;
         });
}

std::vector<std::string> merge_texts(const std::vector<Merge>& merges, const Vocabulary& vocabulary) {
  std::vector<std::string> out;
  for (const Merge& m : merges) out.push_back(vocabulary.text(m.left) + " " + vocabulary.text(m.right));
  return out;
}

void describe_byte_level(const Pipeline& p, GgmlVocabulary& v) {
  v.merges = merge_texts(p.bpe->merges(), p.vocabulary);
  if (p.ggml.nfc != composes(v.pre)) v.nfc = p.ggml.nfc;
  if (p.ggml.add_space_prefix) v.add_space_prefix = true;
  if (p.bpe->ignores_merges() != find_pre_pattern(v.pre)->ignore_merges) v.ignore_merges = p.bpe->ignores_merges();
}

void describe_sentencepiece(const Pipeline& p, GgmlVocabulary& v) {
  v.add_space_prefix = p.ggml.add_space_prefix;
  v.space_prefix = p.ggml.space_prefix;
  v.remove_extra_whitespaces = p.ggml.remove_extra_whitespaces;
  v.charsmap = p.ggml.charsmap;
  const std::vector<Merge> merges = p.bpe ? p.bpe->merges() : std::vector<Merge>{};
  std::unordered_set<int32_t> joined;
  for (const Merge& m : merges) joined.insert(m.result);
  for (const AddedToken& token : p.added.tokens()) {
    const auto id = static_cast<size_t>(token.id);
    if (token.special || v.types[id] != static_cast<int32_t>(TokenType::user_defined)) continue;
    if (token.normalized) {
      // Readers look for user-defined tokens in the text before its spaces become U+2581.
      v.tokens[id] = with_spaces(v.tokens[id]);
      if (*v.add_space_prefix && v.space_prefix.empty()) v.space_prefix = "sentencepiece";
    } else if (joined.contains(token.id) && v.tokens[id].find(kMetaspace) != std::string::npos) {
      // Text never holds it, spaces that became U+2581 are joined to it: a word like others.
      v.types[id] = static_cast<int32_t>(TokenType::normal);
    }
  }
  const bool any_score = std::ranges::any_of(p.vocabulary.tokens(), [](const Token& t) { return t.score != 0; });
  if (any_score || !p.bpe) {
    for (const Token& token : p.vocabulary.tokens()) v.scores.push_back(static_cast<float>(token.score));
  } else {
    v.scores = scores_from_merges(merges, v.tokens.size());
  }
  if (!p.bpe || scores_say_the_same(merges, p.bpe->num_extra_characters(), v)) return;
  v.merges = merge_texts(merges, p.vocabulary);
  v.warnings.emplace_back(
      "other programs read scores in place of this tokenizer's merges, which cannot say all of them: some cut a few words otherwise");
}

void describe_surroundings(const Pipeline& p, GgmlVocabulary& v) {
  if (v.model == "bert") return;  // [CLS] and [SEP], always
  constexpr int32_t kText = -1;
  const std::vector<int32_t> around = p.post.apply({kText});
  const auto text = std::ranges::find(around, kText);
  // A tokenizer.json alone gives no roles; what it puts before every text is BOS, and behind it EOS.
  auto one = [](std::span<const int32_t> ids, int32_t& role) {
    if (ids.size() == 1 && role < 0) role = ids[0];
    return ids.size() == 1 && ids[0] == role;
  };
  v.add_bos = one({around.begin(), text}, v.special.bos);
  v.add_eos = text != around.end() && one({text + 1, around.end()}, v.special.eos);
  if (around.size() == 1 + static_cast<size_t>(*v.add_bos) + static_cast<size_t>(*v.add_eos)) return;
  v.before.assign(around.begin(), text);
  if (text != around.end()) v.after.assign(text + 1, around.end());
  v.warnings.emplace_back("other programs know only of BOS and EOS around a text, not of the other tokens that this tokenizer puts there");
}

}  // namespace

std::unique_ptr<tok::Pipeline> make_ggml_pipeline(GgmlVocabulary v, const std::string& name) {
  check_ids(v.special, v.tokens.size());
  if (!v.space_prefix.empty() && v.space_prefix != "first" && v.space_prefix != "always" && v.space_prefix != "sentencepiece")
    fail(ErrorKind::file, "tokenizer", "{}: motley.tokenizer.space_prefix is '{}', expected first, always or sentencepiece", name,
         printable(v.space_prefix));
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
  if (!v.before.empty() || !v.after.empty()) {
    constexpr size_t kMost = 4096;  // each stands around every text
    if (v.before.size() + v.after.size() > kMost)
      fail(ErrorKind::file, "tokenizer", "{}: motley.tokenizer.before and .after have {} tokens, expected at most {}", name,
           v.before.size() + v.after.size(), kMost);
    Template around{v.before};
    around.items.push_back(Template::kText);
    around.items.insert(around.items.end(), v.after.begin(), v.after.end());
    std::erase_if(around.items, [&](int32_t id) { return id != Template::kText && !pipeline->vocabulary.contains(id); });
    pipeline->post = {};
    pipeline->post.add(std::move(around));
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
  if (!p.ggml.obstacle.empty()) fail(ErrorKind::file, "tokenizer", "GGUF has no form for this tokenizer: {}", p.ggml.obstacle);
  if (v.model == "gpt2" && v.pre.empty())
    fail(ErrorKind::file, "tokenizer", "GGUF has no name for the patterns by which this tokenizer splits text, so a GGUF file could not describe it");
  const int32_t size = p.vocabulary.size();
  for (int32_t id = 0; id < size; ++id) {
    const std::string& text = p.vocabulary.text(id);
    TokenType type = p.vocabulary.type(id);
    v.tokens.push_back(text.empty() ? fmt::format("[PAD{}]", id) : v.model == "bert" ? bert_text_for_ggml(text) : text);
    v.types.push_back(static_cast<int32_t>(text.empty() ? TokenType::unused : type));
  }
  for (const AddedToken& token : p.added.tokens()) {
    if (token.lstrip) v.lstrip.push_back(token.id);
    if (token.rstrip) v.rstrip.push_back(token.id);
    if (token.single_word) v.single_word.push_back(token.id);
  }
  if (v.model == "gpt2") describe_byte_level(p, v);
  if (v.model == "llama" || v.model == "t5") describe_sentencepiece(p, v);
  if (v.model == "bert") v.lowercase = p.ggml.lowercase;
  v.special = p.special;
  for (int32_t id : p.end_of_generation)
    if (id != p.special.eos) v.end_of_turn.push_back(id);
  describe_surroundings(p, v);
  v.chat_templates = p.chat_templates;
  return v;
}

}  // namespace motley

// The formats from before tokenizer.json, which hold words and leave the rest to code: vocab.json with merges.txt, vocab.txt, tiktoken's
// ranks and llama2.c's tokenizer.bin. The rest is here.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/base64.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/byte_alphabet.h"
#include "io/tokenizer/byte_level.h"
#include "io/tokenizer/loaders.h"
#include "io/tokenizer/patterns.h"
#include "io/tokenizer/sentencepiece.h"
#include "io/tokenizer/wordpiece.h"

namespace motley::tok {
namespace {

constexpr size_t kMaxLines = size_t{1} << 22;

// f(line, number) for each line, without its end.
template <class F>
void for_each_line(std::string_view text, const std::string& name, F&& f) {
  size_t number = 0;
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (++number > kMaxLines) fail(ErrorKind::file, "tokenizer", "{}: more than {} lines", name, kMaxLines);
    f(line, number);
  }
}

// The expressions and added specials of tiktoken's own vocabularies, which are known by how many ranks they have.
struct TiktokenKind {
  int64_t num_ranks;
  const char* pre;
  std::vector<std::pair<int32_t, const char*>> specials;
};

const TiktokenKind& tiktoken_kind(int64_t num_ranks, const std::string& name) {
  static const std::vector<TiktokenKind> kinds{
      {50256, "gpt-2", {{50256, "<|endoftext|>"}}},
      {100256,
       "dbrx",
       {{100257, "<|endoftext|>"}, {100258, "<|fim_prefix|>"}, {100259, "<|fim_middle|>"}, {100260, "<|fim_suffix|>"}, {100276, "<|endofprompt|>"}}},
      {128000, "llama-bpe", {{128000, "<|begin_of_text|>"}, {128001, "<|end_of_text|>"}}},
      {151643, "qwen2", {{151643, "<|endoftext|>"}, {151644, "<|im_start|>"}, {151645, "<|im_end|>"}}},
      {199998, "gpt-4o", {{199999, "<|endoftext|>"}, {200018, "<|endofprompt|>"}}},
  };
  for (const auto& kind : kinds)
    if (kind.num_ranks == num_ranks) return kind;
  fail(ErrorKind::file, "tokenizer",
       "{}: {} ranks belong to none of the known tiktoken vocabularies, whose splitting patterns the file does not hold; use a tokenizer.json", name,
       num_ranks);
}

AddedToken special_token(int32_t id, std::string content) {
  AddedToken token;
  token.id = id;
  token.content = std::move(content);
  token.special = true;
  return token;
}

// What transformers assumes where the files beside such a vocabulary are silent.
Companions with_roles_of_roberta(Companions companions) {
  for (auto [role, content] :
       {std::pair("bos_token", "<s>"), std::pair("eos_token", "</s>"), std::pair("sep_token", "</s>"), std::pair("cls_token", "<s>"),
        std::pair("unk_token", "<unk>"), std::pair("pad_token", "<pad>"), std::pair("mask_token", "<mask>")})
    if (std::ranges::none_of(companions.roles, [&](const auto& r) { return r.first == role; })) companions.roles.emplace_back(role, content);
  return companions;
}

}  // namespace

std::unique_ptr<Pipeline> read_vocab_and_merges(std::string_view vocab, std::string_view merges, const std::string& name, const Companions& files) {
  const std::string& family = files.tokenizer_class;
  const bool roberta = family.starts_with("Roberta") || family.starts_with("Longformer") || family.starts_with("Bart");
  const Companions companions = roberta ? with_roles_of_roberta(files) : files;
  const Json json = parse_json(vocab, name);
  if (!json.is_object()) fail(ErrorKind::file, "tokenizer", "{}: expected an object from token to id, found {}", name, json.type_name());
  VocabularyBuilder vocabulary(name);
  for (const auto& [text, id] : json.items()) {
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<uint64_t>() > INT64_MAX))
      fail(ErrorKind::file, "tokenizer", "{}: the id of '{}' should be an integer", name, printable(text, 60));
    if (std::string_view(text).ends_with("</w>"))
      fail(ErrorKind::file, "tokenizer", "{}: token '{}' marks the end of a word, which these two files do not describe fully; use a tokenizer.json",
           name, printable(text, 40));
    vocabulary.set(id.get<int64_t>(), Token{text, 0, TokenType::normal});
  }
  ByteLevelParts parts;
  for_each_line(merges, name, [&](std::string_view line, size_t number) {
    if (line.empty() || (number == 1 && line.starts_with("#version"))) return;
    size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos)
      fail(ErrorKind::file, "tokenizer", "{}: line {} of the merges should be two tokens, found '{}'", name, number, printable(line, 60));
    parts.merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  });
  merge_added_tokens(companions, vocabulary, parts.added, name);
  const bool qwen = family.starts_with("Qwen2");
  parts.name = name;
  parts.pre = qwen ? "qwen2" : "gpt-2";
  parts.nfc = qwen;
  parts.add_prefix_space = companions.add_prefix_space.value_or(false);
  // GPT-2's last word is what it calls unknown, end and beginning of text.
  if (companions.roles.empty())
    if (int32_t id = vocabulary.find("<|endoftext|>"); id >= 0) {
      vocabulary.set_type(id, TokenType::control);
      parts.added.push_back(special_token(id, "<|endoftext|>"));
      parts.special.bos = parts.special.eos = id;
    }
  PairTemplate pair;
  if (roberta) {
    int32_t bos = vocabulary.find("<s>"), eos = vocabulary.find("</s>");
    if (bos >= 0 && eos >= 0) parts.around.items = {bos, Template::kText, eos}, pair = roberta_pair(bos, eos);
  }
  parts.vocabulary = vocabulary.take();
  auto pipeline = make_byte_level_pipeline(std::move(parts));
  pipeline->post.set_pair(std::move(pair));
  SpecialIds before = pipeline->special;
  apply_companions(companions, *pipeline);
  if (companions.roles.empty()) pipeline->special = before;
  pipeline->add_end_of_generation(pipeline->special.eos);
  Template around;
  if (companions.add_bos.value_or(false) && pipeline->special.bos >= 0) around.items.push_back(pipeline->special.bos);
  around.items.push_back(Template::kText);
  if (companions.add_eos.value_or(false) && pipeline->special.eos >= 0) around.items.push_back(pipeline->special.eos);
  if (around.items.size() > 1 && pipeline->post.empty()) pipeline->post.add(std::move(around));
  return pipeline;
}

std::unique_ptr<Pipeline> read_vocab_txt(std::string_view text, const std::string& name, const Companions& companions) {
  VocabularyBuilder vocabulary(name);
  for_each_line(text, name, [&](std::string_view line, size_t number) {
    vocabulary.set(static_cast<int64_t>(number) - 1, Token{std::string(line), 0, TokenType::normal});
  });
  WordPieceParts parts;
  parts.name = name;
  merge_added_tokens(companions, vocabulary, parts.added, name);
  for (auto [content, place] :
       {std::pair("[PAD]", &parts.special.pad), std::pair("[UNK]", &parts.special.unk), std::pair("[CLS]", &parts.special.cls),
        std::pair("[SEP]", &parts.special.sep), std::pair("[MASK]", &parts.special.mask)})
    *place = vocabulary.find(content);
  if (parts.special.unk < 0) fail(ErrorKind::file, "tokenizer", "{}: a WordPiece vocabulary should have the token [UNK]", name);
  parts.vocabulary = vocabulary.take();
  parts.lowercase = companions.lowercase;
  auto pipeline = make_wordpiece_pipeline(std::move(parts));
  apply_companions(companions, *pipeline);
  return pipeline;
}

std::unique_ptr<Pipeline> read_tiktoken(std::string_view text, const std::string& name, const Companions& companions) {
  VocabularyBuilder vocabulary(name);
  int64_t num_ranks = 0;
  for_each_line(text, name, [&](std::string_view line, size_t number) {
    if (line.empty()) return;
    size_t space = line.find(' ');
    auto bytes = decode_base64(line.substr(0, space));
    int64_t rank = space == line.npos ? -1 : parse_int(line.substr(space + 1)).value_or(-1);
    if (!bytes || bytes->empty() || rank < 0)
      fail(ErrorKind::file, "tokenizer", "{}: line {} should be base64 and a rank, found '{}'", name, number, printable(line, 60));
    std::string token;
    append_as_alphabet(token, *bytes);
    vocabulary.set(rank, Token{std::move(token), 0, TokenType::normal});
    ++num_ranks;
  });
  const TiktokenKind& kind = tiktoken_kind(num_ranks, name);
  ByteLevelParts parts;
  parts.name = name;
  parts.pre = kind.pre;
  parts.from_ranks = true;
  for (auto [id, content] : kind.specials) {
    // Files that extend a vocabulary name their specials themselves.
    if (!companions.added.empty()) break;
    vocabulary.set(id, Token{content, 0, TokenType::control});
    parts.added.push_back(special_token(id, content));
  }
  merge_added_tokens(companions, vocabulary, parts.added, name);
  int32_t bos = vocabulary.find("<|begin_of_text|>");
  if (kind.num_ranks == 128000 && bos >= 0 && companions.add_bos.value_or(true)) parts.around.items = {bos, Template::kText};
  parts.vocabulary = vocabulary.take();
  auto pipeline = make_byte_level_pipeline(std::move(parts));
  apply_companions(companions, *pipeline);
  pipeline->add_end_of_generation(pipeline->special.eos);
  return pipeline;
}

std::unique_ptr<Pipeline> read_llama2c(std::string_view bytes, const std::string& name) {
  size_t at = 0;
  auto read = [&](void* to, size_t size) {
    if (bytes.size() - at < size)
      fail(ErrorKind::file, "tokenizer", "{} ends at byte {} inside a token, expected llama2.c's tokenizer.bin", name, bytes.size());
    std::memcpy(to, bytes.data() + at, size);
    at += size;
  };
  uint32_t longest = 0;
  read(&longest, 4);
  SentencePieceParts parts;
  parts.name = name;
  while (at < bytes.size()) {
    float score = 0;
    uint32_t length = 0;
    read(&score, 4);
    read(&length, 4);
    if (length > longest || length > bytes.size() - at)
      fail(ErrorKind::file, "tokenizer", "{}: token {} at byte {} has length {}, expected at most {}", name, parts.vocabulary.size(), at, length,
           std::min<size_t>(longest, bytes.size() - at));
    std::string_view text = bytes.substr(at, length);
    at += length;
    Token token{{}, score, TokenType::normal};
    size_t id = parts.vocabulary.size();
    // The file writes U+2581 as a space and BOS and EOS between line ends.
    if (text.size() > 2 && (id == 1 || id == 2) && text.front() == '\n' && text.back() == '\n')
      text = text.substr(1, text.size() - 2), token.type = TokenType::control;
    if (id == 0) token.type = TokenType::unknown;
    if (text.size() == 6 && text.starts_with("<0x") && id >= 3 && id < 259) token.type = TokenType::byte;
    for (char c : text) {
      if (c == ' ') {
        token.text += "\xE2\x96\x81";
      } else {
        token.text += c;
      }
    }
    parts.vocabulary.push_back(std::move(token));
    if (parts.vocabulary.size() > kMaxLines) fail(ErrorKind::file, "tokenizer", "{}: more than {} tokens", name, kMaxLines);
  }
  if (parts.vocabulary.size() < 3)
    fail(ErrorKind::file, "tokenizer", "{} has {} tokens, expected at least <unk>, <s> and </s>", name, parts.vocabulary.size());
  parts.special = {.bos = 1, .eos = 2, .unk = 0};
  parts.byte_fallback = true;
  parts.add_bos = true;
  return make_sentencepiece(std::move(parts));
}

}  // namespace motley::tok

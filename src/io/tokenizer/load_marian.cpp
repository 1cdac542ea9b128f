// source.spm, target.spm and vocab.json, as Marian's translators have them: SentencePiece finds pieces, whose ids another file gives.
#include <cstdint>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/json.h"
#include "io/tokenizer/loaders.h"
#include "io/tokenizer/sentencepiece.h"

namespace motley::tok {
namespace {

constexpr std::string_view kEos = "</s>", kUnk = "<unk>", kPad = "<pad>";

// Pieces that one pipeline finds, under the ids of another vocabulary.
class RenumberedModel final : public Model {
 public:
  RenumberedModel(std::unique_ptr<Pipeline> pieces, const Vocabulary& vocabulary, int32_t unk)
      : pieces_(std::move(pieces)), vocabulary_(vocabulary), unk_(unk) {
    for (const Token& piece : pieces_->vocabulary.tokens()) ids_.push_back(id_of(piece.text));
  }

  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    // ">>fra<<" before a text says what to translate it into, of models that know several languages.
    if (size_t end = text.starts_with(">>") ? text.find("<<") : text.npos; end != text.npos) {
      ids.push_back(id_of(text.substr(0, end + 2)));
      text.remove_prefix(end + 2);
    }
    for (int32_t piece : pieces_->encode(text, false)) ids.push_back(ids_[static_cast<size_t>(piece)]);
  }

 private:
  int32_t id_of(std::string_view text) const {
    const int32_t id = vocabulary_.find(text);
    return id < 0 ? unk_ : id;
  }

  std::unique_ptr<Pipeline> pieces_;
  const Vocabulary& vocabulary_;
  int32_t unk_;
  std::vector<int32_t> ids_;  // of each piece
};

VocabularyBuilder read_ids(std::string_view text, const std::string& name) {
  const Json json = parse_json(text, name);
  if (!json.is_object()) fail(ErrorKind::file, "tokenizer", "{}: expected an object from token to id, found {}", name, json.type_name());
  VocabularyBuilder vocabulary(name);
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<uint64_t>() > INT64_MAX))
      fail(ErrorKind::file, "tokenizer", "{}: the id of '{}' should be an integer", name, printable(token, 60));
    vocabulary.set(id.get<int64_t>(), Token{token, 0, TokenType::normal});
  }
  for (std::string_view needed : {kEos, kUnk})
    if (vocabulary.find(needed) < 0) fail(ErrorKind::file, "tokenizer", "{}: there is no '{}'", name, needed);
  return vocabulary;
}

std::unique_ptr<Pipeline> read_pieces(std::string_view bytes, const std::string& name, const Vocabulary& ids) {
  SentencePieceParts parts = read_sentencepiece_parts(bytes, name);
  if (!parts.unigram) fail(ErrorKind::file, "tokenizer", "{}: its pieces are joined by BPE, expected a unigram model", name);
  // What the pieces do not cover may have an id all the same: the other language's letters.
  std::unordered_set<std::string_view> known;
  for (const Token& piece : parts.vocabulary) known.insert(piece.text);
  std::vector<Token> others;
  for (const Token& token : ids.tokens())
    if (!token.text.empty() && !known.contains(token.text)) others.push_back({token.text, 0, TokenType::unused});
  parts.vocabulary.insert(parts.vocabulary.end(), others.begin(), others.end());
  parts.unused_known = true;
  return make_sentencepiece(std::move(parts));
}

}  // namespace

std::unique_ptr<Pipeline> read_marian(std::string_view pieces, const std::string& pieces_name, std::string_view vocab, const std::string& vocab_name,
                                      const Companions& companions) {
  VocabularyBuilder ids = read_ids(vocab, vocab_name);
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->special = {.eos = ids.find(kEos), .unk = ids.find(kUnk), .pad = ids.find(kPad)};
  std::vector<AddedToken> added;
  for (std::string_view content : {kEos, kUnk, kPad})
    if (int32_t id = ids.find(content); id >= 0) {
      ids.set_type(id, content == kUnk ? TokenType::unknown : TokenType::control);
      AddedToken token;
      token.id = id, token.content = content, token.special = true;
      added.push_back(std::move(token));
    }
  merge_added_tokens(companions, ids, added, vocab_name);
  pipeline->vocabulary = Vocabulary(ids.take());
  pipeline->model =
      std::make_unique<RenumberedModel>(read_pieces(pieces, pieces_name, pipeline->vocabulary), pipeline->vocabulary, pipeline->special.unk);
  apply_companions(companions, *pipeline);
  Template around;
  around.items = {Template::kText, pipeline->special.eos};
  pipeline->post.add(std::move(around));
  pipeline->decoder.add(ReplaceStep{"\xE2\x96\x81", " ", nullptr});
  pipeline->decoder.add(ByteFallbackStep{.keep_valid = true});
  pipeline->decoder.add(FuseStep{});
  pipeline->decoder.add(StripStep{" ", SIZE_MAX, SIZE_MAX});
  pipeline->finish(std::move(added));
  return pipeline;
}

}  // namespace motley::tok

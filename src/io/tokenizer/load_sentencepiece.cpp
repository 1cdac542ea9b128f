// tokenizer.model: SentencePiece's ModelProto, of which the fields that encoding needs are read here.
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/loaders.h"
#include "io/tokenizer/protobuf.h"
#include "io/tokenizer/sentencepiece.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

constexpr size_t kMaxPieces = size_t{1} << 22;

// ModelProto.SentencePiece: 1 piece, 2 score, 3 type.
Token read_piece(const ProtoField& message, const ProtoReader& outer, const std::string& name, size_t id) {
  Token token;
  ProtoReader reader(message.bytes, name, outer.offset(message));
  while (auto f = reader.next()) {
    if (f->number == 1 && f->wire_type == 2) token.text = f->bytes;
    if (f->number == 2 && f->wire_type == 5) token.score = f->as_float();
    if (f->number == 3 && f->wire_type == 0) {
      if (f->value < 1 || f->value > 6)
        fail(ErrorKind::file, "tokenizer", "{}: piece {} '{}' has type {}, expected 1 to 6", name, id, printable(token.text, 40), f->value);
      token.type = static_cast<TokenType>(f->value);
    }
  }
  if (token.text.empty()) fail(ErrorKind::file, "tokenizer", "{}: piece {} is empty", name, id);
  return token;
}

int32_t small_int(const ProtoField& f) {
  int64_t v = f.as_int();
  return v >= -1 && v <= INT32_MAX ? static_cast<int32_t>(v) : -1;
}

}  // namespace

SentencePieceParts read_sentencepiece_parts(std::string_view bytes, const std::string& name) {
  SentencePieceParts parts;
  parts.name = name;
  parts.special = {.bos = 1, .eos = 2, .unk = 0, .pad = -1};
  parts.remove_extra_whitespaces = true;
  uint64_t model_type = 1;
  std::vector<Token> pieces;
  ProtoReader reader(bytes, name);
  while (auto f = reader.next()) {
    if (f->wire_type != 2) continue;
    if (f->number == 1) {
      if (pieces.size() >= kMaxPieces) fail(ErrorKind::file, "tokenizer", "{}: more than {} pieces", name, kMaxPieces);
      pieces.push_back(read_piece(*f, reader, name, pieces.size()));
    } else if (f->number == 2) {  // TrainerSpec
      ProtoReader spec(f->bytes, name, reader.offset(*f));
      while (auto s = spec.next()) {
        if (s->wire_type != 0) continue;
        if (s->number == 3) model_type = s->value;
        if (s->number == 24) parts.whitespace_as_suffix = s->value != 0;
        if (s->number == 35) parts.byte_fallback = s->value != 0;
        if (s->number == 40) parts.special.unk = small_int(*s);
        if (s->number == 41) parts.special.bos = small_int(*s);
        if (s->number == 42) parts.special.eos = small_int(*s);
        if (s->number == 43) parts.special.pad = small_int(*s);
      }
    } else if (f->number == 3) {  // NormalizerSpec
      ProtoReader spec(f->bytes, name, reader.offset(*f));
      while (auto s = spec.next()) {
        if (s->number == 2 && s->wire_type == 2) parts.charsmap = s->bytes;
        if (s->number == 3 && s->wire_type == 0) parts.add_dummy_prefix = s->value != 0;
        if (s->number == 4 && s->wire_type == 0) parts.remove_extra_whitespaces = s->value != 0;
        if (s->number == 5 && s->wire_type == 0) parts.escape_whitespaces = s->value != 0;
      }
    }
  }
  if (pieces.empty()) fail(ErrorKind::file, "tokenizer", "{} is not a SentencePiece model: it has no pieces", name);
  if (model_type != 1 && model_type != 2)
    fail(ErrorKind::file, "tokenizer", "{}: trainer_spec.model_type is {}, expected 1 (unigram) or 2 (BPE)", name, model_type);
  parts.unigram = model_type == 1;
  // The pieces' types are the truth about the ids, the trainer's settings only where they agree with them.
  auto checked = [&](int32_t id, TokenType type) {
    return id >= 0 && static_cast<size_t>(id) < pieces.size() && pieces[static_cast<size_t>(id)].type == type ? id : -1;
  };
  parts.special.bos = checked(parts.special.bos, TokenType::control);
  parts.special.eos = checked(parts.special.eos, TokenType::control);
  parts.special.pad = checked(parts.special.pad, TokenType::control);
  parts.special.unk = checked(parts.special.unk, TokenType::unknown);
  for (size_t id = 0; id < pieces.size() && parts.special.unk < 0; ++id)
    if (pieces[id].type == TokenType::unknown) parts.special.unk = static_cast<int32_t>(id);
  parts.vocabulary = std::move(pieces);
  return parts;
}

std::unique_ptr<Pipeline> read_sentencepiece(std::string_view bytes, const std::string& name, const Companions& companions) {
  SentencePieceParts parts = read_sentencepiece_parts(bytes, name);
  VocabularyBuilder vocabulary(name);
  for (size_t id = 0; id < parts.vocabulary.size(); ++id) vocabulary.set(static_cast<int64_t>(id), std::move(parts.vocabulary[id]));
  merge_added_tokens(companions, vocabulary, parts.added, name);
  parts.vocabulary = vocabulary.take();
  // Llama's convention for BPE files and T5's for unigram ones that have no BOS, unless the configuration says otherwise.
  parts.add_bos = companions.add_bos.value_or(!parts.unigram);
  parts.add_eos = companions.add_eos.value_or(parts.unigram && parts.special.bos < 0);
  auto pipeline = make_sentencepiece(std::move(parts));
  apply_companions(companions, *pipeline);
  pipeline->add_end_of_generation(pipeline->special.eos);
  return pipeline;
}

}  // namespace motley::tok

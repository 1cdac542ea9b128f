#include "io/tokenizer/sentencepiece.h"

#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/unigram.h"

namespace motley::tok {

std::unique_ptr<Pipeline> make_sentencepiece(SentencePieceParts parts) {
  for (size_t id = 0; id < parts.vocabulary.size(); ++id)
    if (!std::isfinite(parts.vocabulary[id].score)) fail(ErrorKind::file, "tokenizer", "{}: the score of piece {} is not finite", parts.name, id);
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->vocabulary = Vocabulary(std::move(parts.vocabulary));
  pipeline->special = parts.special;
  const Vocabulary& vocabulary = pipeline->vocabulary;

  SentencePieceNormalizerOptions normalizer;
  normalizer.add_dummy_prefix = parts.add_dummy_prefix && parts.space_prefix.empty();
  normalizer.remove_extra_whitespaces = parts.remove_extra_whitespaces;
  normalizer.escape_whitespaces = parts.escape_whitespaces;
  normalizer.whitespace_as_suffix = parts.whitespace_as_suffix;
  if (!parts.charsmap.empty()) normalizer.charsmap.emplace_back(parts.charsmap, parts.name + ": precompiled_charsmap");
  std::vector<AddedToken> added = std::move(parts.added);
  std::unordered_set<int32_t> listed;
  for (AddedToken& token : added) {
    listed.insert(token.id);
    token.normalized = token.normalized && !token.special;
  }
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    bool control = vocabulary.type(id) == TokenType::control, user_defined = vocabulary.type(id) == TokenType::user_defined;
    if ((!control && !user_defined) || listed.contains(id) || vocabulary.text(id).empty()) continue;
    AddedToken token;
    token.id = id;
    token.content = vocabulary.text(id);
    token.special = control;
    // User-defined pieces are found in the normalised text, which the normaliser has left as it was where they stand.
    token.normalized = user_defined;
    if (user_defined) normalizer.user_defined.push_back(token.content);
    added.push_back(std::move(token));
  }
  GgmlFacts& facts = pipeline->ggml;
  facts.model = parts.unigram ? "t5" : "llama";
  facts.pre = "default";
  facts.add_space_prefix = parts.add_dummy_prefix;
  facts.remove_extra_whitespaces = parts.remove_extra_whitespaces;
  facts.charsmap = parts.charsmap;
  facts.space_prefix = parts.space_prefix;
  if (parts.whitespace_as_suffix) facts.obstacle = "spaces are put behind words";
  if (!parts.escape_whitespaces) facts.obstacle = "spaces stay as they are instead of becoming U+2581";
  if (parts.add_dummy_prefix && !parts.space_prefix.empty())
    pipeline->pre_tokenizers.push_back(make_metaspace("\xE2\x96\x81", parts.space_prefix == "always", parts.space_prefix == "first", false));

  if (parts.unigram) {
    pipeline->model = std::make_unique<UnigramModel>(vocabulary, UnigramOptions{parts.special.unk, parts.byte_fallback, parts.unused_known});
  } else {
    BpeOptions options;
    options.byte_fallback = parts.byte_fallback;
    options.fuse_unk = true;
    options.unk_id = parts.special.unk;
    auto merges = parts.merges.empty() ? merges_from_scores(vocabulary) : merges_from_list(vocabulary, parts.merges, "", parts.name, true);
    auto bpe = std::make_unique<BpeModel>(vocabulary, std::move(merges), std::move(options));
    pipeline->bpe = bpe.get();
    pipeline->model = std::move(bpe);
  }
  Template around;
  if (parts.add_bos && parts.special.bos >= 0) around.items.push_back(parts.special.bos);
  around.items.push_back(Template::kText);
  if (parts.add_eos && parts.special.eos >= 0) around.items.push_back(parts.special.eos);
  if (around.items.size() > 1) pipeline->post.add(std::move(around));

  if (parts.escape_whitespaces) pipeline->decoder.add(ReplaceStep{"\xE2\x96\x81", " ", nullptr});
  pipeline->decoder.add(ByteFallbackStep{.keep_valid = true});
  pipeline->decoder.add(FuseStep{});
  // Where white space was gathered, all of it at the beginning was put there; else one space.
  if (parts.add_dummy_prefix || parts.remove_extra_whitespaces)
    pipeline->decoder.add(StripStep{" ", parts.remove_extra_whitespaces ? SIZE_MAX : 1, 0});
  // Each user-defined piece went through the normaliser above unchanged, so looking them up needs no second pass through it.
  pipeline->finish(std::move(added));
  pipeline->normalizers.push_back(make_sentencepiece_normalizer(std::move(normalizer)));
  return pipeline;
}

}  // namespace motley::tok

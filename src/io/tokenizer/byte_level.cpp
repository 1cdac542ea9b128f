#include "io/tokenizer/byte_level.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/patterns.h"
#include "io/tokenizer/wordpiece.h"

namespace motley::tok {

std::unique_ptr<Pipeline> make_byte_level_pipeline(ByteLevelParts parts) {
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->vocabulary = Vocabulary(std::move(parts.vocabulary));
  pipeline->special = parts.special;
  const PrePattern* pre = find_pre_pattern(parts.pre);
  if (!pre) fail(ErrorKind::file, "tokenizer", "{}: the pre-tokenizer '{}' is not known to this program", parts.name, printable(parts.pre));
  if (parts.nfc) pipeline->normalizers.push_back(make_unicode_normalizer(NormalForm::nfc));
  if (parts.add_prefix_space) pipeline->pre_tokenizers.push_back(make_byte_level(true, false, true));
  for (std::string_view split : pre->splits)
    pipeline->pre_tokenizers.push_back(make_split(Regex(split, parts.name + ": " + parts.pre), SplitBehavior::isolated, false));
  BpeOptions options;
  options.raw_bytes = true;
  options.ignore_merges = parts.ignore_merges.value_or(pre->ignore_merges);
  auto merges = parts.from_ranks ? merges_from_ranks(pipeline->vocabulary)
                                 : merges_from_list(pipeline->vocabulary, parts.merges, "", parts.name, parts.skip_unknown_merges);
  auto bpe = std::make_unique<BpeModel>(pipeline->vocabulary, std::move(merges), std::move(options));
  pipeline->bpe = bpe.get();
  pipeline->model = std::move(bpe);
  if (!parts.around.items.empty()) pipeline->post.add(std::move(parts.around));
  pipeline->decoder.add(ByteLevelStep{});
  pipeline->ggml.model = "gpt2";
  pipeline->ggml.pre = pre->name;
  pipeline->ggml.nfc = parts.nfc;
  pipeline->ggml.add_space_prefix = parts.add_prefix_space;
  pipeline->finish(std::move(parts.added));
  return pipeline;
}

std::unique_ptr<Pipeline> make_wordpiece_pipeline(WordPieceParts parts) {
  auto pipeline = std::make_unique<Pipeline>();
  for (int32_t id : {parts.special.pad, parts.special.unk, parts.special.cls, parts.special.sep, parts.special.mask}) {
    if (id < 0) continue;
    Token& token = parts.vocabulary[static_cast<size_t>(id)];
    token.type = id == parts.special.unk ? TokenType::unknown : TokenType::control;
    if (std::any_of(parts.added.begin(), parts.added.end(), [&](const auto& t) { return t.id == id; })) continue;
    AddedToken added;
    added.id = id;
    added.content = token.text;
    added.special = true;
    parts.added.push_back(std::move(added));
  }
  BertNormalizerOptions normalizer;
  normalizer.lowercase = parts.lowercase.value_or(std::none_of(parts.vocabulary.begin(), parts.vocabulary.end(), [](const Token& t) {
    return t.type == TokenType::normal && t.text.size() > 1 && t.text[0] >= 'A' && t.text[0] <= 'Z';
  }));
  normalizer.strip_accents = normalizer.lowercase;
  pipeline->vocabulary = Vocabulary(std::move(parts.vocabulary));
  pipeline->special = parts.special;
  pipeline->normalizers.push_back(make_bert_normalizer(normalizer));
  pipeline->pre_tokenizers.push_back(make_split(is_white_space, SplitBehavior::removed));
  pipeline->pre_tokenizers.push_back(make_split(is_punctuation, SplitBehavior::isolated));
  pipeline->model = std::make_unique<WordPieceModel>(pipeline->vocabulary, WordPieceOptions{parts.special.unk, "##", 100});
  if (parts.special.cls >= 0 && parts.special.sep >= 0) {
    pipeline->post.add(Template{{parts.special.cls, Template::kText, parts.special.sep}});
    pipeline->post.set_pair(bert_pair(parts.special.cls, parts.special.sep));
  }
  pipeline->decoder.add(WordPieceStep{});
  pipeline->ggml.model = "bert";
  pipeline->ggml.lowercase = normalizer.lowercase;
  pipeline->finish(std::move(parts.added));
  return pipeline;
}

}  // namespace motley::tok

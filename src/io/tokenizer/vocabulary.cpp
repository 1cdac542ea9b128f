#include "io/tokenizer/vocabulary.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/hash.h"

namespace motley::tok {

StringIndex::StringIndex(size_t expected) {
  size_t capacity = 16;
  while (capacity < expected * 2) capacity *= 2;
  slots_.assign(capacity, Slot{0, -1});
  low_hashes_.assign(capacity, 0);
  mask_ = capacity - 1;
}

void StringIndex::place(Slot slot, uint64_t low_bits) {
  size_t i = low_bits & mask_;
  while (slots_[i].id >= 0) i = (i + 1) & mask_;
  slots_[i] = slot;
  low_hashes_[i] = static_cast<uint32_t>(low_bits);
}

void StringIndex::insert(uint64_t hash, int32_t id) {
  if ((used_ + 1) * 2 > slots_.size()) {
    auto old = std::exchange(slots_, {});
    auto old_low = std::exchange(low_hashes_, {});
    slots_.assign(old.size() * 2, Slot{0, -1});
    low_hashes_.assign(old.size() * 2, 0);
    mask_ = slots_.size() - 1;
    for (size_t i = 0; i < old.size(); ++i)
      if (old[i].id >= 0) place(old[i], old_low[i]);
  }
  place(Slot{static_cast<uint32_t>(hash >> 32), id}, hash & 0xFFFFFFFFu);
  ++used_;
}

Vocabulary::Vocabulary(std::vector<Token> tokens) : tokens_(std::move(tokens)), index_(tokens_.size()) {
  for (int32_t id = 0; id < size(); ++id)
    if (!text(id).empty() && find(text(id)) < 0) index_.insert(hash_bytes(text(id)), id);
}

int32_t Vocabulary::find(std::string_view s) const {
  return index_.find(s, hash_bytes(s), [&](int32_t id) -> std::string_view { return text(id); });
}

bool metaspace_only_leads(const Vocabulary& vocabulary) {
  return std::ranges::all_of(vocabulary.tokens(),
                             [](const Token& t) { return t.type != TokenType::normal || t.text.find("\xE2\x96\x81", 1) == t.text.npos; });
}

void VocabularyBuilder::set(int64_t id, Token token) {
  constexpr int64_t kMaxTokens = int64_t{1} << 24;
  if (id < 0 || id >= kMaxTokens)
    fail(ErrorKind::file, "tokenizer", "{}: token '{}' has id {}, expected 0 to {}", what_, printable(token.text, 60), id, kMaxTokens - 1);
  uint64_t hash = hash_bytes(token.text);
  if (find(token.text) < 0) index_.insert(hash, static_cast<int32_t>(entries_.size()));
  entries_.emplace_back(static_cast<int32_t>(id), std::move(token));
}

int32_t VocabularyBuilder::find(std::string_view s) const {
  int32_t place = index_.find(s, hash_bytes(s), [&](int32_t k) -> std::string_view { return entries_[static_cast<size_t>(k)].second.text; });
  return place < 0 ? -1 : entries_[static_cast<size_t>(place)].first;
}

std::vector<Token> VocabularyBuilder::take() {
  size_t size = 0;
  for (const auto& [id, token] : entries_) size = std::max(size, static_cast<size_t>(id) + 1);
  if (size > entries_.size() * 4 + 65536)
    fail(ErrorKind::file, "tokenizer", "{}: {} tokens have ids up to {}, which leaves most ids without a token", what_, entries_.size(), size - 1);
  std::vector<Token> tokens(size, Token{{}, 0, TokenType::unused});
  for (auto& [id, token] : entries_) tokens[static_cast<size_t>(id)] = std::move(token);
  for (auto [id, type] : types_)
    if (id >= 0 && static_cast<size_t>(id) < size) tokens[static_cast<size_t>(id)].type = type;
  entries_.clear();
  return tokens;
}

}  // namespace motley::tok

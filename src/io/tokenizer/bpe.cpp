#include "io/tokenizer/bpe.h"

#include <algorithm>
#include <cstring>
#include <queue>
#include <tuple>

#include "io/tokenizer/byte_alphabet.h"
#include "io/tokenizer/hash.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";
// Words up to here are joined by looking for the lowest rank among all pairs again and again: for few symbols that beats any queue.
constexpr size_t kShortWord = 40;
constexpr int kMaxUnusedDepth = 64;

bool ends_with_other_than_metaspace(std::string_view s) { return !s.empty() && !s.ends_with(kMetaspace); }

}  // namespace

MergeTable::MergeTable(const std::vector<Merge>& merges) {
  size_t capacity = 16;
  while (capacity < merges.size() * 2) capacity *= 2;
  slots_.assign(capacity, Slot{0, Hit{}});
  mask_ = capacity - 1;
  for (const Merge& m : merges) {
    uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(m.left)) << 32 | static_cast<uint32_t>(m.right);
    size_t i = hash_integer(pair) & mask_;
    while (slots_[i].hit.rank != kNoRank && slots_[i].pair != pair) i = (i + 1) & mask_;
    slots_[i] = Slot{pair, Hit{m.rank, m.result}};  // a pair listed twice has its later rank
  }
}

MergeTable::Hit MergeTable::find(int32_t left, int32_t right) const {
  uint64_t pair = static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  for (size_t i = hash_integer(pair) & mask_;; i = (i + 1) & mask_) {
    const Slot& slot = slots_[i];
    if (slot.hit.rank == kNoRank || slot.pair == pair) return slot.hit;
  }
}

std::vector<Merge> MergeTable::sorted() const {
  std::vector<Merge> out;
  for (const Slot& slot : slots_)
    if (slot.hit.rank != kNoRank)
      out.push_back({static_cast<int32_t>(slot.pair >> 32), static_cast<int32_t>(slot.pair), slot.hit.result, slot.hit.rank});
  std::sort(out.begin(), out.end(),
            [](const Merge& a, const Merge& b) { return std::tie(a.rank, a.left, a.right) < std::tie(b.rank, b.left, b.right); });
  return out;
}

std::vector<Merge> BpeModel::merges() const {
  auto all = table_.sorted();
  std::erase_if(all, [&](const Merge& m) { return m.left >= vocabulary_.size() || m.right >= vocabulary_.size(); });
  return all;
}

BpeModel::BpeModel(const Vocabulary& vocabulary, Merges merges, BpeOptions options)
    : vocabulary_(vocabulary), options_(std::move(options)), table_(merges.list), extra_characters_(std::move(merges.extra_characters)) {
  for (size_t i = 0; i < extra_characters_.size(); ++i) extra_ids_.emplace(extra_characters_[i], vocabulary.size() + static_cast<int32_t>(i));
  for (size_t form = 0; form < 4; ++form)
    for (unsigned b = 0; b < 256; ++b) {
      std::string text;
      if (form & 1) text += options_.continuing_prefix;
      auto byte = static_cast<char>(static_cast<unsigned char>(b));
      if (options_.raw_bytes) {
        append_as_alphabet(text, std::string_view(&byte, 1));
      } else {
        text += byte;
      }
      if (form & 2) text += options_.end_suffix;
      int32_t id = options_.raw_bytes || b < 0x80 ? vocabulary.find(text) : -1;
      if (auto extra = extra_ids_.find(text); id < 0 && extra != extra_ids_.end()) id = extra->second;
      byte_ids_[form][b] = id;
    }
  for (unsigned b = 0; b < 256; ++b) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    fallback_ids_[b] = vocabulary.find(std::string("<0x") + kHex[b >> 4] + kHex[b & 15] + '>');
  }
  independent_at_metaspace_ = no_merge_enters_metaspace(merges.list);
  find_unused_parts();
}

bool BpeModel::no_merge_enters_metaspace(const std::vector<Merge>& merges) const {
  // A suffix or prefix depends on where words begin, and an unknown character may be fused with the next unknown one.
  if (options_.raw_bytes || options_.ignore_merges || !options_.continuing_prefix.empty() || !options_.end_suffix.empty()) return false;
  if (vocabulary_.find(kMetaspace) < 0) return false;
  auto text = [&](int32_t id) -> std::string_view {
    return id < vocabulary_.size() ? std::string_view(vocabulary_.text(id)) : extra_characters_[static_cast<size_t>(id - vocabulary_.size())];
  };
  return std::none_of(merges.begin(), merges.end(),
                      [&](const Merge& m) { return text(m.right).starts_with(kMetaspace) && ends_with_other_than_metaspace(text(m.left)); });
}

void BpeModel::find_unused_parts() {
  std::vector<int32_t> symbols;
  for (int32_t id = 0; id < vocabulary_.size(); ++id) {
    if (vocabulary_.type(id) != TokenType::unused || vocabulary_.text(id).empty() || options_.raw_bytes) continue;
    if (!is_valid_utf8(vocabulary_.text(id))) continue;
    symbols.clear();
    first_symbols(vocabulary_.text(id), symbols);
    if (symbols.size() >= 2 && symbols.size() <= kShortWord && join_short(symbols.data(), symbols.size(), 2) == 2)
      unused_parts_.emplace(id, std::pair(symbols[0], symbols[1]));
  }
}

int32_t BpeModel::character(std::string_view c, bool first, bool last) const {
  bool prefix = !first && !options_.continuing_prefix.empty(), suffix = last && !options_.end_suffix.empty();
  if (options_.raw_bytes || c.size() == 1)
    return byte_ids_[static_cast<size_t>(prefix) | static_cast<size_t>(suffix) << 1][static_cast<unsigned char>(c[0])];
  int32_t id = -1;
  if (prefix || suffix) {
    id = vocabulary_.find((prefix ? options_.continuing_prefix : "") + std::string(c) + (suffix ? options_.end_suffix : ""));
  } else {
    id = vocabulary_.find(c);
  }
  if (id >= 0 || extra_ids_.empty()) return id;
  auto extra = extra_ids_.find(std::string(c));
  return extra == extra_ids_.end() ? -1 : extra->second;
}

bool BpeModel::append_bytes(std::string_view text, std::vector<int32_t>& ids) const {
  for (char b : text)
    if (fallback_ids_[static_cast<unsigned char>(b)] < 0) return false;
  for (char b : text) ids.push_back(fallback_ids_[static_cast<unsigned char>(b)]);
  return true;
}

void BpeModel::first_symbols(std::string_view word, std::vector<int32_t>& out) const {
  bool unk_waits = false;  // an unknown character whose token is not out yet, since the next may be fused with it
  for (size_t i = 0; i < word.size();) {
    size_t length = options_.raw_bytes ? 1 : char_length(word[i]);
    std::string_view c = word.substr(i, length);
    bool first = i == 0, last = i + length >= word.size();
    i += length;
    if (int32_t id = character(c, first, last); id >= 0) {
      if (unk_waits) out.push_back(options_.unk_id);
      unk_waits = false;
      out.push_back(id);
      continue;
    }
    if (options_.byte_fallback) {
      // The prefix and suffix are part of what is spelled in bytes.
      bool plain = options_.continuing_prefix.empty() && options_.end_suffix.empty();
      if (append_bytes(plain ? std::string(c) : (first ? "" : options_.continuing_prefix) + std::string(c) + (last ? options_.end_suffix : ""), out))
        continue;
    }
    if (options_.unk_id < 0) continue;
    if (unk_waits && !options_.fuse_unk) out.push_back(options_.unk_id);
    unk_waits = true;
  }
  if (unk_waits) out.push_back(options_.unk_id);
}

size_t BpeModel::join_short(int32_t* symbols, size_t count, size_t stop_at) const {
  MergeTable::Hit pairs[kShortWord];
  for (size_t i = 0; i + 1 < count; ++i) pairs[i] = table_.find(symbols[i], symbols[i + 1]);
  while (count > stop_at) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i)
      if (pairs[i].rank < pairs[best].rank) best = i;
    if (pairs[best].rank == MergeTable::kNoRank) break;
    symbols[best] = pairs[best].result;
    --count;
    for (size_t i = best + 1; i < count; ++i) symbols[i] = symbols[i + 1];
    for (size_t i = best; i + 1 < count; ++i) pairs[i] = pairs[i + 1];
    if (best + 1 < count) pairs[best] = table_.find(symbols[best], symbols[best + 1]);
    if (best > 0) pairs[best - 1] = table_.find(symbols[best - 1], symbols[best]);
  }
  return count;
}

size_t BpeModel::join_long(int32_t* symbols, size_t count) const {
  // A list of symbols with holes, and a queue of (rank, place): n log n for a word of any length. An entry whose pair has changed
  // since no longer agrees with pairs[place] and is passed over.
  constexpr uint32_t kNone = UINT32_MAX;
  std::vector<uint32_t> next(count), previous(count);
  std::vector<MergeTable::Hit> pairs(count);
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue;
  auto look = [&](size_t i) {
    pairs[i] = next[i] == kNone ? MergeTable::Hit{} : table_.find(symbols[i], symbols[next[i]]);
    if (pairs[i].rank != MergeTable::kNoRank) queue.push(static_cast<uint64_t>(pairs[i].rank) << 32 | i);
  };
  for (size_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? static_cast<uint32_t>(i + 1) : kNone;
    previous[i] = i > 0 ? static_cast<uint32_t>(i - 1) : kNone;
  }
  for (size_t i = 0; i < count; ++i) look(i);
  while (!queue.empty()) {
    uint64_t top = queue.top();
    queue.pop();
    auto place = static_cast<uint32_t>(top);
    if (pairs[place].rank != top >> 32) continue;
    uint32_t gone = next[place];
    symbols[place] = pairs[place].result;
    next[place] = next[gone];
    if (next[gone] != kNone) previous[next[gone]] = place;
    pairs[gone] = {};
    symbols[gone] = -1;
    look(place);
    if (previous[place] != kNone) look(previous[place]);
  }
  return static_cast<size_t>(std::remove(symbols, symbols + count, -1) - symbols);
}

void BpeModel::emit_one(int32_t symbol, bool& after_unk, int depth, std::vector<int32_t>& ids) const {
  if (symbol >= vocabulary_.size()) {  // a character that is no token and found no partner
    if (options_.byte_fallback && append_bytes(extra_characters_[static_cast<size_t>(symbol - vocabulary_.size())], ids)) return;
    if (options_.unk_id >= 0 && !(after_unk && options_.fuse_unk)) ids.push_back(options_.unk_id);
    after_unk = true;
    return;
  }
  if (!unused_parts_.empty() && depth < kMaxUnusedDepth)
    if (auto parts = unused_parts_.find(symbol); parts != unused_parts_.end()) {
      emit_one(parts->second.first, after_unk, depth + 1, ids);
      emit_one(parts->second.second, after_unk, depth + 1, ids);
      return;
    }
  after_unk = symbol == options_.unk_id;
  ids.push_back(symbol);
}

void BpeModel::emit(const int32_t* symbols, size_t count, std::vector<int32_t>& ids) const {
  bool after_unk = false;
  for (size_t i = 0; i < count; ++i) emit_one(symbols[i], after_unk, 0, ids);
}

void BpeModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  if (options_.ignore_merges) {
    std::string text;
    if (options_.raw_bytes) append_as_alphabet(text, word);
    int32_t id = vocabulary_.find(options_.raw_bytes ? std::string_view(text) : word);
    if (id >= 0 && vocabulary_.type(id) == TokenType::normal) {
      ids.push_back(id);
      return;
    }
  }
  std::vector<int32_t> symbols;
  symbols.reserve(word.size());
  first_symbols(word, symbols);
  size_t count = symbols.size() <= kShortWord ? join_short(symbols.data(), symbols.size()) : join_long(symbols.data(), symbols.size());
  emit(symbols.data(), count, ids);
}

}  // namespace motley::tok

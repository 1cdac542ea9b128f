#include "io/tokenizer/train_bpe.h"

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/byte_alphabet.h"
#include "io/tokenizer/byte_level.h"
#include "io/tokenizer/unicode.h"

namespace motley {
namespace {

using namespace tok;

constexpr size_t kMostTextBytes = 16 << 20;  // words are found by 32-bit offsets, in texts that a search may take its time with

uint64_t pair_of(int32_t left, int32_t right) { return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right); }

// The words of all texts while their pairs are joined.
class Joining {
 public:
  Joining(const std::vector<std::pair<std::string_view, int64_t>>& words, const std::vector<int32_t>& byte_ids) {
    for (const auto& [text, count] : words) {
      begins_.push_back(symbols_.size());
      counts_.push_back(count);
      for (char c : text) symbols_.push_back(byte_ids[static_cast<unsigned char>(c)]);
      lengths_.push_back(static_cast<uint32_t>(text.size()));
    }
    for (size_t w = 0; w < counts_.size(); ++w) {
      const int32_t* s = &symbols_[begins_[w]];
      for (uint32_t i = 0; i + 1 < lengths_[w]; ++i) change(pair_of(s[i], s[i + 1]), counts_[w], w);
    }
    for (const auto& [pair, place] : pairs_) queue_.push({place.count, pair});
  }

  struct Best {
    int64_t count;
    uint64_t pair;
    bool operator<(const Best& other) const { return count != other.count ? count < other.count : pair > other.pair; }
  };

  // The pair to join next; count 0 when there is none. The queue holds older, larger counts too, which are corrected when they come up.
  Best best() {
    while (!queue_.empty()) {
      Best top = queue_.top();
      const auto it = pairs_.find(top.pair);
      const int64_t now = it == pairs_.end() ? 0 : it->second.count;
      if (now == top.count) return top;
      queue_.pop();
      if (now > 0) queue_.push({now, top.pair});
    }
    return {0, 0};
  }

  // Makes `joined` of every occurrence of the best pair.
  void join(uint64_t pair, int32_t joined) {
    queue_.pop();
    const std::vector<uint32_t> words = std::move(pairs_[pair].words);
    touched_.clear();
    for (uint32_t w : words) join_in(w, pair, joined);
    pairs_.erase(pair);
    for (uint64_t p : touched_)
      if (auto it = pairs_.find(p); it != pairs_.end() && it->second.count > 0) queue_.push({it->second.count, p});
  }

 private:
  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> words;  // where it was seen; it need not be there any more
  };

  void change(uint64_t pair, int64_t by, size_t word) {
    Pair& p = pairs_[pair];
    p.count += by;
    if (by > 0 && (p.words.empty() || p.words.back() != word)) p.words.push_back(static_cast<uint32_t>(word));
  }

  void join_in(uint32_t w, uint64_t pair, int32_t joined) {
    int32_t* s = &symbols_[begins_[w]];
    const int64_t count = counts_[w];
    const auto left = static_cast<int32_t>(pair >> 32), right = static_cast<int32_t>(pair & UINT32_MAX);
    uint32_t out = 0;
    const uint32_t n = lengths_[w];
    for (uint32_t i = 0; i < n;) {
      if (i + 1 == n || s[i] != left || s[i + 1] != right) {
        s[out++] = s[i++];
        continue;
      }
      if (out > 0) {
        change(pair_of(s[out - 1], left), -count, w);
        change(pair_of(s[out - 1], joined), count, w);
        touched_.insert(pair_of(s[out - 1], joined));
      }
      if (i + 2 < n) {
        change(pair_of(right, s[i + 2]), -count, w);
        change(pair_of(joined, s[i + 2]), count, w);
        touched_.insert(pair_of(joined, s[i + 2]));
      }
      s[out++] = joined;
      i += 2;
    }
    lengths_[w] = out;
  }

  std::vector<int32_t> symbols_;  // of all words
  std::vector<size_t> begins_;
  std::vector<uint32_t> lengths_;
  std::vector<int64_t> counts_;
  std::unordered_map<uint64_t, Pair> pairs_;
  std::priority_queue<Best> queue_;
  std::unordered_set<uint64_t> touched_;  // pairs that became more frequent
};

void check_options(const BpeTraining& o) {
  std::set<std::string> seen;
  for (const std::string& s : o.special)
    if (s.empty() || !seen.insert(s).second)
      fail(ErrorKind::usage, "tokenizer", "the special token '{}' is {}", printable(s), s.empty() ? "empty" : "given twice");
  if (o.special.empty()) fail(ErrorKind::usage, "tokenizer", "at least one special token is needed, which ends texts");
  const auto least = static_cast<int64_t>(o.special.size()) + 256;
  if (o.vocabulary < least || o.vocabulary > 1 << 24)
    fail(ErrorKind::usage, "tokenizer", "a vocabulary of {} tokens; expected at least {} (256 bytes and the special tokens) and at most {}",
         o.vocabulary, least, 1 << 24);
}

AddedToken special_token(const std::string& text, int32_t id) {
  AddedToken t;
  t.id = id;
  t.content = text;
  t.special = true;
  return t;
}

}  // namespace

WordCounts::WordCounts() : cut_(make_byte_level(false, true, true)) {}

void WordCounts::add(std::string_view text) {
  bytes_ += static_cast<int64_t>(text.size());
  std::string mended;
  if (!is_valid_utf8(text)) text = mended = lossy_utf8(text);
  while (!text.empty()) {
    std::string_view part = text.substr(0, kMostTextBytes);
    if (part.size() < text.size()) part = part.substr(0, complete_utf8_prefix(part));
    text.remove_prefix(part.size());
    scratch_.begin_text(part.size());
    Words words(part);
    cut_->apply(words, scratch_);
    for (auto [begin, end] : words.pieces) {
      key_.assign(words.text.substr(begin, end - begin));
      ++counts_[key_];
    }
  }
}

std::shared_ptr<const Tokenizer> train_bpe(const WordCounts& words, const BpeTraining& options) {
  check_options(options);
  std::vector<std::pair<std::string_view, int64_t>> sorted(words.counts().begin(), words.counts().end());
  std::ranges::sort(sorted);  // the map's own order differs from run to run; nothing may depend on it

  ByteLevelParts parts;
  std::unordered_map<std::string, int32_t> ids;
  parts.name = "the new tokenizer";
  for (const std::string& s : options.special) {
    parts.added.push_back(special_token(s, static_cast<int32_t>(parts.vocabulary.size())));
    ids.emplace(s, static_cast<int32_t>(parts.vocabulary.size()));
    parts.vocabulary.push_back({s, 0, TokenType::control});
  }
  // Bytes in the order of the characters that stand for them.
  std::vector<std::pair<char32_t, int>> alphabet;
  for (int byte = 0; byte < 256; ++byte) alphabet.emplace_back(byte_to_alphabet(static_cast<unsigned char>(byte)), byte);
  std::ranges::sort(alphabet);
  std::vector<int32_t> byte_ids(256);
  for (auto [character, byte] : alphabet) {
    byte_ids[static_cast<size_t>(byte)] = static_cast<int32_t>(parts.vocabulary.size());
    std::string text;
    append_utf8(text, character);
    ids.emplace(text, byte_ids[static_cast<size_t>(byte)]);
    parts.vocabulary.push_back({text, 0, TokenType::normal});
  }

  Joining joining(sorted, byte_ids);
  std::unordered_set<uint64_t> joined;
  while (static_cast<int64_t>(parts.vocabulary.size()) < options.vocabulary) {
    const auto best = joining.best();
    if (best.count < std::max<int64_t>(options.least_count, 1)) break;
    const std::string left = parts.vocabulary[best.pair >> 32].text, right = parts.vocabulary[best.pair & UINT32_MAX].text;
    // Two pairs may make the same text: one token, two ways to it.
    auto [place, added] = ids.emplace(left + right, static_cast<int32_t>(parts.vocabulary.size()));
    if (added) parts.vocabulary.push_back({left + right, 0, TokenType::normal});
    if (joined.insert(best.pair).second) parts.merges.emplace_back(left, right);
    joining.join(best.pair, place->second);
  }
  parts.special.eos = parts.special.bos = 0;
  if (options.begin_of_text) parts.around.items = {0, Template::kText};
  return std::make_shared<Tokenizer>(make_byte_level_pipeline(std::move(parts)));
}

}  // namespace motley

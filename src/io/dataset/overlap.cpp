#include "io/dataset/overlap.h"

#include <algorithm>
#include <mutex>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/content_hash.h"
#include "base/error.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "io/dataset/record.h"

namespace motley {
namespace {

// A very long sample is looked at in pieces; they share the windows at their borders.
constexpr size_t kPieceTokens = 1 << 16, kSharedTokens = 256;
constexpr size_t kShownBytes = 120;
// Windows are hashed as polynomials in this number modulo 2^64, so that one moves on by a word in two multiplications.
constexpr uint64_t kBase = 0x9E3779B97F4A7C15ull;

// The hashes of what white space divides, without ASCII punctuation; what is only punctuation is no word.
std::vector<uint64_t> words_of(const std::string& text) {
  std::vector<uint64_t> out;
  std::string word;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    word.clear();
    for (; i < text.size() && static_cast<unsigned char>(text[i]) > ' '; ++i) {
      const char c = text[i];
      const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
      if (c >= 'A' && c <= 'Z') word += static_cast<char>(c - 'A' + 'a');
      if (letter) word += c;
    }
    if (!word.empty()) out.push_back(ContentHash().add(word).value());
    if (i == begin) ++i;
  }
  return out;
}

uint64_t hash_of(std::span<const uint64_t> words) {
  uint64_t h = 0;
  for (uint64_t w : words) h = h * kBase + w;
  return h;
}

// Whole samples must not be taken for windows.
uint64_t hash_of_whole(std::span<const uint64_t> words) { return fold_multiply(hash_of(words), 0xD6E8FEB86659FD93ull) ^ words.size(); }

// Calls use(words, whole) for each piece of a sample.
template <class Use>
void each_piece(const Samples& samples, int64_t i, const Tokenizer& tokenizer, Use&& use) {
  const auto ids = samples.ids(i);
  for (size_t at = 0; at < ids.size(); at += kPieceTokens) {
    const size_t n = std::min(kPieceTokens + kSharedTokens, ids.size() - at);
    const std::string text = tokenizer.decode(ids.subspan(at, n), {.skip_special = true});
    use(words_of(text), ids.size() <= kPieceTokens);
  }
}

constexpr auto kWindow = static_cast<size_t>(Overlap::kWindow);

class Search {
 public:
  Search(const Samples& evaluation, const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    for (int64_t i = 0; i < evaluation.size(); ++i)
      each_piece(evaluation, i, tokenizer, [&](const std::vector<uint64_t>& words, bool whole) {
        if (words.size() < kWindow) {
          if (whole && !words.empty()) wanted_.emplace(hash_of_whole(words), i);
          return;
        }
        for (size_t at = 0; at + kWindow <= words.size(); at += kWindow) wanted_.emplace(hash_of(std::span(words).subspan(at, kWindow)), i);
      });
  }

  // Marks the evaluation samples that this training sample holds.
  void look(const Samples& training, int64_t sample, std::vector<bool>& found) const {
    each_piece(training, sample, tokenizer_, [&](const std::vector<uint64_t>& words, bool whole) {
      if (words.size() < kWindow) {
        if (whole && !words.empty()) mark(hash_of_whole(words), found);
        return;
      }
      uint64_t power = 1, h = hash_of(std::span(words).first(kWindow));
      for (size_t i = 1; i < kWindow; ++i) power *= kBase;
      mark(h, found);
      for (size_t at = kWindow; at < words.size(); ++at) {
        h = (h - words[at - kWindow] * power) * kBase + words[at];
        mark(h, found);
      }
    });
  }

 private:
  void mark(uint64_t hash, std::vector<bool>& found) const {
    auto [begin, end] = wanted_.equal_range(hash);
    for (auto it = begin; it != end; ++it) found[static_cast<size_t>(it->second)] = true;
  }
  const Tokenizer& tokenizer_;
  std::unordered_multimap<uint64_t, int64_t> wanted_;  // hash -> evaluation sample
};

}  // namespace

std::string Overlap::words() const {
  return fmt::format("{} of {} evaluation samples occur in the training data, for example: {}", with_commas(samples), with_commas(of),
                     printable(example, kShownBytes));
}

Overlap find_overlap(const Samples& training, const Samples& evaluation, const Tokenizer& tokenizer, int threads) {
  const Search search(evaluation, tokenizer);
  std::vector<bool> found(static_cast<size_t>(evaluation.size()));
  std::mutex mutex;
  ThreadPool pool({.threads = std::max(threads, 1)});
  WorkQueue queue;
  pool.run([&](int, int workers) {
    std::vector<bool> mine(found.size());
    queue.split(0, training.size(), 64, workers, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) search.look(training, i, mine);
    });
    std::lock_guard lock(mutex);
    for (size_t i = 0; i < mine.size(); ++i) found[i] = found[i] || mine[i];
  });
  Overlap out;
  out.of = evaluation.size();
  out.samples = std::ranges::count(found, true);
  if (auto first = std::ranges::find(found, true); first != found.end()) {
    const auto ids = evaluation.ids(first - found.begin());
    out.example = tokenizer.decode(ids.first(std::min<size_t>(ids.size(), kShownBytes)), {.skip_special = true});
  }
  return out;
}

}  // namespace motley

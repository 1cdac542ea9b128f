// From a file's words to the pairs that byte-pair encoding joins.
#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

// Every way to cut a token in two is looked up, which costs the square of its length.
constexpr size_t kMaxTokenBytes = 1024;

void check_length(std::string_view text, size_t id) {
  if (text.size() > kMaxTokenBytes)
    fail(ErrorKind::file, "tokenizer", "token {} '{}' has {} bytes, expected at most {}", id, printable(text, 40), text.size(), kMaxTokenBytes);
}

}  // namespace

Merges merges_from_list(const Vocabulary& vocabulary, const std::vector<std::pair<std::string, std::string>>& pairs,
                        std::string_view continuing_prefix, std::string_view what, bool skip_unknown) {
  Merges merges;
  merges.list.reserve(pairs.size());
  std::string whole;
  for (size_t rank = 0; rank < pairs.size(); ++rank) {
    const auto& [left_text, right_text] = pairs[rank];
    int32_t left = vocabulary.find(left_text), right = vocabulary.find(right_text);
    whole = left_text;
    whole += std::string_view(right_text).starts_with(continuing_prefix) ? std::string_view(right_text).substr(continuing_prefix.size()) : right_text;
    int32_t result = left < 0 || right < 0 ? -1 : vocabulary.find(whole);
    if (result >= 0) {
      merges.list.push_back({left, right, result, static_cast<uint32_t>(rank)});
    } else if (!skip_unknown) {
      fail(ErrorKind::file, "tokenizer", "{}: merge {} joins '{}' and '{}', but '{}' is not in the vocabulary", what, rank, printable(left_text, 40),
           printable(right_text, 40),
           printable(left < 0    ? left_text
                     : right < 0 ? right_text
                                 : whole,
                     80));
    }
  }
  return merges;
}

Merges merges_from_ranks(const Vocabulary& vocabulary) {
  Merges merges;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    std::string_view text = vocabulary.text(id);
    if (vocabulary.type(id) != TokenType::normal) continue;
    check_length(text, static_cast<size_t>(id));
    for (size_t i = 1; i < text.size(); ++i) {
      if (is_continuation(text[i])) continue;
      int32_t left = vocabulary.find(text.substr(0, i));
      int32_t right = left < 0 ? -1 : vocabulary.find(text.substr(i));
      bool usable = right >= 0 && vocabulary.type(left) == TokenType::normal && vocabulary.type(right) == TokenType::normal;
      if (usable) merges.list.push_back({left, right, id, static_cast<uint32_t>(id)});
    }
  }
  return merges;
}

Merges merges_from_scores(const Vocabulary& vocabulary) {
  auto joins = [&](int32_t id) { return vocabulary.type(id) == TokenType::normal || vocabulary.type(id) == TokenType::unused; };
  // Equal scores share a rank, so that among them the leftmost pair comes first.
  std::vector<int32_t> order(static_cast<size_t>(vocabulary.size()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return vocabulary.score(a) > vocabulary.score(b); });
  std::vector<uint32_t> rank(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    bool tie = i > 0 && vocabulary.score(order[i]) == vocabulary.score(order[i - 1]);
    rank[static_cast<size_t>(order[i])] = tie ? rank[static_cast<size_t>(order[i - 1])] : static_cast<uint32_t>(i);
  }
  Merges merges;
  std::unordered_map<std::string_view, int32_t> extra;
  auto part = [&](std::string_view text) {
    int32_t id = vocabulary.find(text);
    if (id >= 0 && joins(id)) return id;
    if (id >= 0 || text.size() != char_length(text[0])) return -1;
    auto [place, added] = extra.emplace(text, vocabulary.size() + static_cast<int32_t>(extra.size()));
    if (added) merges.extra_characters.emplace_back(text);
    return place->second;
  };
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    std::string_view text = vocabulary.text(id);
    if (!joins(id) || text.empty()) continue;
    check_length(text, static_cast<size_t>(id));
    for (size_t i = 1; i < text.size(); ++i) {
      if (is_continuation(text[i])) continue;
      int32_t left = part(text.substr(0, i));
      int32_t right = left < 0 ? -1 : part(text.substr(i));
      if (right >= 0) merges.list.push_back({left, right, id, rank[static_cast<size_t>(id)]});
    }
  }
  return merges;
}

}  // namespace motley::tok

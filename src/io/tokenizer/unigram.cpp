#include "io/tokenizer/unigram.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";
constexpr double kUnkPenalty = 10;  // an unknown character costs this much more than the least likely token
// Each place of a word tries every token that begins there, so this bounds the work per byte.
constexpr size_t kMaxTokenBytes = 1024;

bool metaspace_inside(std::string_view text) {
  for (size_t at = text.find(kMetaspace); at != text.npos; at = text.find(kMetaspace, at + kMetaspace.size()))
    if (at > 0 && !text.substr(0, at).ends_with(kMetaspace)) return true;
  return false;
}

}  // namespace

UnigramModel::UnigramModel(const Vocabulary& vocabulary, UnigramOptions options) : vocabulary_(vocabulary), options_(options) {
  std::vector<std::pair<std::string_view, int32_t>> entries;
  double lowest = 0;
  bool any = false, crossing = false;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    // Control and user-defined tokens are found before a word comes here; byte tokens only stand for bytes.
    auto type = vocabulary.type(id);
    if (type != TokenType::normal && type != TokenType::unknown) continue;
    const std::string& text = vocabulary.text(id);
    if (text.size() > kMaxTokenBytes)
      fail(ErrorKind::file, "tokenizer", "token {} '{}' has {} bytes, expected at most {}", id, printable(text, 40), text.size(), kMaxTokenBytes);
    lowest = any ? std::min(lowest, vocabulary.score(id)) : vocabulary.score(id);
    any = true;
    if (type != TokenType::normal || id == options.unk_id || !is_valid_utf8(text)) continue;
    crossing = crossing || metaspace_inside(text);
    entries.emplace_back(text, id);
  }
  trie_ = ByteTrie(std::move(entries));
  unk_score_ = lowest - kUnkPenalty;
  for (unsigned b = 0; b < 256; ++b) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    byte_ids_[b] = vocabulary.find(std::string("<0x") + kHex[b >> 4] + kHex[b & 15] + '>');
  }
  independent_at_metaspace_ = !crossing && vocabulary.find(kMetaspace) >= 0;
}

void UnigramModel::append_unknown(std::string_view text, std::vector<int32_t>& ids) const {
  if (options_.byte_fallback) {
    size_t before = ids.size();
    for (char b : text) {
      int32_t id = byte_ids_[static_cast<unsigned char>(b)];
      if (id < 0) break;
      ids.push_back(id);
    }
    if (ids.size() == before + text.size()) return;
    ids.resize(before);
  }
  if (options_.unused_known)
    if (int32_t id = vocabulary_.find(text); id >= 0 && vocabulary_.type(id) == TokenType::unused) return ids.push_back(id);
  if (options_.unk_id < 0)
    fail(ErrorKind::file, "tokenizer", "the vocabulary has no token for '{}' and no unknown token (unk_id) to stand for it", printable(text, 40));
  ids.push_back(options_.unk_id);
}

void UnigramModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  struct Node {
    double score = 0;
    int32_t id = -1;
    uint32_t length = 0;  // of the token that ends here; 0: not reached
  };
  std::vector<Node> best(word.size() + 1);
  constexpr int32_t kUnknown = -2;
  for (size_t at = 0; at < word.size();) {
    const double score = best[at].score;
    size_t character = char_length(word[at]);
    bool single = false;
    auto offer = [&](size_t length, int32_t id, double candidate) {
      Node& node = best[at + length];
      if (node.length == 0 || candidate > node.score) node = {candidate, id, static_cast<uint32_t>(length)};
    };
    trie_.walk(word.substr(at), [&](size_t length, int32_t id) {
      offer(length, id, vocabulary_.score(id) + score);
      single = single || length == character;
    });
    if (!single) offer(character, kUnknown, unk_score_ + score);
    at += character;
  }
  // The path from the end; unknown characters in a row are one unknown.
  std::vector<std::pair<size_t, size_t>> path;  // (begin, end)
  std::vector<int32_t> path_ids;
  for (size_t end = word.size(); end > 0;) {
    const Node& node = best[end];
    size_t begin = end - node.length;
    if (node.id == kUnknown && !path_ids.empty() && path_ids.back() == kUnknown) {
      path.back().first = begin;
    } else {
      path.emplace_back(begin, end);
      path_ids.push_back(node.id);
    }
    end = begin;
  }
  for (size_t i = path.size(); i-- > 0;) {
    if (path_ids[i] == kUnknown) {
      append_unknown(word.substr(path[i].first, path[i].second - path[i].first), ids);
    } else {
      ids.push_back(path_ids[i]);
    }
  }
}

}  // namespace motley::tok

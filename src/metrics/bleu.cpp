#include "metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/check.h"

namespace motley {
namespace {

constexpr size_t kOrders = 4;

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at, from.size()) == from) {
      out += to;
      at += from.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_point(char c) { return c == '.' || c == ','; }
// mteval's [\{-\~\[-\` -\&\(-\+\:-\@\/]
bool is_symbol(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

// White space as Python splits at it, in UTF-8: 0 where there is none, else its bytes.
size_t space_at(std::string_view s, size_t i) {
  const char c = s[i];
  if (c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f')) return 1;
  for (std::string_view wide : {"\xC2\x85", "\xC2\xA0"})
    if (s.substr(i, 2) == wide) return 2;
  const std::string_view three = s.substr(i, 3);
  if (three.size() < 3) return 0;
  if (three == "\xE1\x9A\x80" || three == "\xE3\x80\x80" || three == "\xE2\x81\x9F" || three == "\xE2\x80\xA8" || three == "\xE2\x80\xA9" ||
      three == "\xE2\x80\xAF")
    return 3;
  return three.substr(0, 2) == "\xE2\x80" && static_cast<unsigned char>(three[2]) <= 0x8A ? 3 : 0;
}

// Pairs of neighbours that `matches`, from the left and none twice, become what `add` appends.
template <class Matches, class Add>
std::string with_pairs(const std::string& text, Matches matches, Add add) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      add(out, text[i], text[i + 1]);
      i += 2;
    } else {
      out += text[i++];
    }
  }
  return out;
}

using Counts = std::map<std::vector<std::string_view>, int64_t>;
Counts ngrams(const std::vector<std::string>& tokens, size_t order) {
  Counts counts;
  for (size_t i = 0; i + order <= tokens.size(); ++i)
    ++counts[{tokens.begin() + static_cast<std::ptrdiff_t>(i), tokens.begin() + static_cast<std::ptrdiff_t>(i + order)}];
  return counts;
}

}  // namespace

std::vector<std::string> tokenize_13a(std::string_view text) {
  std::string line = replaced(replaced(replaced(text, "<skipped>", ""), "-\n", ""), "\n", " ");
  if (line.find('&') != std::string::npos)
    line = replaced(replaced(replaced(replaced(line, "&quot;", "\""), "&amp;", "&"), "&lt;", "<"), "&gt;", ">");
  std::string spaced = " ";
  for (char c : line + " ") {
    if (is_symbol(c))
      spaced += {' ', c, ' '};
    else
      spaced += c;
  }
  spaced = with_pairs(
      spaced, [](char a, char b) { return !is_digit(a) && is_point(b); },
      [](std::string& out, char a, char b) {
        out += {a, ' ', b, ' '};
      });
  spaced = with_pairs(
      spaced, [](char a, char b) { return is_point(a) && !is_digit(b); },
      [](std::string& out, char a, char b) {
        out += {' ', a, ' ', b};
      });
  spaced = with_pairs(
      spaced, [](char a, char b) { return is_digit(a) && b == '-'; },
      [](std::string& out, char a, char b) {
        out += {a, ' ', b, ' '};
      });
  std::vector<std::string> tokens;
  std::string token;
  for (size_t i = 0; i <= spaced.size();) {
    const size_t space = i < spaced.size() ? space_at(spaced, i) : 1;
    if (space == 0) {
      token += spaced[i++];
      continue;
    }
    if (!token.empty()) tokens.push_back(std::move(token));
    token.clear();
    i += space;
  }
  return tokens;
}

BleuScore corpus_bleu(std::span<const std::string> texts, std::span<const std::string> references) {
  check(texts.size() == references.size(), "a reference for each text");
  BleuScore s;
  std::array<int64_t, kOrders> right{}, all{};
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto told = tokenize_13a(texts[i]), meant = tokenize_13a(references[i]);
    s.tokens += static_cast<int64_t>(told.size()), s.reference_tokens += static_cast<int64_t>(meant.size());
    for (size_t order = 1; order <= kOrders; ++order) {
      const Counts expected = ngrams(meant, order);
      for (const auto& [gram, count] : ngrams(told, order)) {
        all[order - 1] += count;
        if (auto it = expected.find(gram); it != expected.end()) right[order - 1] += std::min(count, it->second);
      }
    }
  }
  const auto length = static_cast<double>(s.tokens), meant = static_cast<double>(s.reference_tokens);
  s.brevity_penalty = length >= meant ? 1 : length > 0 ? std::exp(1 - meant / length) : 0;
  if (std::ranges::all_of(right, [](int64_t n) { return n == 0; })) return s;
  double halving = 1, logs = 0;
  bool whole = true;  // every order has n-grams
  for (size_t order = 0; order < kOrders; ++order) {
    if (all[order] == 0) {
      whole = false;
      break;
    }
    if (right[order] == 0) halving *= 2;
    const double matches = right[order] == 0 ? 1 / halving : static_cast<double>(right[order]);
    s.precisions[order] = 100 * matches / static_cast<double>(all[order]);
    logs += std::log(s.precisions[order]);
  }
  if (whole) s.score = s.brevity_penalty * std::exp(logs / static_cast<double>(kOrders));
  return s;
}

}  // namespace motley

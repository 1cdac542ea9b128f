#include "io/template/wrap.h"

#include <algorithm>

#include "io/template/unicode.h"

namespace motley::jinja {
namespace {

using Points = std::u32string;

bool wrap_space(char32_t c) { return c == ' ' || (c >= 9 && c <= 13); }  // textwrap knows the ASCII ones only
bool letter(char32_t c) { return is_word(c) && !is_numeric(c) && c != '_'; }

// Where a word may be cut after a hyphen: between two letters before it and a letter after it; dashes of two or more stand alone.
std::vector<Points> hyphen_pieces(const Points& word) {
  std::vector<Points> pieces;
  size_t begin = 0, i = 0;
  while (i < word.size()) {
    if (word[i] != '-') {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < word.size() && word[end] == '-') ++end;
    bool dash = end - i >= 2 && i > begin && end < word.size() && is_word(word[end]) &&
                (is_word(word[i - 1]) || std::u32string_view(U"!\"'&.,?").find(word[i - 1]) != std::u32string_view::npos);
    bool hyphen = end - i == 1 && i >= 2 && letter(word[i - 1]) && (letter(word[i - 2]) || (word[i - 2] == '-' && i >= 3 && letter(word[i - 3]))) &&
                  end + 1 < word.size() && letter(word[end]) &&
                  (letter(word[end + 1]) || (word[end + 1] == '-' && end + 2 < word.size() && letter(word[end + 2])));
    if (dash) {
      pieces.push_back(word.substr(begin, i - begin));
      pieces.push_back(word.substr(i, end - i));
      begin = end;
    } else if (hyphen) {
      pieces.push_back(word.substr(begin, end - begin));
      begin = end;
    }
    i = end;
  }
  if (begin < word.size()) pieces.push_back(word.substr(begin));
  return pieces;
}

std::vector<Points> chunks_of(const Points& s, bool break_on_hyphens) {
  std::vector<Points> chunks;
  for (size_t i = 0; i < s.size();) {
    size_t end = i;
    bool space = wrap_space(s[i]);
    while (end < s.size() && wrap_space(s[end]) == space) ++end;
    Points chunk = s.substr(i, end - i);
    if (space || !break_on_hyphens) {
      chunks.push_back(std::move(chunk));
    } else {
      for (auto& piece : hyphen_pieces(chunk)) chunks.push_back(std::move(piece));
    }
    i = end;
  }
  return chunks;
}

bool blank(const Points& p) {
  return std::all_of(p.begin(), p.end(), [](char32_t c) { return is_space(c); });
}

}  // namespace

std::vector<std::string> wrap_line(std::string_view line, const WrapStyle& style) {
  std::vector<Points> chunks = chunks_of(to_code_points(line), style.break_on_hyphens);
  auto width = static_cast<size_t>(style.width);
  std::vector<std::string> lines;
  size_t next = 0;
  while (next < chunks.size()) {
    if (!lines.empty() && blank(chunks[next])) ++next;  // a line does not begin with the space it was broken at
    std::vector<Points> parts;
    size_t length = 0;
    while (next < chunks.size() && length + chunks[next].size() <= width) {
      length += chunks[next].size();
      parts.push_back(chunks[next++]);
    }
    if (next < chunks.size() && chunks[next].size() > width) {
      size_t room = width - length;
      if (style.break_long_words) {
        size_t cut = room;
        if (style.break_on_hyphens && chunks[next].size() > room) {
          size_t hyphen = room == 0 ? Points::npos : chunks[next].rfind(U'-', room - 1);
          if (hyphen != Points::npos && hyphen > 0 &&
              std::any_of(chunks[next].begin(), chunks[next].begin() + static_cast<std::ptrdiff_t>(hyphen), [](char32_t c) { return c != '-'; }))
            cut = hyphen + 1;
        }
        parts.push_back(chunks[next].substr(0, cut));
        chunks[next].erase(0, cut);
      } else if (parts.empty()) {
        parts.push_back(chunks[next++]);
      }
    }
    if (!parts.empty() && blank(parts.back())) parts.pop_back();
    if (parts.empty()) continue;
    std::string out;
    for (auto& part : parts) out += from_code_points(part);
    lines.push_back(std::move(out));
  }
  return lines;
}

}  // namespace motley::jinja

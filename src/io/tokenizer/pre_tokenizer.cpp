#include "io/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "io/tokenizer/byte_alphabet.h"
#include "io/tokenizer/patterns.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581
using Piece = Words::Piece;

// Receives the stretches of one piece from left to right, separators and what lies between, and makes pieces of them.
class Cutter {
 public:
  Cutter(SplitBehavior behavior, std::vector<Piece>& out) : behavior_(behavior), out_(out) {}

  void add(size_t begin, size_t end, bool separator) {
    Piece span{static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
    bool joins = false;
    switch (behavior_) {
      case SplitBehavior::removed:
        if (!separator) keep(span);
        return;
      case SplitBehavior::isolated:
        return keep(span);
      case SplitBehavior::merged_with_previous:
        joins = separator && !after_separator_;
        break;
      case SplitBehavior::merged_with_next:
        joins = !separator && after_separator_;
        break;
      case SplitBehavior::contiguous:
        joins = separator == after_separator_;
        break;
    }
    if (joins && open_) {
      waiting_.end = span.end;
    } else {
      if (open_) keep(waiting_);
      waiting_ = span;
    }
    open_ = true;
    after_separator_ = separator;
  }
  void finish() {
    if (open_) keep(waiting_);
  }

 private:
  void keep(Piece piece) {
    if (piece.end > piece.begin) out_.push_back(piece);
  }
  SplitBehavior behavior_;
  std::vector<Piece>& out_;
  Piece waiting_{0, 0};
  bool open_ = false, after_separator_ = false;
};

// find(piece_text, report) reports the separators in order.
template <class Find>
void split_pieces(Words& words, SplitBehavior behavior, bool invert, Find&& find) {
  std::vector<Piece> out;
  out.reserve(words.pieces.size() + words.text.size() / 4);
  for (auto [begin, end] : words.pieces) {
    Cutter cutter(behavior, out);
    const size_t base = begin;
    size_t done = 0;
    find(words.text.substr(begin, end - begin), [&](size_t from, size_t to) {
      if (from > done) cutter.add(base + done, base + from, invert);
      cutter.add(base + from, base + to, !invert);
      done = to;
    });
    if (base + done < end) cutter.add(base + done, end, invert);
    cutter.finish();
  }
  words.pieces = std::move(out);
}

class SplitRegex : public PreTokenizer {
 public:
  SplitRegex(Regex pattern, SplitBehavior behavior, bool invert) : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void apply(Words& words, Regex::Scratch& scratch) const override {
    split_pieces(words, behavior_, invert_, [&](std::string_view text, auto&& report) { pattern_.for_each(text, scratch, report); });
  }

 private:
  Regex pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class SplitText : public PreTokenizer {
 public:
  SplitText(std::string separator, SplitBehavior behavior, bool invert) : separator_(std::move(separator)), behavior_(behavior), invert_(invert) {}
  void apply(Words& words, Regex::Scratch&) const override {
    split_pieces(words, behavior_, invert_, [&](std::string_view text, auto&& report) {
      if (separator_.empty()) return;
      for (size_t at = text.find(separator_); at != text.npos; at = text.find(separator_, at + separator_.size())) report(at, at + separator_.size());
    });
  }

 private:
  std::string separator_;
  SplitBehavior behavior_;
  bool invert_;
};

class SplitCharacters : public PreTokenizer {
 public:
  SplitCharacters(std::function<bool(char32_t)> is_separator, SplitBehavior behavior) : is_separator_(std::move(is_separator)), behavior_(behavior) {
    for (char32_t c = 0; c < 128; ++c) ascii_[c] = is_separator_(c);
  }
  void apply(Words& words, Regex::Scratch&) const override {
    split_pieces(words, behavior_, false, [&](std::string_view text, auto&& report) {
      const char *begin = text.data(), *end = begin + text.size();
      for (const char* p = begin; p < end;) {
        const char* here = p;
        char32_t c = next_char(p);
        if (c < 128 ? ascii_[c] : is_separator_(c)) report(static_cast<size_t>(here - begin), static_cast<size_t>(p - begin));
      }
    });
  }

 private:
  std::function<bool(char32_t)> is_separator_;
  SplitBehavior behavior_;
  bool ascii_[128];
};

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(size_t characters) : characters_(characters) {}
  void apply(Words& words, Regex::Scratch&) const override {
    split_pieces(words, SplitBehavior::isolated, false, [&](std::string_view text, auto&& report) {
      size_t begin = 0, count = 0;
      for (size_t i = 0; i < text.size();) {
        i += char_length(text[i]);
        if (++count < characters_ && i < text.size()) continue;
        report(begin, i);
        begin = i, count = 0;
      }
    });
  }

 private:
  size_t characters_;
};

class Whitespace : public PreTokenizer {
 public:
  void apply(Words& words, Regex::Scratch&) const override {
    enum class Kind { none, space, word, other };
    split_pieces(words, SplitBehavior::removed, true, [&](std::string_view text, auto&& report) {
      const char *begin = text.data(), *end = begin + text.size(), *run = begin;
      Kind running = Kind::none;
      auto close = [&](const char* here) {
        if (running == Kind::word || running == Kind::other) report(static_cast<size_t>(run - begin), static_cast<size_t>(here - begin));
        run = here;
      };
      for (const char* p = begin; p < end;) {
        const char* here = p;
        char32_t c = next_char(p);
        Kind kind = is_word(c) ? Kind::word : is_white_space(c) ? Kind::space : Kind::other;
        if (kind != running) close(here);
        running = kind;
      }
      close(end);
    });
  }
};

class UnicodeScripts : public PreTokenizer {
 public:
  UnicodeScripts() : runs_(unicode_script_runs(), "UnicodeScripts") {}
  void apply(Words& words, Regex::Scratch& scratch) const override {
    std::vector<Piece> out;
    for (auto [begin, end] : words.pieces) {
      std::string_view text = words.text.substr(begin, end - begin);
      // Spaces and unassigned characters are of any script; a piece begins where the script changes. What precedes the first character
      // with a script is in no piece.
      std::string last;
      size_t from = std::string_view::npos, at = 0;
      std::string_view script;
      while (auto match = runs_.search(text, at, scratch, &script)) {
        if (script != last) {
          if (from != std::string_view::npos) out.push_back({begin + static_cast<uint32_t>(from), begin + static_cast<uint32_t>(match->first)});
          from = match->first;
          last = script;
        }
        at = match->second;
      }
      if (from != std::string_view::npos) out.push_back({begin + static_cast<uint32_t>(from), end});
    }
    words.pieces = std::move(out);
  }

 private:
  Regex runs_;
};

class Metaspace : public PreTokenizer {
 public:
  Metaspace(std::string replacement, bool always, bool first, bool split)
      : replacement_(std::move(replacement)), always_(always), first_(first), split_(split) {}

  void apply(Words& words, Regex::Scratch&) const override {
    std::string text;
    text.reserve(words.text.size() + words.text.size() / 2);
    std::vector<Piece> pieces;
    for (auto [begin, end] : words.pieces) {
      const size_t from = text.size();
      std::string_view in = words.text.substr(begin, end - begin);
      bool wanted = always_ || (first_ && words.at_start && begin == 0);
      if (wanted && in[0] != ' ' && !in.starts_with(replacement_)) text += replacement_;
      for (size_t at = 0; at < in.size();) {
        size_t space = std::min(in.find(' ', at), in.size());
        text += in.substr(at, space - at);
        if (space < in.size()) text += replacement_;
        at = space + 1;
      }
      if (split_) {
        Cutter cutter(SplitBehavior::merged_with_next, pieces);
        size_t done = from;
        for (size_t at = text.find(replacement_, from); at != text.npos; at = text.find(replacement_, done)) {
          if (at > done) cutter.add(done, at, false);
          done = at + replacement_.size();
          cutter.add(at, done, true);
        }
        if (done < text.size()) cutter.add(done, text.size(), false);
        cutter.finish();
      } else {
        pieces.push_back({static_cast<uint32_t>(from), static_cast<uint32_t>(text.size())});
      }
    }
    words.rewrite(std::move(text), std::move(pieces));
  }

 private:
  std::string replacement_;
  bool always_, first_, split_;
};

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex, bool as_bytes) : add_prefix_space_(add_prefix_space), as_bytes_(as_bytes) {
    if (use_regex) split_ = make_split(Regex(kGpt2Pattern, "ByteLevel"), SplitBehavior::isolated, false);
  }

  void apply(Words& words, Regex::Scratch& scratch) const override {
    if (add_prefix_space_) prefix_spaces(words);
    if (split_) split_->apply(words, scratch);
    if (as_bytes_) return;
    std::string text;
    std::vector<Piece> pieces;
    for (auto [begin, end] : words.pieces) {
      auto from = static_cast<uint32_t>(text.size());
      append_as_alphabet(text, words.text.substr(begin, end - begin));
      pieces.push_back({from, static_cast<uint32_t>(text.size())});
    }
    words.rewrite(std::move(text), std::move(pieces));
  }

 private:
  static void prefix_spaces(Words& words) {
    bool all = true;
    for (auto [begin, end] : words.pieces) all = all && words.text[begin] == ' ';
    if (all) return;
    std::string text;
    std::vector<Piece> pieces;
    for (auto [begin, end] : words.pieces) {
      auto from = static_cast<uint32_t>(text.size());
      if (words.text[begin] != ' ') text += ' ';
      text += words.text.substr(begin, end - begin);
      pieces.push_back({from, static_cast<uint32_t>(text.size())});
    }
    words.rewrite(std::move(text), std::move(pieces));
  }
  bool add_prefix_space_, as_bytes_;
  std::unique_ptr<PreTokenizer> split_;
};

class CutBeforeMetaspace : public PreTokenizer {
 public:
  void apply(Words& words, Regex::Scratch&) const override {
    split_pieces(words, SplitBehavior::isolated, false, [](std::string_view text, auto&& report) {
      size_t begin = 0;
      for (size_t at = text.find(kMetaspace); at != text.npos;) {
        if (at > begin) report(begin, at);
        begin = at;
        while (text.substr(at).starts_with(kMetaspace)) at += kMetaspace.size();
        at = text.find(kMetaspace, at);
      }
    });
  }
};

}  // namespace

Words::Words(std::string_view whole, bool is_at_start, size_t max_bytes) : text(whole), at_start(is_at_start), max_bytes_(max_bytes) {
  if (!whole.empty()) pieces.push_back({0, static_cast<uint32_t>(whole.size())});
}

void Words::rewrite(std::string new_text, std::vector<Piece> new_pieces) {
  if (new_text.size() > max_bytes_) fail(ErrorKind::file, "tokenizer", "the pre_tokenizer makes the text longer than {} bytes", max_bytes_);
  at_start = at_start && !pieces.empty() && pieces[0].begin == 0;
  rewritten_ = std::move(new_text);
  text = rewritten_;
  pieces = std::move(new_pieces);
}

std::unique_ptr<PreTokenizer> make_split(Regex pattern, SplitBehavior behavior, bool invert) {
  return std::make_unique<SplitRegex>(std::move(pattern), behavior, invert);
}
std::unique_ptr<PreTokenizer> make_split(std::string separator, SplitBehavior behavior, bool invert) {
  return std::make_unique<SplitText>(std::move(separator), behavior, invert);
}
std::unique_ptr<PreTokenizer> make_split(std::function<bool(char32_t)> is_separator, SplitBehavior behavior) {
  return std::make_unique<SplitCharacters>(std::move(is_separator), behavior);
}
std::unique_ptr<PreTokenizer> make_fixed_length(size_t characters) { return std::make_unique<FixedLength>(characters); }
std::unique_ptr<PreTokenizer> make_unicode_scripts() { return std::make_unique<UnicodeScripts>(); }
std::unique_ptr<PreTokenizer> make_whitespace() { return std::make_unique<Whitespace>(); }
std::unique_ptr<PreTokenizer> make_metaspace(std::string replacement, bool prepend_always, bool prepend_first, bool split) {
  return std::make_unique<Metaspace>(std::move(replacement), prepend_always, prepend_first, split);
}
std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex, bool as_bytes) {
  return std::make_unique<ByteLevel>(add_prefix_space, use_regex, as_bytes);
}
std::unique_ptr<PreTokenizer> make_cut_before_metaspace() { return std::make_unique<CutBeforeMetaspace>(); }

}  // namespace motley::tok

#include "io/tokenizer/oniguruma.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

// What goes between the brackets of a class. PCRE2's own \s has U+180E too, and its \w lacks marks and connectors.
constexpr const char* kSpace = "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
constexpr const char* kNotSpace =
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}"
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}";
constexpr const char* kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
// By itself, not inside brackets, \w is looked up in a table of Latin-1 in which superscripts and fractions are word characters too.
constexpr const char* kWordAlone = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";
constexpr const char* kHex = "0-9a-fA-F";

// Oniguruma's long and POSIX names of properties, as the inside of a class. Names that PCRE2 knows (L, Lu, Han, Alphabetic) pass.
constexpr std::array<std::pair<const char*, const char*>, 54> kProperties{{
    {"letter", "\\p{L}"},
    {"uppercaseletter", "\\p{Lu}"},
    {"lowercaseletter", "\\p{Ll}"},
    {"titlecaseletter", "\\p{Lt}"},
    {"modifierletter", "\\p{Lm}"},
    {"otherletter", "\\p{Lo}"},
    {"casedletter", "\\p{L&}"},
    {"mark", "\\p{M}"},
    {"nonspacingmark", "\\p{Mn}"},
    {"spacingmark", "\\p{Mc}"},
    {"enclosingmark", "\\p{Me}"},
    {"number", "\\p{N}"},
    {"decimalnumber", "\\p{Nd}"},
    {"letternumber", "\\p{Nl}"},
    {"othernumber", "\\p{No}"},
    {"punctuation", "\\p{P}"},
    {"connectorpunctuation", "\\p{Pc}"},
    {"dashpunctuation", "\\p{Pd}"},
    {"openpunctuation", "\\p{Ps}"},
    {"closepunctuation", "\\p{Pe}"},
    {"initialpunctuation", "\\p{Pi}"},
    {"finalpunctuation", "\\p{Pf}"},
    {"otherpunctuation", "\\p{Po}"},
    {"symbol", "\\p{S}"},
    {"mathsymbol", "\\p{Sm}"},
    {"currencysymbol", "\\p{Sc}"},
    {"modifiersymbol", "\\p{Sk}"},
    {"othersymbol", "\\p{So}"},
    {"separator", "\\p{Z}"},
    {"spaceseparator", "\\p{Zs}"},
    {"lineseparator", "\\p{Zl}"},
    {"paragraphseparator", "\\p{Zp}"},
    {"other", "\\p{C}"},
    {"control", "\\p{Cc}"},
    {"format", "\\p{Cf}"},
    {"surrogate", "\\p{Cs}"},
    {"privateuse", "\\p{Co}"},
    {"unassigned", "\\p{Cn}"},
    {"any", "\\x00-\\x{10ffff}"},
    {"assigned", "\\P{Cn}"},
    {"alpha", "\\p{Alphabetic}"},
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"digit", "\\p{Nd}"},
    {"lower", "\\p{Lowercase}"},
    {"upper", "\\p{Uppercase}"},
    {"punct", "\\p{P}"},
    {"space", kSpace},
    {"blank", "\\x09\\p{Zs}"},
    {"cntrl", "\\p{Cc}"},
    {"word", kWord},
    {"xdigit", kHex},
    {"ascii", "\\x00-\\x7f"},
    {"graph", "[:graph:]"},
    {"print", "[:print:]"},
}};

std::optional<std::string> known_property(std::string_view name) {
  std::string plain;
  for (char c : lower_ascii(name))
    if (c != '_' && c != ' ' && c != '-') plain += c;
  for (auto [key, items] : kProperties)
    if (plain == key) return items;
  return std::nullopt;
}

// Properties of PCRE2 that are neither general categories nor scripts, without '_'.
constexpr std::array<std::string_view, 20> kBinaryProperties{"any",
                                                             "alphabetic",
                                                             "uppercase",
                                                             "lowercase",
                                                             "whitespace",
                                                             "emoji",
                                                             "emojipresentation",
                                                             "emojimodifier",
                                                             "extendedpictographic",
                                                             "ideographic",
                                                             "hexdigit",
                                                             "asciihexdigit",
                                                             "idstart",
                                                             "idcontinue",
                                                             "xidstart",
                                                             "xidcontinue",
                                                             "math",
                                                             "dash",
                                                             "diacritic",
                                                             "patternwhitespace"};

// A script's name by itself means Script_Extensions to PCRE2, and Script to Oniguruma: U+3002 is of the first kind of Han only.
bool is_script(std::string_view name) {
  if (name.size() <= 2 || name.find_first_of(":=") != name.npos) return false;
  std::string plain;
  for (char c : lower_ascii(name))
    if (c != '_' && c != ' ' && c != '-') plain += c;
  return std::find(kBinaryProperties.begin(), kBinaryProperties.end(), plain) == kBinaryProperties.end();
}

class Translator {
 public:
  Translator(std::string_view in, std::string_view what) : in_(in), what_(what) {}

  std::string run() {
    while (i_ < in_.size()) step();
    return std::move(out_);
  }

 private:
  static constexpr size_t kNone = std::string::npos;
  static constexpr int kMaxClassDepth = 20;

  // One character set: the inside of a class, and whether it is meant in the negative (which cannot always be written inside one).
  struct Set {
    std::string items;
    bool negative = false;
  };

  [[noreturn]] void bad(const char* why) const {
    fail(ErrorKind::file, "tokenizer", "{}: the regular expression '{}' cannot be used: {} at byte {}", what_, printable(in_, 200), why, i_);
  }
  bool at(std::string_view s) const { return in_.substr(i_).substr(0, s.size()) == s; }

  void step() {
    char c = in_[i_];
    switch (c) {
      case '\\':
        return escape();
      case '[': {
        ++i_;
        std::string set = char_class(0);
        return atom(set);
      }
      case '(':
        return open_group();
      case ')':
        ++i_;
        out_ += ')';
        atom_ = groups_.empty() ? kNone : groups_.back();
        if (!groups_.empty()) groups_.pop_back();
        quantified_ = false;
        return;
      case '*':
      case '+':
      case '?':
        return quantify(std::string(1, c), 1, true);
      case '{':
        if (size_t length = interval_length()) return interval(length);
        ++i_;
        return atom("\\{");
      case '|':
        ++i_;
        out_ += '|';
        atom_ = kNone;
        return;
      default: {
        std::string_view character = in_.substr(i_, char_length(c));
        i_ += character.size();
        return atom(character);
      }
    }
  }

  void atom(std::string_view text) {
    atom_ = out_.size();
    quantified_ = false;
    out_ += text;
  }

  // The repeated atom becomes one unit, so that another repetition can follow.
  void wrap_atom() {
    if (atom_ == kNone) bad("a repetition of nothing");
    out_.insert(atom_, "(?:");
    out_ += ')';
  }

  // suffixes: whether a following + or ? means possessive or reluctant, as it does in both languages after * + ?.
  void quantify(const std::string& text, size_t length, bool suffixes) {
    if (atom_ == kNone) bad("a repetition of nothing");
    if (quantified_) wrap_atom();
    i_ += length;
    out_ += text;
    if (suffixes && i_ < in_.size() && (in_[i_] == '+' || in_[i_] == '?')) out_ += in_[i_++];
    quantified_ = true;
  }

  // Length of {n}, {n,}, {n,m} or {,m} at i_, or 0.
  size_t interval_length() const {
    size_t k = i_ + 1, digits = 0;
    auto skip_digits = [&] {
      for (; k < in_.size() && in_[k] >= '0' && in_[k] <= '9'; ++k) ++digits;
    };
    skip_digits();
    if (k < in_.size() && in_[k] == ',') ++k, skip_digits();
    return digits > 0 && k < in_.size() && in_[k] == '}' ? k + 1 - i_ : 0;
  }

  void interval(size_t length) {
    std::string text(in_.substr(i_, length));
    bool exact = text.find(',') == text.npos;
    if (text[1] == ',') text.insert(1, "0");
    char next = i_ + length < in_.size() ? in_[i_ + length] : '\0';
    quantify(text, length, false);
    if (next == '?' && !exact) out_ += '?', ++i_;  // {n}? is an optional {n}, {n,m}+ a repeated {n,m}: left to the next step
  }

  void open_group() {
    groups_.push_back(out_.size());
    atom_ = kNone;
    if (at("(?#")) {
      while (i_ < in_.size() && in_[i_] != ')') ++i_;
      if (i_ == in_.size()) bad("a comment without end");
      ++i_;
      groups_.pop_back();
      return;
    }
    if (at("(*")) {  // a verb: nothing in it is pattern
      size_t end = in_.find(')', i_);
      if (end == in_.npos) bad("a bracket without end");
      out_ += in_.substr(i_, end + 1 - i_);
      i_ = end + 1;
      groups_.pop_back();
      return;
    }
    if (!at("(?")) {
      ++i_;
      out_ += '(';
      return;
    }
    i_ += 2;
    out_ += "(?";
    size_t k = i_;
    while (k < in_.size() && (in_[k] == 'i' || in_[k] == 'm' || in_[k] == 'x' || in_[k] == '-')) ++k;
    if (k < in_.size() && k > i_ && (in_[k] == ':' || in_[k] == ')')) {
      for (; i_ < k; ++i_) out_ += in_[i_] == 'm' ? 's' : in_[i_];  // m lets the dot match line ends here, s does there
      if (in_[k] == ')') groups_.pop_back(), out_ += ')', ++i_;
      return;
    }
    // (?<name>, (?<=, (?=, (?!, (?>, (?: are alike in both.
    if (at("<") && !at("<=") && !at("<!")) {
      size_t end = in_.find('>', i_);
      if (end == in_.npos) bad("a group name without end");
      out_ += in_.substr(i_, end + 1 - i_);
      i_ = end + 1;
      return;
    }
    size_t length = at("<") ? 2 : 1;
    out_ += in_.substr(i_, length);
    i_ = std::min(i_ + length, in_.size());
  }

  // The set that the escape at i_ stands for, when it stands for one; i_ moves behind it.
  std::optional<Set> set_escape() {
    char c = i_ + 1 < in_.size() ? in_[i_ + 1] : '\0';
    auto found = [&](const char* items, bool negative) {
      i_ += 2;
      return Set{items, negative};
    };
    switch (c) {
      case 's':
        return found(kSpace, false);
      case 'S':
        return found(kNotSpace, false);
      case 'w':
        return found(kWord, false);
      case 'W':
        return found(kWord, true);
      case 'd':
        return found("\\p{Nd}", false);
      case 'D':
        return found("\\P{Nd}", false);
      case 'h':
        return found(kHex, false);
      case 'H':
        return found(kHex, true);
      case 'p':
      case 'P':
        break;
      default:
        return std::nullopt;
    }
    bool negative = c == 'P';
    size_t end = in_.find('}', i_);
    if (i_ + 2 >= in_.size() || in_[i_ + 2] != '{' || end == in_.npos) bad("\\p without a name in braces");
    std::string_view name = in_.substr(i_ + 3, end - i_ - 3);
    if (!name.empty() && name[0] == '^') negative = !negative, name.remove_prefix(1);
    i_ = end + 1;
    if (auto items = known_property(name)) return Set{*items, negative};
    return Set{fmt::format("\\{}{{{}{}}}", negative ? 'P' : 'p', is_script(name) ? "sc:" : "", name), false};
  }

  // An escape that is one character or an assertion, as PCRE2 writes it; i_ moves behind it.
  std::string plain_escape() {
    if (i_ + 1 >= in_.size()) bad("a backslash at the end");
    char c = in_[i_ + 1];
    if (c == 'u') {
      std::string_view digits = in_.substr(i_ + 2).substr(0, 4);
      if (digits.size() < 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) bad("\\u without four hexadecimal digits");
      i_ += 6;
      return fmt::format("\\x{{{}}}", digits);
    }
    size_t length = 1 + char_length(c);
    std::string text(in_.substr(i_, length));
    i_ = std::min(i_ + length, in_.size());
    if (c == 'v') return "\\x0b";
    if (c == 'O') return "(?s:.)";
    if (c == 'Q' || c == 'E') return std::string(1, c);
    return text;
  }

  void escape() {
    if (at("\\w") || at("\\W")) {
      bool negative = in_[i_ + 1] == 'W';
      i_ += 2;
      return atom(fmt::format("[{}{}]", negative ? "^" : "", kWordAlone));
    }
    if (auto set = set_escape()) return atom(fmt::format("[{}{}]", set->negative ? "^" : "", set->items));
    if (at("\\x{") || at("\\k<") || at("\\g<")) {
      size_t end = in_.find(in_[i_ + 2] == '{' ? '}' : '>', i_);
      if (end == in_.npos) bad("an escape without end");
      std::string_view text = in_.substr(i_, end + 1 - i_);
      i_ = end + 1;
      return atom(text);
    }
    atom(plain_escape());
  }

  // [:name:] at i_, or nothing.
  std::optional<Set> posix_class() {
    if (!at("[:")) return std::nullopt;
    size_t end = in_.find(":]", i_ + 2);
    if (end == in_.npos || end > i_ + 20) return std::nullopt;
    std::string_view name = in_.substr(i_ + 2, end - i_ - 2);
    bool negative = !name.empty() && name[0] == '^';
    if (negative) name.remove_prefix(1);
    auto items = name == "punct" ? std::optional<std::string>("\\p{P}\\p{S}") : known_property(name);
    if (!items) bad("an unknown class in [: :]");
    i_ = end + 2;
    return Set{*items, negative};
  }

  // A class whose opening bracket was read, as an expression that matches one character.
  std::string char_class(int depth) {
    if (depth > kMaxClassDepth) bad("classes nested too deeply");
    bool negative = at("^");
    if (negative) ++i_;
    std::vector<std::string> operands;  // of &&
    std::string items;
    std::vector<std::string> nested;  // what has to stand beside the items as an alternative
    bool after_set = true;            // a hyphen here is a hyphen
    auto finish_operand = [&] {
      std::string all = items.empty() ? "" : "[" + items + "]";
      for (const auto& n : nested) all += (all.empty() ? "" : "|") + n;
      if (all.empty()) bad("an empty character class");
      operands.push_back(items.empty() == nested.empty() || nested.size() > 1 ? "(?:" + all + ")" : all);
      items.clear(), nested.clear();
    };
    auto add = [&](const Set& set) {
      if (set.negative) {
        nested.push_back("[^" + set.items + "]");
      } else {
        items += set.items;
      }
      after_set = true;
    };
    for (bool first = true;; first = false) {
      if (i_ >= in_.size()) bad("a character class without end");
      char c = in_[i_];
      if (c == ']' && !first) break;
      if (at("&&")) {
        i_ += 2;
        finish_operand();
        after_set = true;
      } else if (c == '[') {
        if (auto set = posix_class()) {
          add(*set);
        } else {
          ++i_;
          nested.push_back(char_class(depth + 1));
          after_set = true;
        }
      } else if (c == '\\') {
        if (auto set = set_escape()) {
          add(*set);
        } else if (at("\\x{")) {
          size_t end = in_.find('}', i_);
          if (end == in_.npos) bad("an escape without end");
          items += in_.substr(i_, end + 1 - i_);
          i_ = end + 1;
          after_set = false;
        } else {
          items += plain_escape();
          after_set = false;
        }
      } else if (c == '-') {
        ++i_;
        bool literal = after_set || i_ >= in_.size() || in_[i_] == ']' || in_[i_] == '[' || at("\\s") || at("\\S") || at("\\w") || at("\\W") ||
                       at("\\d") || at("\\D") || at("\\h") || at("\\H") || at("\\p") || at("\\P") || at("&&");
        items += literal ? "\\-" : "-";
        after_set = !literal;  // the character after a range's hyphen ends the range
      } else {
        size_t length = char_length(c);
        if (c == ']' || c == '^') items += '\\';
        items += in_.substr(i_, length);
        i_ += length;
        after_set = false;
      }
    }
    ++i_;  // the closing bracket
    if (operands.empty() && nested.empty()) {
      if (items.empty()) bad("an empty character class");
      return fmt::format("[{}{}]", negative ? "^" : "", items);
    }
    finish_operand();
    std::string all;
    for (size_t k = 0; k + 1 < operands.size(); ++k) all += "(?=" + operands[k] + ")";
    all += operands.back();
    return negative ? "(?:(?!" + all + ")(?s:.))" : "(?:" + all + ")";
  }

  std::string_view in_, what_;
  size_t i_ = 0;
  std::string out_;
  std::vector<size_t> groups_;  // where in out_ each open group begins
  size_t atom_ = kNone;         // where the last repeatable thing begins
  bool quantified_ = false;     // it already has a repetition
};

}  // namespace

std::string pcre2_pattern(std::string_view oniguruma, std::string_view what) { return Translator(oniguruma, what).run(); }

}  // namespace motley::tok

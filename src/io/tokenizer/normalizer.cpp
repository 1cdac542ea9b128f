#include "io/tokenizer/normalizer.h"

#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/byte_alphabet.h"

namespace motley::tok {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581

void check_growth(const Segment& segment, size_t size) {
  if (size > segment.max_bytes)
    fail(ErrorKind::file, "tokenizer",
         "the normalizer makes the text longer than {} bytes, expected replacements near the length of what they replace", segment.max_bytes);
}

// A step that looks at one character at a time: map(out, c) appends what becomes of c.
template <class Map>
void map_characters(Segment& segment, Map&& map) {
  std::string out;
  out.reserve(segment.text.size() + segment.text.size() / 8);
  const char *begin = segment.text.data(), *end = begin + segment.text.size();
  for (const char* p = begin; p < end;) {
    bool first = p == begin;
    map(out, next_char(p));
    if (first && out.empty()) segment.at_start = false;
  }
  segment.text = std::move(out);
}

void replace_all(Segment& segment, std::string_view from, std::string_view to) {
  const std::string& text = segment.text;
  size_t at = text.find(from);
  if (at == text.npos) return;
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  size_t copied = 0;
  for (; at != text.npos; at = text.find(from, copied)) {
    out.append(text, copied, at - copied);
    out += to;
    check_growth(segment, out.size());
    copied = at + from.size();
  }
  out.append(text, copied);
  segment.text = std::move(out);
}

class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(NormalForm form) : form_(form) {}
  void apply(Segment& segment, Regex::Scratch&) const override {
    if (!is_ascii(segment.text)) segment.text = normal_form(segment.text, form_);
  }

 private:
  NormalForm form_;
};

class Lowercase : public Normalizer {
 public:
  void apply(Segment& segment, Regex::Scratch&) const override { map_characters(segment, append_lower); }
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(Segment& segment, Regex::Scratch&) const override {
    std::string& text = segment.text;
    size_t begin = 0, end = text.size();
    while (left_ && begin < end) {
      const char* p = text.data() + begin;
      if (!is_white_space(next_char(p))) break;
      begin = static_cast<size_t>(p - text.data());
    }
    while (right_ && end > begin) {
      size_t k = end - 1;
      while (k > begin && is_continuation(text[k])) --k;
      const char* p = text.data() + k;
      if (!is_white_space(next_char(p))) break;
      end = k;
    }
    if (begin > 0) segment.at_start = false;
    text.resize(end);
    text.erase(0, begin);
  }

 private:
  bool left_, right_;
};

class StripAccents : public Normalizer {
 public:
  void apply(Segment& segment, Regex::Scratch&) const override {
    if (is_ascii(segment.text)) return;
    map_characters(segment, [](std::string& out, char32_t c) {
      if (!is_mark(c)) append_utf8(out, c);
    });
  }
};

class ReplaceText : public Normalizer {
 public:
  ReplaceText(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}
  void apply(Segment& segment, Regex::Scratch&) const override {
    if (!from_.empty()) replace_all(segment, from_, to_);
  }

 private:
  std::string from_, to_;
};

class ReplaceMatches : public Normalizer {
 public:
  ReplaceMatches(Regex from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}
  void apply(Segment& segment, Regex::Scratch& scratch) const override {
    std::string out;
    size_t copied = 0;
    from_.for_each(segment.text, scratch, [&](size_t begin, size_t end) {
      out.append(segment.text, copied, begin - copied);
      out += to_;
      check_growth(segment, out.size());
      copied = end;
    });
    out.append(segment.text, copied);
    segment.text = std::move(out);
  }

 private:
  Regex from_;
  std::string to_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string text) : text_(std::move(text)) {}
  void apply(Segment& segment, Regex::Scratch&) const override {
    if (!segment.text.empty()) segment.text.insert(0, text_);
  }

 private:
  std::string text_;
};

class Append : public Normalizer {
 public:
  explicit Append(std::string text) : text_(std::move(text)) {}
  void apply(Segment& segment, Regex::Scratch&) const override {
    if (!segment.text.empty()) segment.text += text_;
  }

 private:
  std::string text_;
};

class Bert : public Normalizer {
 public:
  explicit Bert(BertNormalizerOptions options) : options_(options) {}
  void apply(Segment& segment, Regex::Scratch&) const override {
    const auto [clean, chinese, strip, lower] = options_;
    map_characters(segment, [clean = clean, chinese = chinese](std::string& out, char32_t c) {
      if (clean) {
        if (c == 0 || c == 0xFFFD || is_control(c)) return;
        if (is_white_space(c)) c = ' ';
      }
      bool spaced = chinese && is_cjk_ideograph(c);
      if (spaced) out += ' ';
      append_utf8(out, c);
      if (spaced) out += ' ';
    });
    bool ascii = is_ascii(segment.text);
    if (strip && !ascii) {
      segment.text = normal_form(segment.text, NormalForm::nfd);
      map_characters(segment, [](std::string& out, char32_t c) {
        if (!is_nonspacing_mark(c)) append_utf8(out, c);
      });
    }
    if (lower) map_characters(segment, append_lower);
  }

 private:
  BertNormalizerOptions options_;
};

class Precompiled : public Normalizer {
 public:
  explicit Precompiled(CharsMap map) : map_(std::move(map)) {}
  void apply(Segment& segment, Regex::Scratch&) const override {
    std::string out;
    out.reserve(segment.text.size());
    if (!map_.append_by_graphemes(out, segment.text, segment.max_bytes)) check_growth(segment, SIZE_MAX);
    segment.text = std::move(out);
  }

 private:
  CharsMap map_;
};

class ByteLevel : public Normalizer {
 public:
  void apply(Segment& segment, Regex::Scratch&) const override {
    std::string out;
    append_as_alphabet(out, segment.text);
    segment.text = std::move(out);
  }
};

class Nmt : public Normalizer {
 public:
  void apply(Segment& segment, Regex::Scratch&) const override {
    map_characters(segment, [](std::string& out, char32_t c) {
      bool dropped = (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
      if (dropped) return;
      bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                   c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
      append_utf8(out, space ? U' ' : c);
    });
  }
};

class SentencePiece : public Normalizer {
 public:
  explicit SentencePiece(SentencePieceNormalizerOptions options) : options_(std::move(options)) {
    std::vector<std::pair<std::string_view, int32_t>> entries;
    for (const auto& piece : options_.user_defined) entries.emplace_back(piece, 0);
    user_defined_ = ByteTrie(std::move(entries));
  }

  void apply(Segment& segment, Regex::Scratch&) const override {
    std::string_view in = segment.text;
    const std::string_view space = options_.escape_whitespaces ? kMetaspace : " ";
    const bool remove_extra = options_.remove_extra_whitespaces;
    if (remove_extra)
      while (!in.empty()) {
        auto [text, length] = prefix(in);
        if (text != " ") break;
        in.remove_prefix(length);
      }
    std::string out;
    out.reserve(in.size() + in.size() / 2 + 3);
    if (!in.empty() && options_.add_dummy_prefix && !options_.whitespace_as_suffix) out += space;
    bool after_space = remove_extra;
    while (!in.empty()) {
      auto [text, length] = prefix(in);
      while (after_space && !text.empty() && text[0] == ' ') text.remove_prefix(1);
      for (char c : text) {
        if (c == ' ') {
          out += space;
        } else {
          out += c;
        }
      }
      if (!text.empty()) after_space = text.back() == ' ';
      if (!remove_extra) after_space = false;
      check_growth(segment, out.size());
      in.remove_prefix(length);
    }
    if (remove_extra)
      while (std::string_view(out).ends_with(space)) out.resize(out.size() - space.size());
    if (!out.empty() && options_.add_dummy_prefix && options_.whitespace_as_suffix) out += space;
    segment.text = std::move(out);
  }

 private:
  // What the beginning of the text becomes, and how many bytes of it that was.
  std::pair<std::string_view, size_t> prefix(std::string_view in) const {
    if (user_defined_.can_begin(in[0]))
      if (size_t length = user_defined_.longest(in).first) return {in.substr(0, length), length};
    if (!options_.charsmap.empty())
      if (auto hit = options_.charsmap[0].longest(in)) return {hit->replacement, hit->length};
    size_t length = char_length(in[0]);
    return {in.substr(0, length), length};
  }

  SentencePieceNormalizerOptions options_;
  ByteTrie user_defined_;
};

}  // namespace

std::unique_ptr<Normalizer> make_unicode_normalizer(NormalForm form) { return std::make_unique<UnicodeForm>(form); }
std::unique_ptr<Normalizer> make_lowercase() { return std::make_unique<Lowercase>(); }
std::unique_ptr<Normalizer> make_strip(bool left, bool right) { return std::make_unique<Strip>(left, right); }
std::unique_ptr<Normalizer> make_strip_accents() { return std::make_unique<StripAccents>(); }
std::unique_ptr<Normalizer> make_replace(std::string from, std::string to) { return std::make_unique<ReplaceText>(std::move(from), std::move(to)); }
std::unique_ptr<Normalizer> make_replace(Regex from, std::string to) { return std::make_unique<ReplaceMatches>(std::move(from), std::move(to)); }
std::unique_ptr<Normalizer> make_prepend(std::string text) { return std::make_unique<Prepend>(std::move(text)); }
std::unique_ptr<Normalizer> make_append(std::string text) { return std::make_unique<Append>(std::move(text)); }
std::unique_ptr<Normalizer> make_bert_normalizer(BertNormalizerOptions options) { return std::make_unique<Bert>(options); }
std::unique_ptr<Normalizer> make_precompiled(CharsMap map) { return std::make_unique<Precompiled>(std::move(map)); }
std::unique_ptr<Normalizer> make_byte_level_normalizer() { return std::make_unique<ByteLevel>(); }
std::unique_ptr<Normalizer> make_nmt() { return std::make_unique<Nmt>(); }
std::unique_ptr<Normalizer> make_sentencepiece_normalizer(SentencePieceNormalizerOptions options) {
  return std::make_unique<SentencePiece>(std::move(options));
}

}  // namespace motley::tok

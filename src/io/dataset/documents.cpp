#include "io/dataset/documents.h"

#include "base/text.h"

namespace motley {
namespace {

std::string_view without_line_ends(std::string_view s) {
  while (!s.empty() && (s.front() == '\n' || s.front() == '\r')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == '\n' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

// Where to cut a text of more than a part's length so that the rest begins a line, or else a word, or else a character.
size_t cut_of(std::string_view text) {
  constexpr size_t kFar = Documents::kPartBytes / 2;
  if (size_t end = text.rfind('\n'); end != text.npos && end >= kFar) return end + 1;
  if (size_t space = text.rfind(' '); space != text.npos && space >= kFar) return space;
  return complete_utf8_prefix(text);
}

}  // namespace

void Documents::give(std::string_view text, bool ends) {
  Record r;
  r.text = text;
  r.begins = !begun_;
  r.ends = ends;
  r.line = line_;
  ready_.push_back(std::move(r));
  begun_ = !ends;
}

void Documents::end_document() {
  // The line ends around a marker or an empty line stand between documents.
  std::string_view text = split_ == Split::none ? std::string_view(text_) : without_line_ends(text_);
  if (begun_ || !trim(text).empty()) give(text, true);
  text_.clear();
}

void Documents::take_line() {
  std::string_view line = lines_.text();
  const bool whole = lines_.first_piece() && lines_.last_piece();
  if (split_ == Split::blank && whole && trim(line).empty()) return end_document();
  if (text_.empty()) line_ = lines_.number();
  if (split_ == Split::marker)
    for (size_t at = line.find(marker_); at != line.npos; at = line.find(marker_)) {
      text_ += line.substr(0, at);
      end_document();
      line.remove_prefix(at + marker_.size());
      line_ = lines_.number();
    }
  text_ += line;
  if (lines_.has_end()) text_ += '\n';
  if (split_ == Split::line && lines_.last_piece()) return end_document();
  while (text_.size() > 2 * kPartBytes) {
    const size_t cut = cut_of(std::string_view(text_).substr(0, kPartBytes));
    give(std::string_view(text_).substr(0, cut), false);
    text_.erase(0, cut);
    line_ = lines_.number();
  }
}

bool Documents::next(Record& record) {
  if (given_ == ready_.size()) {
    ready_.clear();
    given_ = 0;
    bool more = true;
    while (ready_.empty() && (more = lines_.next())) take_line();
    if (!more) end_document();
    if (ready_.empty()) return false;
  }
  record = std::move(ready_[given_++]);
  return true;
}

}  // namespace motley

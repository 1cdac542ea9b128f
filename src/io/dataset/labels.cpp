#include "io/dataset/labels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/text.h"

namespace motley {

LabelTable::LabelTable(LabelKind kind, std::vector<std::string> known) : kind_(kind), closed_(!known.empty()), names_(std::move(known)) {
  if (closed_ && kind_ == LabelKind::automatic) kind_ = LabelKind::classes;
  for (size_t i = 0; i < names_.size(); ++i) index_.emplace(names_[i], static_cast<int32_t>(i));
}

// The place of a label in names_, -1 where there is none.
int32_t LabelTable::find(const std::string& label) {
  if (auto it = index_.find(label); it != index_.end()) return it->second;
  if (closed_) {
    const bool named = std::ranges::none_of(names_, [](const std::string& n) { return parse_int(n).has_value(); });
    auto number = parse_int(label);
    return named && number && *number >= 0 && *number < static_cast<int64_t>(names_.size()) ? static_cast<int32_t>(*number) : -1;
  }
  names_.push_back(label);
  return index_.emplace(label, static_cast<int32_t>(names_.size()) - 1).first->second;
}

std::string LabelTable::add(const std::vector<std::string>& labels) {
  const size_t before = given_.size();
  for (const std::string& label : labels) {
    const auto number = parse_double(label);
    const bool finite = number && std::isfinite(static_cast<float>(*number));
    if (kind_ == LabelKind::values && !finite) return fmt::format("the label '{}' is no number", printable(label, 40));
    const int32_t place = find(label);
    if (place < 0) {
      given_.resize(before);
      std::string all;
      for (size_t i = 0; i < names_.size() && i < 10; ++i) all += (i ? ", " : "") + printable(names_[i], 40);
      return fmt::format("the label '{}' is none of the classes {}{}", printable(label, 40), all, names_.size() > 10 ? ", ..." : "");
    }
    all_numbers_ = all_numbers_ && finite;
    any_fraction_ = any_fraction_ || (finite && !parse_int(label));
    given_.push_back(place);
  }
  ends_.push_back(given_.size());
  return "";
}

LabelTable::Numbers LabelTable::finish(std::string_view what) const {
  Numbers out;
  const bool values = kind_ == LabelKind::values || (kind_ == LabelKind::automatic && all_numbers_ && any_fraction_);
  if (values) {
    out.width = 1;
    for (int32_t place : given_) out.values.push_back(static_cast<float>(*parse_double(names_[static_cast<size_t>(place)])));
    out.words = "a number each";
    return out;
  }
  if (names_.size() > kMostClasses)
    fail(ErrorKind::usage, "data",
         "{}: the labels have {} different values, more than {} classes; is that the label's column? (numbers: --labels values)", what, names_.size(),
         kMostClasses);
  std::vector<size_t> order(names_.size()), rank(names_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const bool whole = std::ranges::all_of(names_, [](const std::string& n) { return parse_int(n).has_value(); });
  if (!closed_)
    std::ranges::sort(order, [&](size_t a, size_t b) {
      if (whole && parse_int(names_[a]) != parse_int(names_[b])) return *parse_int(names_[a]) < *parse_int(names_[b]);
      return names_[a] < names_[b];
    });
  for (size_t i = 0; i < order.size(); ++i) {
    rank[order[i]] = i;
    out.classes.push_back(names_[order[i]]);
  }
  const bool several = kind_ == LabelKind::several;
  out.width = several ? static_cast<int64_t>(names_.size()) : 1;
  size_t at = 0;
  for (size_t end : ends_) {
    if (!several) {
      out.values.push_back(static_cast<float>(rank[static_cast<size_t>(given_[at])]));
    } else {
      const size_t row = out.values.size();
      out.values.resize(row + names_.size(), 0.0f);
      for (size_t i = at; i < end; ++i) out.values[row + rank[static_cast<size_t>(given_[i])]] = 1.0f;
    }
    at = end;
  }
  out.words = fmt::format("{} {}: ", out.classes.size(), several ? "labels, any number of them each" : out.classes.size() == 1 ? "class" : "classes");
  for (size_t i = 0; i < out.classes.size() && i < 10; ++i) out.words += (i ? ", " : "") + printable(out.classes[i], 40);
  if (out.classes.size() > 10) out.words += ", ...";
  return out;
}

}  // namespace motley

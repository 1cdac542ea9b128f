#include "io/dataset/columns.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/error.h"
#include "base/text.h"

namespace motley {
namespace {

// In order of preference; what data sets of the hub and of GLUE call them.
constexpr std::array<std::string_view, 13> kTexts = {"text",     "sentence", "sentence1", "premise", "question1", "content", "review",
                                                     "document", "comment",  "tweet",     "body",    "message",   "question"};
constexpr std::array<std::string_view, 6> kPairs = {"text_pair", "sentence2", "hypothesis", "question2", "text2", "pair"};
// Of two texts that belong together, and one that does not.
constexpr std::array<std::string_view, 7> kAnchors = {"anchor", "query", "question", "sentence1", "premise", "text", "title"};
constexpr std::array<std::string_view, 9> kPositives = {"positive",   "answer",   "passage", "document", "sentence2",
                                                        "hypothesis", "abstract", "text2",   "pair"};
constexpr std::array<std::string_view, 3> kNegatives = {"negative", "hard_negative", "negative_1"};
constexpr std::array<std::string_view, 9> kLabels = {"label", "labels", "class", "category", "sentiment", "target", "score", "rating", "stars"};

// Where one text answers the other.
constexpr std::array<std::string_view, 6> kSources = {"source", "src", "input", "article", "document", "text"};
constexpr std::array<std::string_view, 8> kAnswers = {"target", "tgt", "output", "translation", "summary", "highlights", "answer", "pair"};

std::string find(std::span<const std::string_view> wanted, const std::vector<std::string>& names) {
  for (std::string_view w : wanted)
    for (const std::string& n : names)
      if (lower_ascii(trim(n)) == w) return n;
  return "";
}

std::string list(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 20; ++i) out += (i ? ", " : "") + printable(names[i], 40);
  return names.size() > 20 ? out + ", ..." : out;
}

// The column that was asked for, or the one with a usual name.
std::string choose(const std::string& asked, const char* flag, std::span<const std::string_view> usual, const std::vector<std::string>& names,
                   std::string_view what) {
  if (asked.empty()) return find(usual, names);
  if (std::ranges::find(names, asked) != names.end()) return asked;
  fail(ErrorKind::usage, "data", "{}: there is no column '{}' ({}); there are: {}", what, printable(asked), flag, list(names));
}

// No column is taken for one of a pair because nothing else is left: which texts belong together has to be said.
Columns find_texts(const DataOptions& options, const std::vector<std::string>& names, std::string_view what) {
  Columns c;
  c.text = choose(options.text_column, "--text-column", kAnchors, names, what);
  c.pair = choose(options.pair_column, "--pair-column", kPositives, names, what);
  c.negative = choose(options.negative_column, "--negative-column", kNegatives, names, what);
  if (c.text.empty() || c.pair.empty() || c.text == c.pair)
    fail(ErrorKind::usage, "data",
         "{}: pairs need a column for each of two texts (such as anchor and positive); there are: {}; say which with --text-column and --pair-column",
         what, list(names));
  return c;
}

}  // namespace

bool has_text_column(const std::vector<std::string>& names) { return !find(kTexts, names).empty() || !find(kAnchors, names).empty(); }

Columns find_columns(const DataOptions& options, const std::vector<std::string>& names, std::string_view what) {
  if (options.labels == LabelKind::texts) return find_texts(options, names, what);
  Columns c;
  const bool labelled = options.labels != LabelKind::none;
  if (labelled || !options.label_column.empty()) c.label = choose(options.label_column, "--label-column", kLabels, names, what);
  if (labelled && c.label.empty())
    fail(ErrorKind::usage, "data", "{}: no column is the label; there are: {}; say which with --label-column", what, list(names));
  auto usual = [&](std::span<const std::string_view> of_answers, std::span<const std::string_view> others) {
    return options.answers && !find(of_answers, names).empty() ? of_answers : others;
  };
  c.text = choose(options.text_column, "--text-column", usual(kSources, kTexts), names, what);
  c.pair = choose(options.pair_column, "--pair-column", usual(kAnswers, kPairs), names, what);
  if (c.text.empty()) {
    std::vector<std::string> others;
    const std::string usual_label = find(kLabels, names);
    std::ranges::copy_if(names, std::back_inserter(others), [&](const std::string& n) { return n != c.pair && n != c.label && n != usual_label; });
    if (others.size() == 1) c.text = others[0];
  }
  if (c.text.empty()) fail(ErrorKind::usage, "data", "{}: no column is the text; there are: {}; say which with --text-column", what, list(names));
  if (c.pair == c.text) c.pair.clear();
  if (options.answers && c.pair.empty())
    fail(ErrorKind::usage, "data", "{}: no column answers '{}'; there are: {}; say which with --pair-column", what, printable(c.text), list(names));
  return c;
}

}  // namespace motley

#include "io/dataset/augment.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "base/text_filter.h"

namespace motley {
namespace {

constexpr uint64_t kMaxSynonymBytes = 64 << 20;
constexpr uint64_t kStream = stream_of("augment");

// Draws of one copy of one sample, one after the other.
class Draws {
 public:
  Draws(uint64_t seed, int64_t sample, int64_t copy)
      : seed_(seed), stream_(fold_multiply(kStream ^ static_cast<uint64_t>(sample), 0xD6E8FEB86659FD93ull + 2 * static_cast<uint64_t>(copy))) {}
  size_t below(size_t n) { return static_cast<size_t>(uint64_t{philox(seed_, stream_, next_++)} * n >> 32); }
  double uniform() { return static_cast<double>(philox_uniform(seed_, stream_, next_++)); }

 private:
  uint64_t seed_, stream_, next_ = 0;
};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_word_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t i = 0; i < text.size();) {
    while (i < text.size() && is_space(text[i])) ++i;
    const size_t begin = i;
    while (i < text.size() && !is_space(text[i])) ++i;
    if (i > begin) words.push_back(text.substr(begin, i - begin));
  }
  return words;
}

template <class Words>
std::string joined(const Words& words) {
  std::string out;
  for (const auto& w : words) {
    if (!out.empty()) out += ' ';
    out += w;
  }
  return out;
}

// A number of words from a count, or from a share of all of them.
size_t count_of(double wanted, size_t words) {
  return static_cast<size_t>(std::max(1.0, std::round(wanted < 1 ? wanted * static_cast<double>(words) : wanted)));
}

std::string without_words(std::string_view text, double probability, Draws& draw) {
  const auto words = words_of(text);
  std::vector<std::string_view> kept;
  for (std::string_view w : words)
    if (draw.uniform() >= probability) kept.push_back(w);
  if (kept.size() == words.size()) return std::string(text);
  if (kept.empty()) kept.push_back(words[draw.below(words.size())]);  // a text of nothing teaches nothing
  return joined(kept);
}

std::string with_swaps(std::string_view text, double swaps, Draws& draw) {
  auto words = words_of(text);
  if (words.size() < 2) return std::string(text);
  for (size_t i = count_of(swaps, words.size()); i-- > 0;) {
    const size_t a = draw.below(words.size()), b = draw.below(words.size() - 1);
    std::swap(words[a], words[b + (b >= a ? 1 : 0)]);
  }
  return joined(words);
}

// A word within its punctuation: "(Fine," is "Fine".
std::string_view core_of(std::string_view word) {
  size_t begin = 0, end = word.size();
  while (begin < end && !is_word_byte(word[begin])) ++begin;
  while (end > begin && !is_word_byte(word[end - 1])) --end;
  return word.substr(begin, end - begin);
}

std::string with_synonyms(std::string_view text, double rate, const Synonyms& synonyms, Draws& draw) {
  const auto words = words_of(text);
  std::vector<size_t> known;
  for (size_t i = 0; i < words.size(); ++i)
    if (synonyms.contains(lower_ascii(core_of(words[i])))) known.push_back(i);
  if (known.empty()) return std::string(text);
  std::vector<std::string> out(words.begin(), words.end());
  for (size_t n = std::min(known.size(), count_of(std::min(rate, 0.999), words.size())); n-- > 0;) {
    const size_t pick = draw.below(known.size()), at = known[pick];
    known.erase(known.begin() + static_cast<std::ptrdiff_t>(pick));
    const std::string_view word = words[at], core = core_of(word);
    const auto& others = synonyms.at(lower_ascii(core));
    std::string other = others[draw.below(others.size())];
    if (core[0] >= 'A' && core[0] <= 'Z' && other[0] >= 'a' && other[0] <= 'z') other[0] = static_cast<char>(other[0] - 'a' + 'A');
    const auto before = static_cast<size_t>(core.data() - word.data());
    out[at] = std::string(word.substr(0, before)) + other + std::string(word.substr(before + core.size()));
  }
  return joined(out);
}

}  // namespace

AugmentOptions parse_augment(std::string_view text) {
  AugmentOptions o;
  auto number = [&](std::string_view key, std::string_view value, double least, double most) {
    auto n = parse_double(value);
    if (!n || !(*n > least) || !(*n <= most))
      fail(ErrorKind::usage, "augment", "'{}' should be a number above {} and at most {}, not '{}'", key, least, most, printable(value));
    return *n;
  };
  for (std::string_view part : split(text, ',')) {
    part = trim(part);
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    const std::string_view key = trim(part.substr(0, equals)), value = equals == std::string_view::npos ? "" : trim(part.substr(equals + 1));
    constexpr std::array<std::string_view, 4> kKeys = {"deletion", "swap", "synonyms", "synonym-rate"};
    if (key == "deletion") {
      o.deletion = number(key, value, 0, 0.9);
    } else if (key == "swap") {
      o.swap = number(key, value, 0, 1000);
    } else if (key == "synonym-rate") {
      o.synonym_rate = number(key, value, 0, 1);
    } else if (key == "synonyms" && !value.empty()) {
      o.synonyms = value;
    } else if (key == "synonyms") {
      fail(ErrorKind::usage, "augment", "'synonyms' should name a file: synonyms=FILE");
    } else {
      auto meant = nearest(key, kKeys);
      fail(ErrorKind::usage, "augment", "there is no '{}'{}; known are deletion=P, swap=N, synonyms=FILE and synonym-rate=R", printable(key),
           meant ? fmt::format(", did you mean '{}'?", *meant) : "");
    }
  }
  return o;
}

Synonyms read_synonyms(const std::string& path) { return parse_synonyms(read_file(path, kMaxSynonymBytes), path); }

Synonyms parse_synonyms(std::string_view text, const std::string& path) {
  Synonyms all;
  int64_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = trim(line);
    if (line.empty() || line[0] == '#') continue;
    const size_t tab = line.find('\t');
    const std::string word = lower_ascii(trim(line.substr(0, tab)));
    if (tab == std::string_view::npos || word.empty())
      fail(ErrorKind::file, "synonyms", "{} line {}: expected a word, a tab, and words parted by commas, not '{}'", path, number, printable(line));
    auto& to = all[word];
    for (std::string_view other : split(line.substr(tab + 1), ','))
      if (other = trim(other); !other.empty() && lower_ascii(other) != word) to.emplace_back(other);
    if (to.empty()) fail(ErrorKind::file, "synonyms", "{} line {}: '{}' has no other word beside it", path, number, printable(word));
  }
  if (all.empty()) fail(ErrorKind::file, "synonyms", "{} holds no synonyms; a line is a word, a tab, and words parted by commas", path);
  return all;
}

Augmenter::Augmenter(const AugmentOptions& options) : options_(options) {
  if (!options.any()) return;
  if (options.deletion > 0) operations_.push_back(Operation::deletion);
  if (options.swap > 0) operations_.push_back(Operation::swap);
  if (!options.synonyms.empty()) {
    operations_.push_back(Operation::synonyms);
    synonyms_ = read_synonyms(options.synonyms);
  }
  if (has_command()) operations_.push_back(Operation::command);
  if (operations_.empty()) fail(ErrorKind::usage, "augment", "copies of texts are asked for, and nothing that would change them");
  if (operations_.size() == 1 && has_command() && options.copies > 1)
    fail(ErrorKind::usage, "augment", "the command gives one text for each, and {} copies are asked for; use 1, or name other changes beside it",
         options.copies);
}

std::string Augmenter::augment(std::string_view text, int64_t sample, int64_t copy) const {
  Draws draw(options_.seed, sample, copy);
  const auto turn = static_cast<size_t>(sample + copy) % operations_.size();
  switch (operations_[turn]) {
    case Operation::deletion:
      return without_words(text, options_.deletion, draw);
    case Operation::swap:
      return with_swaps(text, options_.swap, draw);
    case Operation::synonyms:
      return with_synonyms(text, options_.synonym_rate, synonyms_, draw);
    case Operation::command:
      break;
  }
  const std::string& other = reworded_.at(static_cast<size_t>(sample));
  return other.empty() ? std::string(text) : other;
}

void Augmenter::reword(const std::vector<std::string>& texts, const std::function<void()>& wait) {
  constexpr size_t kMostGrowth = 16;  // of a text
  std::string lines;
  for (const std::string& t : texts) {
    for (char c : t) lines += c == '\n' || c == '\r' ? ' ' : c;
    lines += '\n';
  }
  const std::string out =
      run_filter(options_.command, lines, {.seconds = options_.command_seconds, .output_bytes = kMostGrowth * lines.size() + (1 << 20)}, wait);
  auto given = split(out, '\n');
  if (!given.empty() && given.back().empty()) given.pop_back();  // behind the last line end
  if (given.size() != texts.size())
    fail(ErrorKind::runtime, "augment", "'{}' wrote {} lines for {} texts; it should write one for each line that it reads",
         printable(options_.command), given.size(), texts.size());
  reworded_.clear();
  for (std::string_view line : given) reworded_.emplace_back(trim(line));
}

void Augmenter::add_to(ContentHash& hash) const {
  if (!options_.any()) return;
  hash.add_number(static_cast<uint64_t>(options_.copies)).add_number(options_.seed).add_text(options_.command);
  for (double x : {options_.deletion, options_.swap, options_.synonym_rate}) hash.add_number(std::bit_cast<uint64_t>(x));
  const std::map<std::string, std::vector<std::string>> sorted(synonyms_.begin(), synonyms_.end());
  for (const auto& [word, others] : sorted) {
    hash.add_text(word).add_number(others.size());
    for (const std::string& o : others) hash.add_text(o);
  }
}

}  // namespace motley

#include "io/tokenizer/hf_json.h"

#include <cmath>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "base/error.h"
#include "base/text.h"

namespace motley::tok {
namespace {

constexpr int kMaxDepth = 64;

// A score as the `tokenizers` package reads it: its JSON parser takes at most the digits that fit 64 bits and rounds twice, which moves one
// score in four by its last bit. Of two ways to cut a word that are equally likely ("0" and "00", or the other way round) that bit decides.
double package_score(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  uint64_t digits = 0;
  int64_t exponent = 0;
  bool point = false, full = false;
  size_t i = 0;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      point = true;
      continue;
    }
    const auto digit = static_cast<uint64_t>(text[i] - '0');
    full = full || digits > (UINT64_MAX - digit) / 10;
    if (!full) digits = digits * 10 + digit;
    if (full != point) exponent += full ? 1 : -1;
  }
  if (i < text.size()) {
    text.remove_prefix(i + 1);
    const bool down = text.starts_with('-');
    if (down || text.starts_with('+')) text.remove_prefix(1);
    // Beyond a few hundred it makes no difference how far.
    const int64_t by = text.size() > 6 ? 999999 : parse_int(text).value_or(0);
    exponent += down ? -by : by;
  }
  double value = static_cast<double>(digits);
  for (; exponent < -308 && value != 0; exponent += 308) value /= 1e308;
  if (value != 0) {
    const double power = parse_double(fmt::format("1e{}", exponent < 0 ? -exponent : exponent)).value_or(HUGE_VAL);
    value = exponent < 0 ? value / power : value * power;
  }
  return negative ? -value : value;
}

class Reader : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(HfJson& out) : out_(out), builder_(out.root, false) {}
  std::string problem;

  bool null() override { return into_ == Into::json ? builder_.null() : unexpected("null"); }
  bool boolean(bool v) override { return into_ == Into::json ? builder_.boolean(v) : unexpected("a boolean"); }
  bool number_integer(number_integer_t v) override {
    return into_ == Into::json ? builder_.number_integer(v) : number(static_cast<double>(v), v, true);
  }
  bool number_unsigned(number_unsigned_t v) override {
    if (into_ == Into::json) return builder_.number_unsigned(v);
    return number(static_cast<double>(v), v > INT64_MAX ? -1 : static_cast<int64_t>(v), true);
  }
  bool number_float(number_float_t v, const string_t& s) override {
    return into_ == Into::json ? builder_.number_float(v, s) : number(package_score(s), 0, false);
  }
  bool binary(binary_t& v) override { return builder_.binary(v); }

  bool string(string_t& v) override {
    if (into_ == Into::json) return builder_.string(v);
    if (into_ == Into::vocabulary) {
      if (depth_here_ != 2 || !out_.vocabulary_is_list || place_ != 0) return unexpected("a text");
      text_ = std::move(v);
      ++place_;
      return true;
    }
    if (depth_here_ == 1) return merge_in_one(v);
    if (depth_here_ != 2 || place_ > 1) return unexpected("a text");
    (place_++ == 0 ? left_ : text_) = std::move(v);
    return true;
  }

  bool start_object(std::size_t n) override {
    if (!deeper()) return false;
    if (into_ == Into::vocabulary) return ++depth_here_ == 1 || unexpected("an object");
    if (into_ == Into::merges) return unexpected("an object");
    keys_.emplace_back();
    return builder_.start_object(n);
  }
  bool key(string_t& k) override {
    if (into_ == Into::vocabulary) {
      text_ = std::move(k);
      return true;
    }
    if (!keys_.back().insert(k).second) {
      problem = fmt::format("key '{}' appears twice in one object", printable(k));
      return false;
    }
    if (depth_ == 1) in_model_ = k == "model";
    if (depth_ == 2 && in_model_ && (k == "vocab" || k == "merges")) {
      string_t copy = k;
      if (!builder_.key(k) || !builder_.null()) return false;
      into_ = copy == "vocab" ? Into::vocabulary : Into::merges;
      depth_here_ = 0;
      return true;
    }
    return builder_.key(k);
  }
  bool end_object() override {
    --depth_;
    if (into_ == Into::vocabulary) return leave();
    keys_.pop_back();
    return builder_.end_object();
  }

  bool start_array(std::size_t n) override {
    if (!deeper()) return false;
    if (into_ == Into::json) return builder_.start_array(n);
    if (++depth_here_ == 1) {
      (into_ == Into::vocabulary ? out_.vocabulary_is_list : out_.has_merges) = true;
      return true;
    }
    place_ = 0;
    return (depth_here_ == 2 && (into_ == Into::merges || out_.vocabulary_is_list)) || unexpected("a list");
  }
  bool end_array() override {
    --depth_;
    if (into_ == Into::json) return builder_.end_array();
    if (depth_here_ == 2) {
      if (place_ != 2) return unexpected("a list that does not have two members");
      if (into_ == Into::vocabulary) {
        out_.vocabulary.set(static_cast<int64_t>(out_.num_tokens++), Token{std::move(text_), score_, TokenType::normal});
      } else {
        out_.merges.emplace_back(std::move(left_), std::move(text_));
      }
    }
    return leave();
  }

  bool parse_error(std::size_t position, const std::string& last_token, const nlohmann::detail::exception&) override {
    if (problem.empty()) problem = fmt::format("is not valid JSON at byte {} near '{}'", position, printable(last_token, 40));
    return false;
  }

 private:
  enum class Into { json, vocabulary, merges };

  bool deeper() {
    if (++depth_ <= kMaxDepth) return true;
    problem = fmt::format("is nested deeper than {} levels", kMaxDepth);
    return false;
  }
  bool unexpected(const char* found) {
    const char* expected = into_ == Into::merges     ? "two tokens, as 'a b' or ['a', 'b']"
                           : out_.vocabulary_is_list ? "[token, score]"
                                                     : "an object from token to id";
    size_t place = into_ == Into::merges ? out_.merges.size() : out_.num_tokens;
    problem = fmt::format("model.{}: entry {} should be {}, found {}", into_ == Into::merges ? "merges" : "vocab", place, expected, found);
    return false;
  }
  bool number(double as_double, int64_t as_int, bool integer) {
    if (into_ != Into::vocabulary) return unexpected("a number");
    if (out_.vocabulary_is_list) {
      if (depth_here_ != 2 || place_ != 1) return unexpected("a number");
      if (!std::isfinite(as_double)) return unexpected("a score that is not finite");
      score_ = as_double;
      ++place_;
      return true;
    }
    if (depth_here_ != 1 || !integer) return unexpected("a number");
    if (out_.vocabulary.find(text_) >= 0) {
      problem = fmt::format("model.vocab: token '{}' appears twice", printable(text_));
      return false;
    }
    out_.vocabulary.set(as_int, Token{std::move(text_), 0, TokenType::normal});
    ++out_.num_tokens;
    return true;
  }
  bool merge_in_one(std::string_view text) {
    size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos) return unexpected(("'" + printable(text, 40) + "'").c_str());
    out_.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    return true;
  }
  bool leave() {
    if (--depth_here_ == 0) into_ = Into::json;
    return true;
  }

  HfJson& out_;
  nlohmann::detail::json_sax_dom_parser<Json> builder_;
  std::vector<std::unordered_set<std::string>> keys_;
  int depth_ = 0;
  bool in_model_ = false;
  // Inside model.vocab or model.merges: how deep, which member of a pair comes next, and what was read of it.
  Into into_ = Into::json;
  int depth_here_ = 0, place_ = 0;
  std::string text_, left_;
  double score_ = 0;
};

}  // namespace

HfJson read_hf_json(std::string_view text, const std::string& name) {
  HfJson out{Json(), VocabularyBuilder(name), 0, false, {}, false};
  Reader reader(out);
  if (!Json::sax_parse(text.begin(), text.end(), &reader))
    fail(ErrorKind::file, "tokenizer", "{}: {}", name, reader.problem.empty() ? "is not valid JSON" : reader.problem);
  return out;
}

}  // namespace motley::tok

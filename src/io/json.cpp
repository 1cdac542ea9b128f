#include "io/json.h"

#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace motley {
namespace {

// nlohmann's own DOM builder, asked to stop at our bounds. The parser itself keeps its state on the heap, so depth costs no stack.
class Bounds : public nlohmann::json_sax<Json> {
 public:
  Bounds(Json& root, JsonLimits limits) : builder_(root, false), limits_(limits) {}
  std::string problem;

  bool null() override { return one_more() && builder_.null(); }
  bool boolean(bool v) override { return one_more() && builder_.boolean(v); }
  bool number_integer(number_integer_t v) override { return one_more() && builder_.number_integer(v); }
  bool number_unsigned(number_unsigned_t v) override { return one_more() && builder_.number_unsigned(v); }
  bool number_float(number_float_t v, const string_t& s) override { return one_more() && builder_.number_float(v, s); }
  bool string(string_t& v) override { return one_more() && builder_.string(v); }
  bool binary(binary_t& v) override { return one_more() && builder_.binary(v); }
  bool start_object(std::size_t n) override {
    if (!one_more() || !deeper()) return false;
    if (limits_.reject_duplicate_keys) keys_.emplace_back();
    return builder_.start_object(n);
  }
  bool key(string_t& k) override {
    if (limits_.reject_duplicate_keys && !keys_.back().insert(k).second) {
      problem = fmt::format("key '{}' appears twice in one object", printable(k));
      return false;
    }
    return builder_.key(k);
  }
  bool end_object() override {
    --depth_;
    if (limits_.reject_duplicate_keys) keys_.pop_back();
    return builder_.end_object();
  }
  bool start_array(std::size_t n) override { return one_more() && deeper() && builder_.start_array(n); }
  bool end_array() override {
    --depth_;
    return builder_.end_array();
  }
  bool parse_error(std::size_t position, const std::string& last_token, const nlohmann::detail::exception&) override {
    problem = fmt::format("is not valid JSON at byte {} near '{}'", position, printable(last_token, 40));
    return false;
  }

 private:
  bool one_more() {
    if (++values_ <= limits_.max_values) return true;
    problem = fmt::format("has more than {} values", limits_.max_values);
    return false;
  }
  bool deeper() {
    if (++depth_ <= limits_.max_depth) return true;
    problem = fmt::format("is nested deeper than {} levels", limits_.max_depth);
    return false;
  }
  nlohmann::detail::json_sax_dom_parser<Json> builder_;
  JsonLimits limits_;
  int depth_ = 0;
  int64_t values_ = 0;
  std::vector<std::unordered_set<std::string>> keys_;
};

const Json* find(const Json& object, const char* key, std::string_view what) {
  if (!object.is_object()) fail(ErrorKind::file, "json", "{}: expected an object with key '{}', found {}", what, key, object.type_name());
  auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

[[noreturn]] void wrong_type(const char* key, std::string_view what, const char* expected, const Json& found) {
  fail(ErrorKind::file, "json", "{}: '{}' should be {}, found {}", what, key, expected, found.type_name());
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what, JsonLimits limits) {
  // nlohmann's lexer takes a zero byte for the end of the text, and would not see what follows.
  if (auto zero = text.find('\0'); zero != text.npos)
    fail(ErrorKind::file, "json", "{} is not valid JSON at byte {}: it contains a zero byte", what, zero);
  Json root;
  Bounds bounds(root, limits);
  if (!Json::sax_parse(text.begin(), text.end(), &bounds))
    fail(ErrorKind::file, "json", "{} {}", what, bounds.problem.empty() ? "is not valid JSON" : bounds.problem);
  return root;
}

std::optional<int64_t> json_find_int(const Json& object, const char* key, std::string_view what) {
  const Json* v = find(object, key, what);
  if (!v) return std::nullopt;
  if (v->is_number_unsigned() && v->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) wrong_type(key, what, "an integer below 2^63", *v);
  if (!v->is_number_integer()) wrong_type(key, what, "an integer", *v);
  return v->get<int64_t>();
}

std::optional<double> json_find_double(const Json& object, const char* key, std::string_view what) {
  const Json* v = find(object, key, what);
  if (!v) return std::nullopt;
  if (!v->is_number()) wrong_type(key, what, "a number", *v);
  return v->get<double>();
}

std::optional<bool> json_find_bool(const Json& object, const char* key, std::string_view what) {
  const Json* v = find(object, key, what);
  if (!v) return std::nullopt;
  if (!v->is_boolean()) wrong_type(key, what, "true or false", *v);
  return v->get<bool>();
}

std::optional<std::string> json_find_string(const Json& object, const char* key, std::string_view what) {
  const Json* v = find(object, key, what);
  if (!v) return std::nullopt;
  if (!v->is_string()) wrong_type(key, what, "a string", *v);
  return v->get<std::string>();
}

int64_t json_int(const Json& object, const char* key, std::string_view what) {
  if (auto v = json_find_int(object, key, what)) return *v;
  fail(ErrorKind::file, "json", "{}: '{}' is missing", what, key);
}

std::string json_string(const Json& object, const char* key, std::string_view what) {
  if (auto v = json_find_string(object, key, what)) return *v;
  fail(ErrorKind::file, "json", "{}: '{}' is missing", what, key);
}

}  // namespace motley

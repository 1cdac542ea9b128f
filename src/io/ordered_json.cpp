#include "io/ordered_json.h"

#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"

namespace motley {
namespace {

using Ordered = nlohmann::ordered_json;

// Builds the document itself: nlohmann's builder looks for every key among those before it, which is quadratic in a hostile object.
class Builder : public nlohmann::json_sax<Ordered> {
 public:
  Builder(Ordered& root, int max_depth) : root_(root), max_depth_(max_depth) {}
  std::string problem;

  bool null() override { return add(nullptr); }
  bool boolean(bool v) override { return add(v); }
  bool number_integer(number_integer_t v) override { return add(v); }
  bool number_unsigned(number_unsigned_t v) override { return add(v); }
  bool number_float(number_float_t v, const string_t&) override { return add(v); }
  bool string(string_t& v) override { return add(std::move(v)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Ordered::object()); }
  bool start_array(std::size_t) override { return open(Ordered::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& k) override {
    if (!levels_.back().keys.insert(k).second) {
      problem = fmt::format("key '{}' appears twice in one object", k.substr(0, 100));
      return false;
    }
    key_ = std::move(k);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& last_token, const nlohmann::detail::exception&) override {
    problem = fmt::format("is not valid JSON at byte {} near '{}'", position, last_token.substr(0, 40));
    return false;
  }

 private:
  struct Level {
    Ordered* container;
    std::unordered_set<std::string> keys;
  };

  Ordered* place(Ordered v) {
    if (levels_.empty()) {
      root_ = std::move(v);
      return &root_;
    }
    Ordered& container = *levels_.back().container;
    if (container.is_array()) return &container.get_ref<Ordered::array_t&>().emplace_back(std::move(v));
    return &container.get_ref<Ordered::object_t&>().emplace_back(std::move(key_), std::move(v)).second;
  }
  template <class T>
  bool add(T&& v) {
    place(Ordered(std::forward<T>(v)));
    return true;
  }
  bool open(Ordered container) {
    if (static_cast<int>(levels_.size()) >= max_depth_) {
      problem = fmt::format("is nested deeper than {} levels", max_depth_);
      return false;
    }
    // A container is filled before its parent grows again, so the pointer stays good while it is used.
    levels_.push_back({place(std::move(container)), {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  Ordered& root_;
  int max_depth_;
  std::vector<Level> levels_;
  std::string key_;
};

}  // namespace

nlohmann::ordered_json parse_ordered_json(std::string_view text, std::string_view what, int max_depth) {
  Ordered root;
  Builder builder(root, max_depth);
  if (!Ordered::sax_parse(text.begin(), text.end(), &builder))
    fail(ErrorKind::file, "json", "{} {}", what, builder.problem.empty() ? "is not valid JSON" : builder.problem);
  return root;
}

}  // namespace motley

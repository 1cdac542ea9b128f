#include "ir/op.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <type_traits>

#include "base/text.h"

namespace motley {
namespace {

// One spelling per enumerator, in the order of the enumeration.
constexpr std::array<std::string_view, 2> kRopePairings = {"half", "interleaved"};
constexpr std::array<std::string_view, 4> kActivations = {"silu", "gelu", "gelu_tanh", "relu"};
constexpr std::array<std::string_view, 5> kFinishes = {"none", "silu", "gelu", "gelu_tanh", "relu"};
constexpr std::array<std::string_view, 2> kPoolKinds = {"max", "average"};
constexpr std::array<std::string_view, 2> kActivationFormats = {"f32", "q8_32"};

template <class E>
constexpr auto& spellings() {
  if constexpr (std::is_same_v<E, RopePairing>)
    return kRopePairings;
  else if constexpr (std::is_same_v<E, Activation>)
    return kActivations;
  else if constexpr (std::is_same_v<E, Finish>)
    return kFinishes;
  else if constexpr (std::is_same_v<E, PoolKind>)
    return kPoolKinds;
  else
    return kActivationFormats;
}

// The shortest text that reads back as the same number.
template <class V>
std::string number(V v) {
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  return std::string(buffer, end);
}

template <class V>
std::string show(const V& v) {
  if constexpr (std::is_same_v<V, bool>) {
    return v ? "true" : "false";
  } else if constexpr (std::is_integral_v<V>) {
    return fmt::format("{}", v);
  } else if constexpr (std::is_floating_point_v<V>) {
    return number(v);
  } else if constexpr (std::is_same_v<V, Dtype>) {
    return name(v);
  } else if constexpr (std::is_enum_v<V>) {
    return std::string(spellings<V>()[static_cast<size_t>(v)]);
  } else if constexpr (std::is_same_v<V, Dims>) {
    return fmt::format("[{}]", to_string(v));
  } else {
    std::string out = "[";
    for (size_t i = 0; i < v.size(); ++i) out += (i ? "," : "") + show(v[i]);
    return out + "]";
  }
}

template <class V>
bool read(std::string_view text, V& v) {
  if constexpr (std::is_floating_point_v<V>) {
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), v);
    return code == std::errc{} && end == text.data() + text.size() && !text.empty();
  } else if constexpr (std::is_same_v<V, bool>) {
    v = text == "true";
    return v || text == "false";
  } else if constexpr (std::is_integral_v<V>) {
    auto n = parse_int(text);
    if (n) v = static_cast<V>(*n);
    return n && static_cast<int64_t>(v) == *n;
  } else if constexpr (std::is_same_v<V, Dtype>) {
    auto d = parse_dtype(text);
    if (d) v = *d;
    return d.has_value();
  } else if constexpr (std::is_enum_v<V>) {
    for (size_t i = 0; i < spellings<V>().size(); ++i)
      if (spellings<V>()[i] == text) return v = static_cast<V>(i), true;
    return false;
  } else {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
    text = text.substr(1, text.size() - 2);
    if constexpr (std::is_same_v<V, Dims>) {
      auto dims = parse_dims(text);
      if (dims) v = *dims;
      return dims.has_value();
    } else {
      v.clear();
      if (text.empty()) return true;
      for (auto part : split(text, ',')) {
        typename V::value_type element{};
        if (!read(part, element)) return false;
        v.push_back(element);
      }
      return true;
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> fields(const Op& op) {
  std::vector<std::pair<std::string, std::string>> out;
  std::visit(
      [&](const auto& o) {
        std::apply([&](const auto&... m) { (out.emplace_back(m.first, show(o.*(m.second))), ...); }, std::decay_t<decltype(o)>::members());
      },
      op);
  return out;
}

bool parse_field(Op& op, std::string_view field, std::string_view value) {
  bool ok = false;
  std::visit(
      [&](auto& o) {
        std::apply([&](const auto&... m) { ((field == m.first ? void(ok = read(value, o.*(m.second))) : void()), ...); },
                   std::decay_t<decltype(o)>::members());
      },
      op);
  return ok;
}

bool operator==(const Op& a, const Op& b) { return a.index() == b.index() && fields(a) == fields(b); }

}  // namespace motley

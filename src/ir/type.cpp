#include "ir/type.h"

#include <fmt/core.h>

#include "base/text.h"

namespace motley {

Dims fixed(const Shape& shape) {
  Dims out;
  for (int64_t n : shape) out.push_back({n});
  return out;
}

Shape bind(const Dims& dims, const Sizes& sizes) {
  Shape out;
  for (const Dim& d : dims) out.push_back(sizes.of(d));
  return out;
}

int64_t max_elements(const Dims& dims) {
  int64_t n = 1;
  for (const Dim& d : dims) n *= d.n;
  return n;
}

int64_t max_bytes(const Type& type) { return row_bytes(type.dtype, max_elements(type.shape)); }

std::string to_string(const Dim& d) { return d.sym == Sym::none ? fmt::format("{}", d.n) : fmt::format("{}<={}", static_cast<char>(d.sym), d.n); }

std::string to_string(const Dims& dims) {
  std::string out;
  for (size_t i = 0; i < dims.size(); ++i) out += (i ? "," : "") + to_string(dims[i]);
  return out;
}

std::string to_string(const Type& type) { return fmt::format("{}[{}]", name(type.dtype), to_string(type.shape)); }

std::optional<Dim> parse_dim(std::string_view text) {
  Dim d;
  if (text.size() > 3 && text.substr(1, 2) == "<=") {
    if (text[0] != 'T' && text[0] != 'S' && text[0] != 'R') return std::nullopt;
    d.sym = static_cast<Sym>(text[0]);
    text.remove_prefix(3);
  }
  auto n = parse_int(text);
  if (!n || *n < 0) return std::nullopt;
  d.n = *n;
  return d;
}

std::optional<Dims> parse_dims(std::string_view text) {
  Dims out;
  if (text.empty()) return out;
  for (auto part : split(text, ',')) {
    auto d = parse_dim(part);
    if (!d) return std::nullopt;
    out.push_back(*d);
  }
  return out;
}

std::optional<Type> parse_type(std::string_view text) {
  auto open = text.find('[');
  if (open == text.npos || text.back() != ']') return std::nullopt;
  auto dtype = parse_dtype(text.substr(0, open));
  auto dims = parse_dims(text.substr(open + 1, text.size() - open - 2));
  if (!dtype || !dims) return std::nullopt;
  return Type{*dtype, *dims};
}

}  // namespace motley

// Arithmetic on numbers that come from a file or a request: a result that does not fit is no result.
//
//   auto bytes = checked_mul(rows, row_bytes);
//   if (!bytes || *bytes > remaining) fail(ErrorKind::file, ...);
#pragma once
#include <concepts>
#include <optional>

namespace motley {

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T r{};
  if (__builtin_add_overflow(a, b, &r)) return std::nullopt;
  return r;
}

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T r{};
  if (__builtin_mul_overflow(a, b, &r)) return std::nullopt;
  return r;
}

}  // namespace motley

// How an op's struct lists its attributes: once, by name and member.
//
//   struct Softcap {
//     float cap = 1;
//     MOTLEY_FIELDS(MOTLEY_F(Softcap, cap))
//   };
#pragma once
#include <tuple>
#include <utility>

#define MOTLEY_FIELDS(...) \
  static constexpr auto members() { return std::make_tuple(__VA_ARGS__); }
#define MOTLEY_F(T, f) \
  std::pair { #f, &T::f }

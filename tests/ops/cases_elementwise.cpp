#include <cmath>

#include "case.h"

namespace motley::exam {
namespace {

constexpr double kSmallest = 0x1p-126;

double at(const Checked& c, size_t input, int64_t i) { return c.in[input]->data[static_cast<size_t>(i)]; }

// Functions of one variable, over values around zero and far from it.
void add_unary(std::vector<Case>& cases, const char* name, Op op, Bound bound, bool positive = false) {
  for (int64_t width : {1, 37, 256}) {
    auto value = [=](int64_t i) {
      double scale = i % 3 == 0 ? 0.05 : i % 3 == 1 ? 1.5 : 12.0, x = normal(11, scale)(i);
      return positive ? std::fabs(x) + 1e-3 : x;
    };
    cases.push_back({std::string(name) + " " + std::to_string(width), op, {{rows_of(64, {width}), value}}, bound, 64});
  }
}

// |x| times some roundings: for functions that cancel, where an error relative to the result would ask for more than the formula gives.
Bound of_input(double roundings) {
  return [=](const Checked& c, size_t r) { return each(c, r, [&](int64_t i) { return roundings * kEps * std::fabs(at(c, 0, i)) + kSmallest; }); };
}

struct Broadcast {
  const char* name;
  Type a, b;
  int64_t rows;
};

void add_binary(std::vector<Case>& cases, const char* name, Op op, const Broadcast& b) {
  auto away_from_zero = [](int64_t i) {
    double x = normal(13)(i);
    return x + (x < 0 ? -0.1 : 0.1);
  };
  cases.push_back({std::string(name) + " " + b.name, op, {{b.a, normal(12)}, {b.b, away_from_zero}}, relative(1.01), b.rows});
}

}  // namespace

void add_elementwise(std::vector<Case>& cases, Depth depth) {
  std::vector<Broadcast> shapes = {
      {"same", rows_of(64, {5, 19}), rows_of(64, {5, 19}), 64},
      {"row", rows_of(64, {133}), plain({133}), 64},
      {"scalar", rows_of(64, {40}), plain({1}), 64},
      {"column", rows_of(64, {3, 21}), rows_of(64, {3, 1}), 64},
      {"left", plain({1}), rows_of(64, {17}), 64},
  };
  if (depth == Depth::full) {
    shapes.push_back({"middle", plain({4, 1, 33}), plain({4, 7, 33}), 0});
    shapes.push_back({"crossed", plain({9, 1, 5}), plain({1, 11, 1}), 0});
    shapes.push_back({"long", plain({20011}), plain({20011}), 0});
    shapes.push_back({"long row", plain({3, 9001}), plain({9001}), 0});
  }
  for (const Broadcast& b : shapes) {
    add_binary(cases, "add", Add{}, b);
    add_binary(cases, "sub", Sub{}, b);
    add_binary(cases, "mul", Mul{}, b);
    add_binary(cases, "div", Div{}, b);
    add_binary(cases, "maximum", Maximum{}, b);
    add_binary(cases, "less", Less{}, b);
  }
  add_unary(cases, "neg", Neg{}, exact());
  add_unary(cases, "exp", Exp{}, relative(4, kSmallest));
  add_unary(cases, "log", Log{}, relative(2.1), true);
  add_unary(cases, "sqrt", Sqrt{}, relative(1.01), true);
  add_unary(cases, "rsqrt", Rsqrt{}, relative(2.1), true);
  add_unary(cases, "tanh", Tanh{}, relative(6));
  add_unary(cases, "erf", Erf{}, relative(6));
  add_unary(cases, "sigmoid", Sigmoid{}, relative(6, kSmallest));
  add_unary(cases, "act silu", Act{Activation::silu}, relative(7, kSmallest));
  add_unary(cases, "act gelu", Act{Activation::gelu}, of_input(6));
  add_unary(cases, "act gelu_tanh", Act{Activation::gelu_tanh}, of_input(10));
  add_unary(cases, "act relu", Act{Activation::relu}, exact());
  add_unary(cases, "softcap", Softcap{30.0f}, relative(8));

  for (Activation kind : {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
    Bound bound = [](const Checked& c, size_t r) {
      return each(c, r, [&](int64_t i) { return 12 * kEps * std::fabs(at(c, 0, i) * at(c, 1, i)) + kSmallest; });
    };
    cases.push_back({"glu " + std::to_string(static_cast<int>(kind)),
                     Glu{kind},
                     {{rows_of(64, {75}), normal(14, 3)}, {rows_of(64, {75}), normal(15)}},
                     bound,
                     64});
  }
  for (Dtype from : {Dtype::f16, Dtype::bf16, Dtype::i32, Dtype::f32})
    cases.push_back({std::string("cast ") + motley::name(from) + " f32",
                     Cast{Dtype::f32},
                     {{plain({7, 33}, from), from == Dtype::i32 ? uniform_int(16, 1000) : normal(16)}},
                     exact()});
}

}  // namespace motley::exam

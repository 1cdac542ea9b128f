// How fast one thread packs floats into each format and unpacks them, on 1 Mi elements of the size weights have.
//
//   build/bench/bench/quant_pack [FORMAT...]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "quant/format.h"

namespace {

template <class F>
double best_seconds(int rounds, F f) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    auto begin = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace motley;
  constexpr int64_t kElements = 1 << 20;
  std::vector<float> x(kElements), y(kElements);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0.02f * philox_normal(1, 0, i);
  for (const auto& d : dtypes()) {
    if (!d.quantised && (d.dtype == Dtype::f64 || !is_float(d.dtype))) continue;
    if (argc > 1 && std::none_of(argv + 1, argv + argc, [&](std::string_view arg) { return arg == d.name; })) continue;
    const Format& f = format(d.dtype);
    std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(d.dtype, kElements)));
    double pack = best_seconds(3, [&] { f.pack(x.data(), bytes.data(), kElements); });
    double unpack = best_seconds(5, [&] { f.unpack(bytes.data(), y.data(), kElements); });
    fmt::print("{{\"bench\":\"quant/pack\",\"type\":\"{}\",\"pack_ns_per_element\":{:.2f},\"unpack_ns_per_element\":{:.2f}}}\n", d.name,
               pack / kElements * 1e9, unpack / kElements * 1e9);
  }
}

// How fast one thread encodes the first million bytes of a text, the first time (no word met before) and at its best, and decodes them.
//
//   build/bench/bench/io_tokenizer_encode TOKENIZER TEXT
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/file.h"
#include "io/tokenizer/tokenizer.h"
#include "motley/error.h"

namespace {

template <class F>
double seconds(F f) {
  auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace motley;
  if (argc != 3) {
    fmt::print(stderr, "usage: {} TOKENIZER TEXT\n", argv[0]);
    return 2;
  }
  try {
    std::shared_ptr<const Tokenizer> tokenizer;
    double load = seconds([&] { tokenizer = Tokenizer::load(argv[1]); });
    std::string text = read_file(argv[2], uint64_t{1} << 30).substr(0, 1'000'000);
    std::vector<int32_t> ids;
    auto encode = [&] { ids = tokenizer->encode(text, {.add_special = false}); };
    double first = seconds(encode), best = first, decode = 1e9;
    for (int i = 0; i < 9; ++i) best = std::min(best, seconds(encode));
    for (int i = 0; i < 5; ++i) decode = std::min(decode, seconds([&] { tokenizer->decode(ids); }));
    double megabytes = static_cast<double>(text.size()) * 1e-6;
    fmt::print(
        "{{\"bench\":\"io/tokenizer/encode\",\"tokenizer\":\"{}\",\"bytes\":{},\"tokens\":{},\"load_s\":{:.3f},\"first_mb_s\":{:.1f},"
        "\"encode_mb_s\":{:.1f},\"decode_mb_s\":{:.1f}}}\n",
        argv[1], text.size(), ids.size(), load, megabytes / first, megabytes / best, megabytes / decode);
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.kind());
  }
}

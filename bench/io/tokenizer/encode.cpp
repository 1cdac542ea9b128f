// How fast one thread encodes the first million bytes of a text: the first time (no word met before), then as one text and line by line,
// and how fast it decodes them. Medians of five, in processor time.
//
//   build/bench/bench/io_tokenizer_encode TOKENIZER TEXT
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/tokenizer/tokenizer.h"
#include "motley/error.h"

namespace {

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class F>
double seconds(F f) {
  const double begin = processor_seconds();
  f();
  return processor_seconds() - begin;
}

template <class F>
double median(F f) {
  std::array<double, 5> times{};
  for (double& t : times) t = seconds(f);
  std::ranges::sort(times);
  return times[times.size() / 2];
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
    std::vector<std::string_view> lines;
    for (size_t begin = 0; begin < text.size();) {
      size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
      lines.push_back(std::string_view(text).substr(begin, end - begin));
      begin = end;
    }
    std::vector<int32_t> ids;
    size_t line_ids = 0;
    auto encode = [&] { ids = tokenizer->encode(text, {.add_special = false}); };
    auto encode_lines = [&] {
      line_ids = 0;
      for (std::string_view line : lines) line_ids += tokenizer->encode(line, {.add_special = false}).size();
    };
    double first = seconds(encode), whole = median(encode), by_line = median(encode_lines), decode = median([&] { tokenizer->decode(ids); });
    double megabytes = static_cast<double>(text.size()) * 1e-6;
    fmt::print(
        "{{\"bench\":\"io/tokenizer/encode\",\"tokenizer\":\"{}\",\"bytes\":{},\"tokens\":{},\"line_tokens\":{},\"load_s\":{:.3f},"
        "\"first_mb_s\":{:.1f},\"encode_mb_s\":{:.1f},\"lines_mb_s\":{:.1f},\"decode_mb_s\":{:.1f}}}\n",
        argv[1], text.size(), ids.size(), line_ids, load, megabytes / first, megabytes / whole, megabytes / by_line, megabytes / decode);
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.kind());
  }
}

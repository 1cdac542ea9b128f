// The long form of the op exam.
//
//   op_exam                     every case, shape and instruction set against the reference, and rows bit by bit; exit 1 when one fails
//   op_exam --support           which kernel takes each case, or why none does
//   op_exam --speed [FILTER]    one JSON line per measurement
//   options: --isa NAME, --threads N, --filter TEXT
#include <fmt/core.h>

#include <cstring>
#include <string>
#include <vector>

#include "backends/cpu/device.h"
#include "backends/cpu/isa.h"
#include "base/error.h"
#include "base/text.h"
#include "run.h"
#include "speed.h"

namespace motley::exam {
namespace {

struct Arguments {
  enum { agree, support, speed } mode = agree;
  std::string filter, isa;
  int threads = 2;
};

bool parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool more = i + 1 < argc;
    if (word == "--support") {
      a.mode = Arguments::support;
    } else if (word == "--speed") {
      a.mode = Arguments::speed;
      if (more && argv[i + 1][0] != '-') a.filter = argv[++i];
    } else if (word == "--filter" && more) {
      a.filter = argv[++i];
    } else if (word == "--isa" && more) {
      a.isa = argv[++i];
    } else if (word == "--threads" && more) {
      a.threads = static_cast<int>(parse_int(argv[++i]).value_or(0));
      if (a.threads < 1) return false;
    } else {
      return false;
    }
  }
  return true;
}

// Whether the case passes on both devices; prints what does not.
bool examine(const Case& c, const Reference& expected, Device& one, Device& two) {
  const char* isa = two.target().isa.c_str();
  Answer all = ask(two, c, c.rows, 0);
  bool good = true;
  if (std::string wrong = disagreement(c, expected, all); !wrong.empty()) {
    fmt::print("FAIL {} {} {}: {}\n", isa, all.kernel, c.name, wrong);
    good = false;
  }
  std::vector<std::pair<int64_t, int64_t>> parts = {{c.rows, 0}};
  if (c.rows) parts.insert(parts.end(), {{7, 0}, {7, 30}, {1, 0}, {1, 53}, {13, 20}, {2, 62}});
  for (auto [rows, first] : parts)
    for (Device* d : {&one, &two}) {
      Answer part = ask(*d, c, rows, first);
      for (size_t r = 0; r < all.results.size(); ++r) {
        size_t offset = c.rows ? all.results[r].size() / static_cast<size_t>(c.rows) * static_cast<size_t>(first) : 0;
        if (std::memcmp(part.results[r].data(), all.results[r].data() + offset, part.results[r].size() * 4) == 0) continue;
        fmt::print("FAIL {} {} {}: rows {} to {} on {} threads have other bits\n", isa, all.kernel, c.name, first, first + rows, d->target().threads);
        good = false;
      }
    }
  return good;
}

int agree(const Arguments& a) {
  std::vector<std::string> isas;
  for (cpu::Isa isa : cpu::usable_isas())
    if (a.isa.empty() || a.isa == cpu::name(isa)) isas.push_back(cpu::name(isa));
  std::vector<std::unique_ptr<Device>> ones, twos;
  for (const std::string& isa : isas)
    for (bool packed : {true, false}) {
      ones.push_back(make_cpu_device({.threads = 1, .isa = isa, .packed = packed}));
      twos.push_back(make_cpu_device({.threads = 2, .isa = isa, .packed = packed}));
    }
  int failed = 0, asked = 0;
  for (const Case& c : exam_cases(Depth::full)) {
    if (c.name.find(a.filter) == std::string::npos) continue;
    Reference expected = reference(c, c.rows, 0);
    for (size_t d = 0; d < ones.size(); ++d, ++asked) failed += !examine(c, expected, *ones[d], *twos[d]);
  }
  fmt::print("{} questions to {} devices, {} failed\n", asked, ones.size(), failed);
  return failed ? 1 : 0;
}

int support(const Arguments& a) {
  auto device = make_cpu_device({.threads = 1, .isa = a.isa});
  for (const Case& c : exam_cases(Depth::full)) {
    if (c.name.find(a.filter) == std::string::npos) continue;
    try {
      fmt::print("{}: {}\n", c.name, make_ready(*device, c, c.rows, 0).kernel);
    } catch (const Error& e) {
      fmt::print("{}: {}\n", c.name, e.what());
    }
  }
  return 0;
}

}  // namespace
}  // namespace motley::exam

int main(int argc, char** argv) {
  using namespace motley::exam;
  Arguments a;
  if (!parse(argc, argv, a)) {
    fmt::print(stderr, "usage: op_exam [--support | --speed [FILTER]] [--filter TEXT] [--isa NAME] [--threads N]\n");
    return 2;
  }
  try {
    if (a.mode == Arguments::speed) return measure_speed(a.filter, a.threads, a.isa), 0;
    return a.mode == Arguments::support ? support(a) : agree(a);
  } catch (const motley::Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.kind());
  }
}

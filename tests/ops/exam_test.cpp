// The short form of the op exam: every kernel of the CPU on every instruction set this machine has.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <ostream>
#include <set>

#include "backends/cpu/device.h"
#include "backends/cpu/isa.h"
#include "base/error.h"
#include "ir/text.h"
#include "run.h"

namespace motley::exam {
namespace {

struct Candidate {
  std::string isa;
  bool packed;
  std::string name() const { return isa + (packed ? "_panels" : "_plain"); }
};
void PrintTo(const Candidate& c, std::ostream* out) { *out << c.name(); }

class OpExam : public testing::TestWithParam<Candidate> {
 protected:
  std::unique_ptr<Device> device(int threads) { return make_cpu_device({.threads = threads, .isa = GetParam().isa, .packed = GetParam().packed}); }
};

// References are slow and the same for every device.
const Reference& cached_reference(const Case& c, size_t index) {
  static std::map<size_t, Reference> all;
  auto it = all.find(index);
  if (it == all.end()) it = all.emplace(index, reference(c, c.rows, 0)).first;
  return it->second;
}

TEST_P(OpExam, AgreesWithTheReferenceWithinRounding) {
  auto two = device(2);
  auto cases = exam_cases(Depth::brief);
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(disagreement(cases[i], cached_reference(cases[i], i), ask(*two, cases[i], cases[i].rows, 0)), "") << cases[i].name;
}

TEST_P(OpExam, ARowHasTheSameBitsWhateverIsBesideIt) {
  auto one = device(1), two = device(2);
  for (const Case& c : exam_cases(Depth::brief)) {
    Answer all = ask(*two, c, c.rows, 0);
    auto same = [&](Device& d, int64_t rows, int64_t first) {
      Answer part = ask(d, c, rows, first);
      for (size_t r = 0; r < all.results.size(); ++r) {
        size_t offset = c.rows ? all.results[r].size() / static_cast<size_t>(c.rows) * static_cast<size_t>(first) : 0;
        EXPECT_EQ(std::memcmp(part.results[r].data(), all.results[r].data() + offset, part.results[r].size() * 4), 0)
            << c.name << ": rows " << first << " to " << first + rows << " on " << d.target().threads << " threads, result " << r;
      }
    };
    same(*one, c.rows, 0);
    if (c.rows == 0) continue;
    same(*one, 7, 0);
    same(*two, 7, 30);
    same(*one, 1, 0);
    same(*two, 1, 53);
  }
}

TEST_P(OpExam, NoKernelIsLeftOut) {
  auto two = device(2);
  std::set<std::string> used;
  for (const Case& c : exam_cases(Depth::brief)) used.insert(make_ready(*two, c, c.rows ? 1 : 0, 0).kernel);
  for (const KernelInfo& k : two->target().kernels) {
    bool other_layout = std::string_view(k.name).ends_with(GetParam().packed ? "_plain" : "_panel");
    EXPECT_TRUE(other_layout || used.contains(k.name)) << k.name;
  }
}

std::vector<Candidate> candidates() {
  std::vector<Candidate> all;
  for (cpu::Isa isa : cpu::usable_isas())
    for (bool packed : {true, false}) all.push_back({cpu::name(isa), packed});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Cpu, OpExam, testing::ValuesIn(candidates()), [](const auto& p) { return p.param.name(); });

TEST(OpExamItself, NoticesAWrongElement) {
  // An exam that cannot fail proves nothing: one element off by three bounds must be named.
  Case c = exam_cases(Depth::brief)[0];
  Reference ref = reference(c, 4, 0);
  Answer a;
  for (const RefValue& v : ref.out) a.results.emplace_back(v.data.begin(), v.data.end());
  EXPECT_EQ(disagreement(c, ref, a), "");
  a.results[0][3] *= 1 + 0x1p-21f;
  EXPECT_NE(disagreement(c, ref, a).find("element 3"), std::string::npos);
}

TEST(OpExamItself, RefusesAnIdOutsideItsTable) {
  auto cpu = make_cpu_device({.threads = 2});
  for (const Case& c : exam_cases(Depth::brief)) {
    if (!std::holds_alternative<Gather>(c.op)) continue;
    Case bad = c;
    bad.in[1].value = [](int64_t) { return 37.0; };
    EXPECT_THROW(ask(*cpu, bad, 3, 0), Error);
    EXPECT_EQ(ask(*cpu, c, 3, 0).results.size(), 1u);  // the device goes on after a failed step
    break;
  }
}

}  // namespace
}  // namespace motley::exam

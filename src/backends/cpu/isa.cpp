#include "backends/cpu/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/error.h"
#include "base/text.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace motley::cpu {

// One line per folder of objects; CMake compiles kernels/ for exactly these.
namespace scalar {
void fill_table(KernelTable& table);
}
#if defined(__x86_64__)
namespace avx2 {
void fill_table(KernelTable& table);
}
namespace avx512 {
void fill_table(KernelTable& table);
}
namespace avx512_vnni {
void fill_table(KernelTable& table);
}
#elif defined(__aarch64__)
namespace neon {
void fill_table(KernelTable& table);
}
namespace neon_dotprod {
void fill_table(KernelTable& table);
}
#endif

namespace {

struct Entry {
  Isa isa;
  const char* name;
  void (*fill)(KernelTable& table);
};

constexpr Entry kEntries[] = {
    {Isa::scalar, "scalar", scalar::fill_table},
#if defined(__x86_64__)
    {Isa::avx2, "avx2", avx2::fill_table},
    {Isa::avx512, "avx512", avx512::fill_table},
    {Isa::avx512_vnni, "avx512_vnni", avx512_vnni::fill_table},
#elif defined(__aarch64__)
    {Isa::neon, "neon", neon::fill_table},
    {Isa::neon_dotprod, "neon_dotprod", neon_dotprod::fill_table},
#endif
};

#if defined(__x86_64__)
// The registers that the system saves when it switches threads: without them an instruction set is there but cannot be used.
bool system_saves(uint32_t mask) {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return false;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & mask) == mask;
}

bool has_avx2() {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_AVX) || !(ecx & bit_FMA) || !(ecx & bit_F16C)) return false;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_AVX2) && system_saves(0x6);
}

bool has_avx512(bool vnni) {
  unsigned eax, ebx, ecx, edx;
  if (!has_avx2() || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  constexpr unsigned kNeeded = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  return (ebx & kNeeded) == kNeeded && (!vnni || (ecx & bit_AVX512VNNI)) && system_saves(0xE6);
}
#endif

}  // namespace

const char* name(Isa isa) {
  constexpr std::array kNames = {"scalar", "avx2", "avx512", "avx512_vnni", "neon", "neon_dotprod"};
  return kNames[static_cast<size_t>(isa)];
}

std::vector<Isa> compiled_isas() {
  std::vector<Isa> out;
  for (const Entry& e : kEntries) out.push_back(e.isa);
  return out;
}

bool runs_here(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
#if defined(__x86_64__)
    case Isa::avx2:
      return has_avx2();
    case Isa::avx512:
      return has_avx512(false);
    case Isa::avx512_vnni:
      return has_avx512(true);
#elif defined(__aarch64__)
    case Isa::neon:
      return true;
    case Isa::neon_dotprod:
      return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
    default:
      return false;
  }
}

const char* needs(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "nothing";
    case Isa::avx2:
      return "AVX2, FMA and F16C, with the system saving their registers";
    case Isa::avx512:
      return "AVX-512 F, BW, DQ and VL, with the system saving their registers";
    case Isa::avx512_vnni:
      return "AVX-512 F, BW, DQ, VL and VNNI, with the system saving their registers";
    case Isa::neon:
      return "NEON";
    case Isa::neon_dotprod:
      return "NEON with dot products (asimddp)";
  }
  return "";
}

std::vector<Isa> usable_isas() {
  std::vector<Isa> out;
  for (Isa isa : compiled_isas())
    if (runs_here(isa)) out.push_back(isa);
  return out;
}

Isa choose_isa(std::string_view forced) {
  if (forced.empty())
    if (const char* variable = std::getenv("MOTLEY_ISA")) forced = variable;
  std::vector<Isa> usable = usable_isas();
  if (forced.empty()) return usable.back();
  std::string wanted = lower_ascii(forced), names;
  for (Isa isa : usable) {
    if (wanted == name(isa)) return isa;
    names += (names.empty() ? "" : ", ") + std::string(name(isa));
  }
  for (Isa isa : compiled_isas())
    if (wanted == name(isa)) fail(ErrorKind::device, "cpu", "this processor does not run {}; choose one of {}", wanted, names);
  fail(ErrorKind::usage, "cpu", "MOTLEY_ISA is '{}', which is no instruction set of this program; choose one of {}", printable(forced), names);
}

namespace {

ReadAhead read_ahead() {
#if defined(__x86_64__)
  unsigned eax, ebx, ecx, edx;
  if (__get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx) return {.row = 8192, .row_of_bytes = 8192, .rows = 8192, .pairs = true};
#endif
  return {};
}

}  // namespace

const KernelTable& kernel_table(Isa isa) {
  constexpr size_t kCount = 6;
  static std::array<KernelTable, kCount> tables;
  static std::array<std::once_flag, kCount> filled;
  auto at = static_cast<size_t>(isa);
  for (const Entry& e : kEntries)
    if (e.isa == isa)
      std::call_once(filled[at], [&] {
        e.fill(tables[at]);
        tables[at].ahead = read_ahead();
      });
  return tables[at];
}

std::string processor_name() {
#if defined(__x86_64__)
  if (static_cast<unsigned>(__get_cpuid_max(0x80000000u, nullptr)) >= 0x80000004u) {
    char text[49] = {};
    for (unsigned i = 0; i < 3; ++i) {
      unsigned r[4];
      __get_cpuid(0x80000002u + i, &r[0], &r[1], &r[2], &r[3]);
      std::memcpy(text + 16 * i, r, 16);
    }
    if (std::string_view trimmed = trim(text); !trimmed.empty()) return std::string(trimmed);
  }
  return "x86-64 processor";
#else
  return "arm64 processor";
#endif
}

}  // namespace motley::cpu

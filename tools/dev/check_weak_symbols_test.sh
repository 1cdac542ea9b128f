# Shows that check_weak_symbols.sh tells a kernel that keeps to its namespace from one that does not.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v nm >/dev/null || { echo "SKIP: needs nm (package binutils)"; exit 77; }
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
folder=$build/src/backends/cpu/CMakeFiles/motley_cpu_kernels_avx2.dir
mkdir -p "$folder"

# verdict EXPECTED SOURCE: a kernel object made of SOURCE is `refused` or `passes`.
verdict() {
  local came=passes
  printf '%s\n' "$2" | "${CXX:-c++}" -std=c++20 -O0 -x c++ -c - -o "$folder/kernel.o"
  bash "$here/check_weak_symbols.sh" "$build" >"$build/out" 2>&1 || came=refused
  [ "$came" = "$1" ] && return 0
  printf 'expected %s, came %s:\n%s\n' "$1" "$came" "$2"
  cat "$build/out"
  exit 1
}

verdict passes  'namespace motley::cpu::avx2 { float dot(const float* x, int n) { return n ? x[0] : 0; } }'
verdict passes  'namespace motley::cpu::avx2 { inline float twice(float x) { return x + x; } float f(float x) { return twice(x); } }'
verdict passes  'static float twice(float x) { return x + x; } namespace motley::cpu::avx2 { float f(float x) { return twice(x); } }'
verdict refused 'namespace motley::cpu { float dot(const float* x, int n) { return n ? x[0] : 0; } }'
verdict refused 'namespace motley::cpu::avx512 { float dot(const float* x, int n) { return n ? x[0] : 0; } }'
verdict refused 'inline float twice(float x) { return x + x; } namespace motley::cpu::avx2 { float f(float x) { return twice(x); } }'
verdict refused '#include <vector>
namespace motley::cpu::avx2 { void f(std::vector<float>& x) { x.push_back(1); } }'
echo "check_weak_symbols.sh judged all examples as it should"

# aarch64.sh BUILD_FOLDER: compiles the folders a CPU kernel lives on for 64-bit Arm, and runs their tests under qemu-user.
# 77 (skip) where the cross compiler, the emulator or GoogleTest's source is missing.
set -euo pipefail
source_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1
for program in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$program" >/dev/null || { echo "SKIP: needs $program (tools/packages/test.txt)"; exit 77; }
done
[ -d /usr/src/googletest/googletest ] || { echo "SKIP: needs GoogleTest's source (package googletest)"; exit 77; }

cmake -S "$source_folder" -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$source_folder/cmake/aarch64.cmake" \
  -DMOTLEY_FOLDERS="base;tensor;quant;ir;ops;target;program;runtime;backends/cpu" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
cmake --build "$build" -j "$(nproc)" >"$build.log" 2>&1 || { tail -n 60 "$build.log"; exit 1; }
# Tests that emulation makes slow without making them truer are left out by their name: timing, and anything labelled so.
ctest --test-dir "$build" -j "$(nproc)" --output-on-failure --no-tests=error -LE project

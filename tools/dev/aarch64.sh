# aarch64.sh BUILD_FOLDER: compiles the CPU backend and the folders it stands on for 64-bit Arm, and runs the op exam under qemu-user:
# every kernel of the NEON sets against the reference.
# 77 (skip) where the cross compiler, the emulator or GoogleTest's source is missing.
set -euo pipefail
source_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1
for program in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$program" >/dev/null || { echo "SKIP: needs $program (tools/packages/test.txt)"; exit 77; }
done
[ -d /usr/src/googletest/googletest ] || { echo "SKIP: needs GoogleTest's source (package googletest)"; exit 77; }

cmake -S "$source_folder" -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$source_folder/cmake/aarch64.cmake" \
  -DMOTLEY_FOLDERS="base;tensor;quant;ir;ops;target;passes;program;runtime;backends/cpu" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
# Only what the exam and the formats' own tests need: the other tests have run on this machine, and say nothing about Arm.
cmake --build "$build" -j "$(nproc)" --target op_exam quant_test >"$build.log" 2>&1 || { tail -n 60 "$build.log"; exit 1; }
ctest --test-dir "$build" -j "$(nproc)" --output-on-failure --no-tests=error -R '^Formats|^Activations'

# Emulation is some twenty times slower than the machine, so of the exam's shapes each product format is asked one (54 columns), with and
# without what is fused to it; and every op of a model's forward pass that is no product.
for isa in neon neon_dotprod; do
  for part in ' 54x' rms_norm softmax rope paged_attention act; do
    echo "$isa, $part:"
    qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/tests/ops/op_exam" --isa "$isa" --threads 1 --filter "$part"
  done
done

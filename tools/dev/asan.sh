# ./dev asan [CTEST ARGUMENTS]: the tests under AddressSanitizer and UndefinedBehaviorSanitizer.
# Left out: label `qemu` (emulation of instrumented programs) and `cross` (compiles for another machine, which has its own run).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build test
build asan
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:allocator_may_return_null=0
export UBSAN_OPTIONS=print_stacktrace=1
run_ctest build/asan -LE 'qemu|cross|project' "$@"

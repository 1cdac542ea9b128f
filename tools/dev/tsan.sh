# ./dev tsan [CTEST ARGUMENTS]: the tests under ThreadSanitizer. Only suites in which threads meet are worth its tenfold slowness.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build test
build tsan
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
run_ctest build/tsan -LE 'qemu|cross|project' -R "$(grep -v '^#' tools/dev/tsan_suites.txt | paste -sd'|')" "$@"

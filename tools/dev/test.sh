# ./dev test [CTEST ARGUMENTS]: builds and runs every test. The ten slowest are printed, then ctest's summary, which comes last.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build test
build test
run_ctest build/test "$@"

# ./dev build [PRESET]: the program, at build/release/motley; with another preset of CMakePresets.json, everything that preset builds.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
preset=${1:-release}
case "$preset" in
  release | bench) need build ;;
  fuzz) need build tools ;;
  *) need build test ;;
esac
build "$preset"
[ "$preset" != release ] || say "the program: build/release/motley"

# ./dev fuzz [SECONDS] [NAME]: each reader of untrusted bytes under libFuzzer with address and undefined sanitizers, SECONDS each (60), in
# at most 1 GiB. Inputs it finds interesting are kept in build/fuzz/corpus; one that breaks a reader is kept in build/fuzz/broken and ends
# the run with status 1: it belongs, made small, into tests/fuzz/corpus/NAME.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
seconds=${1:-60} only=${2:-}
case "$seconds" in '' | *[!0-9]*) die "fuzz: expected a number of seconds, not '$seconds'" ;; esac
need build tools
build fuzz
broken=()
for program in build/fuzz/tests/fuzz/fuzz_*; do
  name=${program##*/fuzz_}
  [ -x "$program" ] && [ -z "$only" -o "$only" = "$name" ] || continue
  mkdir -p "build/fuzz/corpus/$name" "build/fuzz/broken"
  say "fuzz $name, $seconds s"
  # -timeout: one input may take 10 s with sanitizers; -max_len: readers see headers, not gigabytes.
  "$program" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -max_len=65536 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="build/fuzz/broken/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" 2>"build/fuzz/$name.log" || broken+=("$name")
  grep -E 'ERROR|SUMMARY|number_of_executed_units|new_units_added|peak_rss_mb|Test unit written' "build/fuzz/$name.log" || true
done
[ ${#broken[@]} = 0 ] || die "broken by some input: ${broken[*]} (build/fuzz/NAME.log, build/fuzz/broken)"
say "no reader was broken"

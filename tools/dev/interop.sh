# ./dev interop [NAME...]: what other programs make of our files, and we of theirs: every tools/interop/NAME.py, in a virtual environment
# with the packages of tools/interop/requirements.txt. A script finds the program in $MOTLEY and the shared material in $MOTLEY_SHARED, and
# returns 77 when it cannot run here.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build tools
build release
virtual_environment tools/interop/requirements.txt
export MOTLEY=$root/build/release/motley MOTLEY_SHARED=$shared
passed=0 skipped=0 failed=()
for script in tools/interop/*.py; do
  name=$(basename "$script" .py)
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  say "interop $name"
  status=0
  build/venv/bin/python "$script" || status=$?
  case $status in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed+=("$name") ;;
  esac
done
say "$passed passed, $skipped skipped, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} = 0 ] && [ $((passed + skipped)) -gt 0 ]

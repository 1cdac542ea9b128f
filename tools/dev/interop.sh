# ./dev interop [NAME...] [--FLAG...]: what other programs make of our files, and we of theirs: every tools/interop/NAME.py, in a virtual
# environment with the packages of tools/interop/requirements.txt. A script finds the program in $MOTLEY and the shared material in
# $MOTLEY_SHARED, and returns 77 when it cannot run here. Flags go to the scripts. llama.cpp takes half an hour to compile, so it is installed
# only where a script that imports it is named.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build tools
build release
virtual_environment tools/interop/requirements.txt
export MOTLEY=$root/build/release/motley MOTLEY_SHARED=$shared
flags=() names=()
for word in "$@"; do
  if [[ $word == --* ]]; then flags+=("$word"); else names+=("$word"); fi
done
for name in "${names[@]}"; do
  [ -e "tools/interop/$name.py" ] || die "there is no tools/interop/$name.py"
  if grep -q llama_cpp "tools/interop/$name.py"; then virtual_environment tools/bench/requirements.txt; fi
done
passed=0 skipped=0 failed=()
for script in tools/interop/*.py; do
  name=$(basename "$script" .py)
  if [ ${#names[@]} -gt 0 ] && [[ " ${names[*]} " != *" $name "* ]]; then continue; fi
  say "interop $name"
  status=0
  build/venv/bin/python "$script" "${flags[@]}" || status=$?
  case $status in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed+=("$name") ;;
  esac
done
say "$passed passed, $skipped skipped, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} = 0 ] && [ $((passed + skipped)) -gt 0 ]

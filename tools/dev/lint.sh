# ./dev lint [--all | FILE...]: the include table and the other checks of the repository, clang-format, clang-tidy. clang-tidy is slow, so
# it reads the files named, or all of src/ (--all), or without either the folders that meet bytes from strangers and what they stand on.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build test tools
need_clang_format
status=0
step() {
  say "$1"
  shift
  "$@" || status=1
}
step 'include table' bash tools/dev/check_includes.sh
step 'standard headers' bash tools/dev/check_std_headers.sh
step 'words' bash tools/dev/check_words.sh
step 'file length' bash tools/dev/check_file_length.sh
step 'map' bash tools/dev/check_map.sh
step 'packages' bash tools/dev/check_packages.sh
step 'scripts' bash -c 'for script in dev .ci/run tools/dev/*.sh; do bash -n "$script" || exit 1; done'

mapfile -t files < <(our_cpp_files)
step 'clang-format' "$clang_format" --dry-run -Werror "${files[@]}"

case "${1:-}" in
  '') mapfile -t tidy < <(find src/base src/tensor src/io -name '*.cpp' -not -name '*_test.cpp' | sort) ;;
  --all) mapfile -t tidy < <(find src -name '*.cpp' -not -name '*_test.cpp' | sort) ;;
  *) tidy=("$@") ;;
esac
build test
step 'weak symbols' bash tools/dev/check_weak_symbols.sh build/test
say "clang-tidy on ${#tidy[@]} files"
printf '%s\0' "${tidy[@]}" | xargs -0 -n 4 -P "$(jobs)" clang-tidy -p build/test --quiet --warnings-as-errors='*' 2>build/clang-tidy.log || status=1
[ "$status" = 0 ] && say "nothing to say"
exit "$status"

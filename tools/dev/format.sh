# ./dev format [FILE...]: clang-format on the files named, or on every file of ours.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need_clang_format
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(our_cpp_files); fi
"$clang_format" -i "${files[@]}"
say "formatted ${#files[@]} files"

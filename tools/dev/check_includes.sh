# check_includes.sh [ROOT]: reads the #include lines of ROOT/src against include_table.txt beside this script, and sees that only cli/
# prints or exits. Exit 1 and a line per violation: `file:line: what`.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/../..}"
mapfile -t files < <(find src -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.inc' \) | sort)
[ ${#files[@]} -gt 0 ] || { echo "check_includes: no source files in $PWD/src" >&2; exit 1; }
awk -v table="$here/include_table.txt" -f "$here/check_includes.awk" "${files[@]}"

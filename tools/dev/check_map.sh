# check_map.sh: docs/map.md has a line for every folder of src/ that holds files, and names no folder that does not exist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0
while read -r folder; do
  grep -qF "\`${folder#src/}/\`" docs/map.md || { echo "docs/map.md has no line for $folder"; status=1; }
done < <(find src -mindepth 2 -type f \( -name '*.cpp' -o -name '*.h' \) -printf '%h\n' | sort -u)
while read -r folder; do
  [ -d "src/$folder" ] || { echo "docs/map.md names src/$folder, which does not exist"; status=1; }
done < <(sed -n 's/^| `\([a-z_/]*\)\/` |.*/\1/p' docs/map.md)
[ "$status" = 0 ] && echo "docs/map.md and src/ agree"
exit "$status"

# check_words.sh: words that have no place in a finished file: notes to oneself, and paths of one person's machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# Spelled with a bracket so that this file does not find itself.
notes='TO[D]O|FIX[M]E|HA[C]K'
paths='(^|[^A-Za-z0-9_./-])/(ro[o]t|wo[r]k|Use[r]s)/'
status=0
list=$(git ls-files --cached --others --exclude-standard 2>/dev/null) || list=$(find . -type f -not -path './build/*' -not -path './.git/*')
while read -r file; do
  case "$file" in
    tests/*/corpus/* | *.png | *.gguf | *.safetensors | LICENSE) continue ;;
  esac
  [ -f "$file" ] || continue
  grep -nIEH -e "$notes" -e "$paths" "$file" && status=1
done <<<"$list"
[ "$status" = 0 ] && echo "no notes to oneself, no private paths"
exit "$status"

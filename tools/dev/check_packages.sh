# check_packages.sh: every line of tools/packages/*.txt is `name  # reason`, and in one list only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../tools/packages"
awk '
  /^#/ || /^$/ { next }
  !/^[a-z0-9][a-z0-9+.-]+ +# .+$/ { print FILENAME ":" FNR ": expected `name  # reason`, found: " $0; bad = 1; next }
  $1 in seen { print FILENAME ":" FNR ": " $1 " is already in " seen[$1]; bad = 1 }
  { seen[$1] = FILENAME; count++ }
  END { if (!bad) print count " packages, each with a reason"; exit bad }' ./*.txt

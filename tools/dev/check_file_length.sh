# check_file_length.sh: reports the length of our source files, and refuses one above 700 lines: it has become a folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folders=()
for folder in src include tests bench tools examples; do [ -d "$folder" ] && folders+=("$folder"); done
find "${folders[@]}" -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.inc' -o -name '*.sh' -o -name '*.py' \) -exec wc -l {} + |
  awk '$2 != "total" { print $1, $2 }' | sort -n | awk '
    { lines[NR] = $1; name[NR] = $2; if ($1 > 500) long++; if ($1 > 700) { print $2 ": " $1 " lines; split it by subject (the limit is 700)"; bad = 1 } }
    END {
      if (NR == 0) { print "no files found"; exit 1 }
      printf "%d files: median %d lines, nine in ten below %d, longest %d (%s), %d above 500\n",
             NR, lines[int((NR + 1) / 2)], lines[int(NR * 0.9 + 0.999)] + 1, lines[NR], name[NR], long
      exit bad
    }'

# The work of check_includes.sh: arguments are source files, variable `table` is the path of include_table.txt.

BEGIN {
  while ((getline line < table) > 0) {
    sub(/#.*/, "", line)
    if (line !~ /[^ \t]/) continue
    if (split(line, part, ":") < 2) { print table ": cannot read: " line; bad++; continue }
    if (split(part[1], head, " ") == 2 && head[2] == "never") {
      remember(never, head[1], part[2])
    } else if (head[2] == "only") {
      has_only[head[1]] = 1
      remember(only, head[1], part[2])
    } else {
      listed[head[1]] = 1
      remember(may, head[1], part[2])
      remember(may_in_tests, head[1], part[3])
    }
  }
  # A table that names a folder it does not describe is a typing error.
  for (pair in may) {
    split(pair, ends, SUBSEP)
    if (ends[2] != "*" && !(ends[2] in listed)) { print table ": " ends[1] " may include " ends[2] ", which has no line"; bad++ }
  }
}

FNR == 1 {
  files++
  folder = folder_of(substr(FILENAME, 5))
  is_test = FILENAME ~ /_test\.cpp$/
  if (folder == "") complain("its folder has no line in include_table.txt")
}

folder == "" { next }

/^[ \t]*#[ \t]*include/ {
  edges++
  if (match($0, /<[^>]+>/)) {
    header = substr($0, RSTART, RLENGTH)
    if ((folder, header) in never) complain(folder " may not include " header)
    if (folder in has_only && !((folder, header) in only) && !is_test) complain(folder " may include no system header but those listed, not " header)
    next
  }
  if (!match($0, /"[^"]+"/)) next
  header = substr($0, RSTART + 1, RLENGTH - 2)
  if (header ~ /^motley\//) next
  if ((folder, header) in never) { complain(folder " may not include " header); next }
  other = header ~ /\// ? folder_of(header) : folder
  if (other == "") complain("\"" header "\" is in no folder of the table")
  else if (other != folder && !((folder, other) in may) && !((folder, "*") in may) && !(is_test && (folder, other) in may_in_tests))
    complain(folder " may not include " other " (\"" header "\")")
  next
}

# Only cli prints or exits. Comments and string literals do not count.
folder != "cli" && !is_test && /print|cout|cerr|clog|puts|fputs|putchar|exit/ {
  code = $0
  gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
  sub(/\/\/.*/, "", code)
  if (code ~ /std::(cout|cerr|clog)|(fmt|std)::(v?print|println) *\(/ || code ~ /(^|[^A-Za-z0-9_>.])((std|fmt)::)?(printf|fprintf|vprintf|puts|fputs|putchar|exit|_exit|quick_exit|_Exit) *\(/)
    complain("only cli prints or exits: " trimmed($0))
}

END {
  if (bad) { printf "%d violations in %d files\n", bad, files; exit 1 }
  printf "%d #include lines in %d files agree with the table\n", edges, files
}

# The longest listed folder that is a prefix of this path, or "".
function folder_of(path,   at) {
  while (match(path, /\/[^\/]*$/)) {
    path = substr(path, 1, RSTART - 1)
    if (path in listed) return path
  }
  return ""
}

function remember(set, key, words,   word, i, n) {
  n = split(words, word, " ")
  for (i = 1; i <= n; i++) set[key, word[i]] = 1
}

function complain(what) {
  print FILENAME ":" FNR ": " what
  bad++
}

function trimmed(text) {
  sub(/^[ \t]+/, "", text)
  return text
}

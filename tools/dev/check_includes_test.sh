# Shows that check_includes.sh finds what it is there to find: each line below is a file that must be refused, or must pass.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0
examples=0

# verdict EXPECTED FILE LINE: a tree that holds only src/FILE with that line is `refused` or `passes`.
verdict() {
  local came=passes
  examples=$((examples + 1))
  rm -rf "$tree/src"
  mkdir -p "$(dirname "$tree/src/$2")"
  printf '%s\n' "$3" >"$tree/src/$2"
  bash "$here/check_includes.sh" "$tree" >"$tree/out" 2>&1 || came=refused
  [ "$came" = "$1" ] && return 0
  echo "src/$2 with \`$3\`: expected $1, came $came"
  cat "$tree/out"
  failures=$((failures + 1))
}

verdict passes  ops/norm.cpp               '#include "ir/op.h"'
verdict refused ops/norm.cpp               '#include "backends/cpu/norm.h"'
verdict refused nn/llama.cpp               '#include "runtime/device.h"'
verdict refused runtime/executor.cpp       '#include "passes/pipeline.h"'
verdict refused backends/cpu/device.cpp    '#include "nn/llama.h"'
verdict passes  backends/cpu/device.cpp    '#include "program/program.h"'
verdict passes  backends/cpu/device.cpp    '#include "target/target.h"'
verdict refused backends/cpu/device.cpp    '#include "passes/lower.h"'
verdict refused backends/cpu/device_test.cpp '#include "control/engine.h"'
verdict refused target/target.cpp          '#include "runtime/device.h"'
verdict refused passes/fuse.cpp            '#include <fstream>'
verdict refused passes/fuse.cpp            '#include <chrono>'
verdict refused passes/fuse.cpp            '#include "base/mapped_file.h"'
verdict refused serve/http.cpp             '#include "runtime/device.h"'
verdict passes  api/engine.cpp             '#include "backends/cpu/device.h"'
verdict refused cli/run.cpp                '#include "backends/cpu/device.h"'
verdict refused backends/cpu/kernels/dot.h '#include <vector>'
verdict refused backends/cpu/kernels/dot.h '#include "base/text.h"'
verdict passes  backends/cpu/kernels/dot.h '#include <immintrin.h>'
verdict refused novelty/thing.cpp          '#include <vector>'
verdict refused ops/norm.cpp               '#include "novelty/thing.h"'
verdict refused io/gguf.cpp                '  std::cerr << "bad file";'
verdict refused io/gguf.cpp                '  fmt::print("bad file");'
verdict refused io/gguf.cpp                '  exit(1);'
verdict refused io/gguf.cpp                '  fprintf(stderr, "bad file");'
verdict passes  io/gguf.cpp                '  snprintf(buffer, sizeof buffer, "%d", n);  // not printf(...)'
verdict passes  cli/run.cpp                '  std::cout << text;'

[ "$failures" = 0 ] && echo "check_includes.sh judged all $examples examples as it should"
exit $((failures > 0))

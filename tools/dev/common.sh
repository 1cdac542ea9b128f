# Sourced by the scripts of ./dev: where we are, how to say things, how to get packages, how to configure and build a preset.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
shared=${MOTLEY_SHARED:-$root/../shared}

say() { printf '%s\n' "-- $*" >&2; }
die() {
  printf '%s\n' "./dev: $*" >&2
  exit 1
}

# How many compilers at once: one per processor we may use, and at least 1 GiB of memory for each.
jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  echo $((memory < processors ? (memory < 1 ? 1 : memory) : processors))
}

# The names in tools/packages/NAME.txt: the first word of each line that is not a comment.
packages_in() { sed -e 's/#.*//' "tools/packages/$1.txt" | awk 'NF { print $1 }'; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root or sudo for: $*"
  fi
}

# Three tries, because a mirror that hiccups once should not end an hour of CI.
try_thrice() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    [ "$try" = 3 ] || sleep $((try * 10))
  done
  return 1
}

# need LIST...: installs the packages of these lists that are missing. Asks dpkg only (milliseconds) when nothing is.
need() {
  local list name missing=()
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: install the equivalents of tools/packages/*.txt yourself if the build stops"
    return 0
  fi
  for list in "$@"; do
    for name in $(packages_in "$list"); do
      [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
  done
  [ ${#missing[@]} = 0 ] && return 0
  say "installing ${missing[*]}"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  try_thrice as_root "${apt[@]}" update >&2 || say "apt-get update failed; trying with the package lists that are there"
  try_thrice as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null >&2 ||
    die "could not install ${missing[*]}; install them by hand and run this again"
}

# configure PRESET: only when it was never done, or the presets changed; ninja notices changes of the CMake files by itself.
configure() {
  local ninja=build/$1/build.ninja
  if [ ! -e "$ninja" ] || [ CMakePresets.json -nt "$ninja" ]; then
    say "configuring build/$1"
    mkdir -p build
    cmake --preset "$1" >"build/$1.configure.log" 2>&1 || {
      cat "build/$1.configure.log" >&2
      die "cmake --preset $1 failed"
    }
  fi
}

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  configure "$preset"
  say "building build/$preset"
  cmake --build "build/$preset" -j "$(jobs)" ${1:+--target "$@"} >&2
}

# run_ctest BUILD_FOLDER [CTEST ARGUMENTS]: ctest's own words, except that the ten slowest tests go in front of its summary.
run_ctest() {
  local folder=$1
  shift
  set +e
  ctest --test-dir "$folder" -j "$(nproc)" --output-on-failure --no-tests=error --no-label-summary "$@" 2>&1 | awk -f tools/dev/slowest.awk
  local status=${PIPESTATUS[0]}
  set -e
  return "$status"
}

# Every C++ file that is ours, committed or about to be.
our_cpp_files() { git ls-files --cached --others --exclude-standard -- '*.cpp' '*.h' '*.inc' | while read -r file; do [ -f "$file" ] && echo "$file"; done; }

# Versions of clang-format disagree in small ways; ours is that of Debian 12. Sets $clang_format.
need_clang_format() {
  command -v clang-format-14 >/dev/null || need tools
  clang_format=$(command -v clang-format-14 || command -v clang-format) || die "needs clang-format"
  "$clang_format" --version | grep -q 'version 14\.' || die "formatting is that of clang-format 14 (Debian 12); here is $("$clang_format" --version)"
}

# virtual_environment FILE [FOLDER]: FOLDER (build/venv) with the PyPI packages that FILE lists, installed again when the list is newer.
virtual_environment() {
  local folder=${2:-build/venv}
  local ready=$folder/$(tr / . <<<"$1").ready
  [ -e "$ready" ] && [ ! "$1" -nt "$ready" ] && return
  say "installing the Python packages of $1 into $folder"
  [ -e "$folder/bin/python" ] || /usr/bin/python3 -m venv "$folder"
  try_thrice "$folder/bin/pip" install --quiet -r "$1" >&2 || die "pip could not install $1"
  touch "$ready"
}

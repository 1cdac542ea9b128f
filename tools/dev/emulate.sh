# emulate.sh PROGRAM CPU: runs the program as an older x86-64 processor under qemu-user, so that an instruction compiled for a newer one
# and reached by accident ends here and not on somebody's machine. 77 (skip) where there is no emulator for this machine.
set -euo pipefail
program=$1 cpu=$2
[ "$(uname -m)" = x86_64 ] || { echo "SKIP: the program is not for x86-64"; exit 77; }
command -v qemu-x86_64 >/dev/null || { echo "SKIP: needs qemu-x86_64 (package qemu-user)"; exit 77; }
model=${MOTLEY_SHARED:-$(dirname "${BASH_SOURCE[0]}")/../../../shared}/data/weights/stories260K/stories260K.gguf

emulated() { timeout 300 qemu-x86_64 -cpu "$cpu" "$program" "$@"; }
emulated --version
emulated devices
[ -f "$model" ] || { echo "no ../shared/data/weights/stories260K: --version and devices only"; exit 0; }
here=$("$program" run "$model" -p 'Once upon a time' -n 24 --temp 0)
there=$(emulated run "$model" -p 'Once upon a time' -n 24 --temp 0)
printf '%s\n' "$there"
[ -n "$there" ] && [ "$there" = "$here" ] || { printf 'here it wrote:\n%s\n' "$here"; exit 1; }

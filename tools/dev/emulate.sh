# emulate.sh PROGRAM CPU ISA: runs the program as an older x86-64 processor under qemu-user, so that an instruction compiled for a newer
# one and reached by accident ends here and not on somebody's machine. On that processor it chooses the kernels of ISA by itself; the text
# it writes must be the one that these kernels write here. 77 (skip) where there is no emulator for this machine.
set -euo pipefail
program=$1 cpu=$2 isa=$3
[ "$(uname -m)" = x86_64 ] || { echo "SKIP: the program is not for x86-64"; exit 77; }
command -v qemu-x86_64 >/dev/null || { echo "SKIP: needs qemu-x86_64 (package qemu-user)"; exit 77; }
model=${MOTLEY_SHARED:-$(dirname "${BASH_SOURCE[0]}")/../../../shared}/data/weights/stories260K/stories260K.gguf

# The emulator's own warnings (features of the processor it does not know) are not ours.
emulated() { timeout 300 qemu-x86_64 -cpu "$cpu" "$program" "$@" 2> >(grep -v '^qemu-x86_64: warning' >&2); }
emulated --version
emulated devices
[ -f "$model" ] || { echo "without ../shared/data/weights/stories260K: --version and devices only"; exit 0; }
here=$(MOTLEY_ISA=$isa "$program" run "$model" -p 'Once upon a time' -n 24 --temp 0)
there=$(emulated run "$model" -p 'Once upon a time' -n 24 --temp 0)
printf '%s\n' "$there"
[ -n "$there" ] && [ "$there" = "$here" ] || { printf 'here it wrote:\n%s\n' "$here"; exit 1; }

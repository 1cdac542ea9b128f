# check_weak_symbols.sh BUILD_FOLDER: the objects of motley_cpu_kernels_<isa> define nothing outside their instruction set's namespace.
# A weak symbol (an inline function, a template's instance) compiled for AVX-512 and merged by the linker with everyone else's is an
# illegal instruction on an older machine, so every global symbol must carry the instruction set in its name.
set -euo pipefail
build=$1
[ -d "$build/src/backends/cpu" ] || { echo "SKIP: $build has no CPU backend"; exit 77; }
command -v nm >/dev/null || { echo "SKIP: needs nm (package binutils)"; exit 77; }

mapfile -t objects < <(find "$build/src/backends/cpu" -path '*/motley_cpu_kernels_*.dir/*.o' | sort)
[ ${#objects[@]} -gt 0 ] || { echo "no object of a target motley_cpu_kernels_<isa> below $build/src/backends/cpu"; exit 1; }

for object in "${objects[@]}"; do
  isa=${object#*/motley_cpu_kernels_}
  isa=${isa%%.dir/*}
  # Upper-case kinds are global, v, w (lower case) weak and undefined, u unique; --defined-only leaves what the linker may hand to others.
  nm --demangle --defined-only "$object" | awk -v isa="$isa" -v object="${object##*/motley_cpu_}" '
    $2 !~ /^[A-Zuvw]$/ { next }
    { symbols++; name = $0; sub(/^[0-9a-f]* *[A-Za-z] /, "", name); owner = name }
    { sub(/^(vtable|typeinfo|typeinfo name|guard variable|VTT|construction vtable) for /, "", owner) }
    owner ~ ("^motley::[a-z0-9_:]*(^|:|_)" isa "($|[:(\\[_])") { next }
    { print object ": " $2 " " name " is outside namespace " isa; bad = 1 }
    END { exit bad }' || failed=1
done
[ -z "${failed:-}" ] || exit 1
echo "${#objects[@]} kernel objects: every global symbol carries its instruction set"

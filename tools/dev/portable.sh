# ./dev portable [--check]: dist/motley-VERSION-linux-ARCH/, the folder users download. The program in it carries its libraries and asks
# the machine for glibc alone, as old as the one here or newer. --check starts it in a debootstrap folder where nothing is installed.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
case "${1:-}" in '' | --check) ;; *) die "portable: expected --check or nothing, not '$1'" ;; esac
need build
build portable motley
program=build/portable/motley

foreign=$(readelf -d "$program" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libdl|libpthread|ld-linux.*)\.so' || true)
[ -z "$foreign" ] || die "portable: the program still needs $(paste -sd' ' <<<"$foreign"); link it statically (cmake/portable.cmake)"

version=$("$program" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
folder=dist/motley-$version-linux-$(uname -m)
rm -rf "$folder"
mkdir -p "$folder"
cp "$program" LICENSE README.md CHANGELOG.md "$folder/"
glibc=$(objdump -T "$program" | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
say "$folder: $(du -sh "$folder" | cut -f1), runs on any Linux with $glibc or newer"
[ "${1:-}" = --check ] || exit 0

# The check: the smallest Debian there is, our folder, and a model if we have one.
need tools
bare=build/bare-debian
if [ ! -x $bare/bin/bash ]; then
  say "debootstrap into $bare (as root)"
  as_root debootstrap --variant=minbase bookworm $bare >build/debootstrap.log 2>&1 || die "debootstrap failed: build/debootstrap.log"
fi
as_root rm -rf "$bare/opt/motley"
as_root cp -r "$folder" "$bare/opt/motley"
inside() { as_root chroot $bare /opt/motley/motley "$@"; }
inside --version
inside devices
stories=$shared/data/weights/stories260K/stories260K.gguf
if [ -f "$stories" ]; then
  as_root cp "$stories" "$bare/opt/motley/"
  inside run /opt/motley/stories260K.gguf -p 'Once upon a time' -n 40 --temp 0
fi
say "$folder starts where nothing is installed"

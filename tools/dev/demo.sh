# ./dev demo [MODEL]: from nothing to text. Installs what the build needs, builds the program, and lets a model write: the one you name,
# or ../shared/data/weights/stories260K where that is.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build
build release motley
motley=build/release/motley

show() {
  printf '\n$ %s\n' "$(printf ' %q' "$@" | cut -c2-)"
  "$@"
}

show $motley devices
if [ $# -gt 0 ]; then
  show $motley show "$1"
  show $motley run "$1" -p 'Once upon a time' -n 100
  exit 0
fi

stories=$shared/data/weights/stories260K
if [ ! -e "$stories/stories260K.gguf" ]; then
  cat <<'TEXT'

The program is built. Give the demo a model to let it write:

  ./dev demo MODEL

MODEL is a GGUF file, or a folder as Hugging Face publishes it (config.json, *.safetensors, tokenizer.json).
TEXT
  exit 0
fi

show $motley show "$stories/stories260K.gguf"
show $motley run "$stories/stories260K.gguf" -p 'Once upon a time' -n 200 --temp 0
# The same model as Hugging Face lays it out, and in an eighth of the bytes.
show $motley run "$stories/hf" -p 'Once upon a time' -n 40 --temp 0
show $motley quantize "$stories/stories260K.gguf" -t q4_0 -o build/stories260K-q4_0.gguf
show $motley run build/stories260K-q4_0.gguf -p 'Once upon a time' -n 40 --temp 0

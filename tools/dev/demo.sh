# ./dev demo [MODEL]: from nothing to text. Installs what the build needs, builds the program, and lets a model write: the one you name,
# or ../shared/data/weights/stories260K where that is.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need build
build release motley
motley=build/release/motley

# Prints a command as one would type it, then runs it.
show() {
  local word line='$'
  for word in "$@"; do
    case "$word" in *[!A-Za-z0-9_./:=+-]*) word="\"$word\"" ;; esac
    line+=" $word"
  done
  printf '\n%s\n' "$line"
  "$@"
}

if [ $# -gt 0 ]; then
  show $motley devices
  show $motley show "$1"
  show $motley run "$1" -p 'Once upon a time' -n 100
  exit 0
fi

shared=${MOTLEY_SHARED:-../shared}/data
model=$shared/weights/stories260K/stories260K.gguf
show $motley devices
if [ ! -e "$model" ]; then
  cat <<'TEXT'

The program is built. Give the demo a model to let it write:

  ./dev demo MODEL

MODEL is a GGUF file, or a folder as Hugging Face publishes it (config.json, *.safetensors, tokenizer.json).
TEXT
  exit 0
fi

# A quarter of a million weights, enough for a children's story. Then the same in less than a quarter of the bytes, and what that costs.
show $motley show "$model"
show $motley run "$model" -p 'Once upon a time' -n 200 --temp 0
show $motley quantize "$model" -t q4_0 -o build/stories260K-q4_0.gguf
show $motley run build/stories260K-q4_0.gguf -p 'Once upon a time' -n 60 --temp 0
sample=$shared/text/tinystories/tinystories_sample_2MiB.txt
if [ -e "$sample" ]; then
  head -c 51200 "$sample" >build/stories-50KB.txt
  show $motley eval "$model" --ppl build/stories-50KB.txt --ctx 256
  show $motley eval build/stories260K-q4_0.gguf --ppl build/stories-50KB.txt --ctx 256
fi

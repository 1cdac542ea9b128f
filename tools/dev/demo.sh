# ./dev demo [TEXT | MODEL]: from nothing to a model that writes, learns a text of yours before your eyes, and writes again. TEXT is any text file
# (without one: this repository's decisions). MODEL, a GGUF file or a Hugging Face folder, writes in place of the model that the program carries.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
given=${1:-}
[ -z "$given" ] || [ -e "$given" ] || die "demo: there is no file or folder '$given'"
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

show $motley devices
if [ -d "$given" ] || [[ $given == *.gguf ]]; then
  show $motley show "$given"
  show $motley run "$given" -p 'Once upon a time' -n 100
  exit 0
fi

# The model that the program carries: three million weights, made by the program itself (models/stories/).
text=${given:-docs/decisions/*.md}
learned=build/demo
rm -rf "$learned"
show $motley show stories
show $motley run stories -p 'Once upon a time' -n 120 --temp 0.6 --seed 1

# It learns the text: 60 steps of a thousand tokens, with the loss of the text's end, which is not learned, every 15.
show $motley finetune stories --data "$text" --output "$learned" --length 256 --batch 4 --steps 60 --learning-rate 2e-3 \
  --eval-every 15 --save-every 60
show $motley run "$learned" -p 'Once upon a time' -n 120 --temp 0.6 --seed 1
printf '\n%s\n' "What it did is in $learned/report.html. The same with a text of yours: ./dev demo TEXT"

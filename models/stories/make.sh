# bash models/stories/make.sh SAMPLE [SIZE]: makes models/stories/stories.gguf again from the TinyStories sample that README.md names, in build/stories.
# With a SIZE (small, large) it trains that one instead, for comparison, and leaves the program's model as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
sample=${1:?say where the sample is: bash models/stories/make.sh tinystories_sample_2MiB.txt}
size=${2:-}
motley=${MOTLEY:-build/release/motley}
here=models/stories
made=build/stories
mkdir -p $made

python3 $here/split.py "$sample" $made/learned.txt $made/held.txt
"$motley" tokenizer train --data $made/learned.txt --vocab 2048 --begin-of-text --out $made/tokenizer
"$motley" train $here/train.yaml --model $here/config${size:+-$size}.json --tokenizer $made/tokenizer \
  --data $made/learned.txt --eval-data $made/held.txt --output "$made/stories${size:+-$size}" ${size:+--dropout 0.1}
[ -z "$size" ] || exit 0
"$motley" quantize $made/stories -t q8_0 -o $here/stories.gguf
cp $made/stories/metrics.jsonl $here/metrics.jsonl
echo "the program carries it from its next build on; its scores: ./dev bench stories --write"

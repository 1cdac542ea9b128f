"""What the model that the program carries (models/stories) is worth, beside stories260K: bits per byte of stories it never learned from, and how
many words in a row it takes from those it did.

    ./dev bench stories             prints the table (a minute)
    ./dev bench stories --write     and puts it into models/stories/README.md
    ./dev bench stories --models=A.gguf,B.gguf   of other models

Each held-back story is read by itself from its first byte on, behind the token that begins a text (both models' tokenizers put it there). Of 50 of them each model continues the first
40 words at the program's usual sampling; a run of words is compared without case and punctuation.
"""

import json
import math
import re
import statistics
import sys
import tempfile
from pathlib import Path

from motley_program import ROOT, need_program, run, run_json, shared
from tables import publish, stamp, table

sys.path.insert(0, str(ROOT / "models/stories"))
from split import END, split  # noqa: E402

STORIES, WORDS, TOKENS = 50, 40, 200
BEGIN = "[0,1]"  # the tokens that begin a text: 0 of this model, 1 of stories260K, which ends its stories with it; 0 is no text there


def words_of(text):
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower().replace("\u2019", "'"))


class Source:
    """The runs of words of a text, looked up by length."""

    def __init__(self, stories):
        self.stories = [words_of(s) for s in stories]
        self.runs = {}

    def has(self, words):
        n = len(words)
        if n not in self.runs:
            self.runs[n] = {hash(tuple(s[i : i + n])) for s in self.stories for i in range(len(s) - n + 1)}
        return hash(tuple(words)) in self.runs[n]

    def longest(self, text):
        """Words of the longest run of `text` that stands in the source."""
        words, best = words_of(text), 0
        for begin in range(len(words)):
            while begin + best < len(words) and self.has(words[begin : begin + best + 1]):
                best += 1
        return best


def bits_per_byte(model, stories, folder):
    nats = size = 0
    for story in stories:
        ids = json.loads(run("tokenize", model, "--json", "--no-special", text=story.encode()))
        file = Path(folder) / "story.txt"
        file.write_text(story)
        scored = run_json("eval", model, "--ppl", file, "--ctx", "512", "--json", "-q")
        # Windows are read from their second token on, so that a story of several loses one at each of their beginnings.
        nats += scored["nll"] * scored["tokens"]
        size += len(story.encode()) * scored["tokens"] / len(ids)
    return nats / size / math.log(2)


def continued(model, stories):
    for i, story in enumerate(stories):
        start = " ".join(story.split(" ")[:WORDS])
        yield run_json("run", model, "-p", start, "-n", TOKENS, "--seed", i, "--json", "--stop-ids", BEGIN)["text"]


def main():
    need_program()
    learned, held = split(shared("text/tinystories/tinystories_sample_2MiB.txt"))
    source = Source(learned.split(END))
    stories = [s.strip() for s in held.split(END) if s.strip()]
    begun = [s for s in stories if len(s.split(" ")) > 2 * WORDS][:STORIES]
    own = str(ROOT / "models/stories/stories.gguf")
    models = {"this one": own, "stories260K": str(shared("weights/stories260K/stories260K.gguf"))}
    for flag in sys.argv[1:]:
        if flag.startswith("--models="):
            models = {name: name for name in flag.removeprefix("--models=").split(",")}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            bits = bits_per_byte(model, stories, folder)
            shared_runs = sorted(source.longest(text) for text in continued(model, begun))
            size = Path(model).stat().st_size / 1e6
            rows.append([name, f"{size:.2f}", f"{bits:.4f}", f"{statistics.median(shared_runs):.0f}", shared_runs[-1]])
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    bytes_held = sum(len(s.encode()) for s in stories)
    text = f"{stamp()}; {len(stories)} stories of {bytes_held:,} bytes, {len(begun)} of them continued.\n\n"
    head = ["model", "MB", "bits per byte", "longest run of words from the learned text: median", "most"]
    publish("stories", text + table(head, rows), "models/stories/README.md")


if __name__ == "__main__":
    main()

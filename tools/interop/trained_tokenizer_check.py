#!/usr/bin/env python3
"""`motley tokenizer train` beside the tokenizers package: the same merges from the same text, and a file that the package reads.

The text is the shared TinyStories sample where it is present, else this repository's documentation.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from motley_program import Report, has_shared, need_program, run, run_json, shared
from tokenizers_check import TEXTS

END = "<|endoftext|>"


def documents():
    """The text's documents as our reader cuts them: between END, without the line ends around it."""
    if has_shared("text/tinystories"):
        text = (shared("text/tinystories") / "tinystories_sample_2MiB.txt").read_text(errors="replace")
    else:
        text = END.join(p.read_text() for p in sorted((Path(__file__).resolve().parents[2] / "docs").rglob("*.md")))
    return [d.strip("\r\n") for d in text.replace("\r\n", "\n").split(END) if d.strip()]


def main():
    need_program()
    report = Report()
    texts = documents()
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "text.txt", Path(folder) / "out"
        data.write_text(END.join(texts))
        for size in (300, 4096):
            start = time.time()
            run("tokenizer", "train", "--data", data, "--vocab", str(size), "--out", out, "-q")
            ours = time.time() - start
            theirs = Tokenizer(models.BPE())
            theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            start = time.time()
            theirs.train_from_iterator(
                texts, trainers.BpeTrainer(vocab_size=size, min_frequency=2, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
            )
            package = time.time() - start
            model, expected = (json.loads(t)["model"] for t in ((out / "tokenizer.json").read_text(), theirs.to_str()))
            same = model["merges"] == expected["merges"] and model["vocab"] == expected["vocab"]
            report.line(same, f"{size} tokens: the same vocabulary and merges ({ours:.2f} s, package {package:.2f} s)")
            read = Tokenizer.from_file(str(out / "tokenizer.json"))
            wrong = [t for t in TEXTS if not read.encode(t).ids == theirs.encode(t).ids == run_json("tokenize", out, "--json", "--parse-special", text=t.encode())]
            report.line(not wrong, f"{size} tokens: {len(TEXTS)} texts have the same ids by the package and by us {wrong[:3]}")
    report.finish()


if __name__ == "__main__":
    main()

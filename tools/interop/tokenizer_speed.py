#!/usr/bin/env python3
"""Encoding speed of our tokenizers and of the tokenizers package: one thread, the first million bytes of a text, the same tokenizer.json.

Both encode the text as one and line by line; a number is the median of five after one for warming up, in processor time. The package runs by its
fastest way, encode_batch_fast, without threads. Ids are compared first. Tokenizers are the shared material's; the Unigram one is trained here.
Needs ./dev build bench (or the path of the program io_tokenizer_encode in MOTLEY_TOKENIZER_BENCH). Fails where ours is the slower one.

    tools/interop/tokenizer_speed.py            # War and Peace
    tools/interop/tokenizer_speed.py FILE...    # other texts
"""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from converted_tokenizers_check import make_folder
from motley_program import ROOT, need_program, run, run_json, shared, skip
from tokenizers_check import GPT2, LLAMA3, QWEN2

BENCH = os.environ.get("MOTLEY_TOKENIZER_BENCH") or str(ROOT / "build/bench/bench/io_tokenizer_encode")
BYTES = 1_000_000
ROUNDS = 5


def byte_level(vocab, merges, pattern, **options):
    t = Tokenizer(models.BPE.from_file(str(shared("tokenizers") / vocab), str(shared("tokenizers") / merges), **options))
    if pattern == GPT2:
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        steps = [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        t.pre_tokenizer = pre_tokenizers.Sequence(steps)
    if pattern == QWEN2:
        t.normalizer = normalizers.NFC()
    t.decoder = decoders.ByteLevel()
    return t


def unigram(text):
    """T5's steps with a vocabulary of 16,000 words."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    t.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=16000, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False)
    t.train_from_iterator(text.splitlines(), trainer)
    return t


def written(folder: Path, source: Path):
    """The tokenizer.json that we make of a tokenizer without one."""
    make_folder(folder / "model", 32000)
    (folder / "model" / source.name).write_bytes(source.read_bytes())
    run("convert", folder / "model", "-o", folder / "model.gguf")
    run("convert", folder / "model.gguf", "-o", folder / "back")
    return folder / "back" / "tokenizer.json"


def cases(folder: Path):
    """(name, kind, tokenizer.json)"""
    made = {
        "gpt2": ("byte-level BPE", lambda: byte_level("gpt2/vocab.json", "gpt2/merges.txt", GPT2)),
        "llama3": ("byte-level BPE", lambda: byte_level("llama3/llama32-encoder.json", "llama3/llama32-vocab.bpe", LLAMA3, ignore_merges=True)),
        "qwen2": ("byte-level BPE", lambda: byte_level("qwen2/vocab.json", "qwen2/merges.txt", QWEN2)),
        "unigram": ("Unigram", lambda: unigram(shared("text/war-and-peace/war-and-peace.txt").read_text())),
    }
    for name, (kind, make) in made.items():
        file = folder / name / "tokenizer.json"
        file.parent.mkdir()
        make().save(str(file))
        yield name, kind, file
    yield "llama2", "SentencePiece BPE", written(folder / "llama2", shared("tokenizers/llama2/tokenizer.model"))
    for name, kind in {
        "gpt-neox": "byte-level BPE",
        "whisper": "byte-level BPE",
        "minimind": "byte-level BPE",
        "bert-base-uncased": "WordPiece",
    }.items():
        yield name, kind, shared("tokenizers") / name / "tokenizer.json"


def median_seconds(work):
    work()
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def measure_package(file: Path, text):
    t = Tokenizer.from_file(str(file))
    t.no_truncation()
    t.no_padding()
    lines = list(io.StringIO(text, newline="\n"))
    megabytes = len(text.encode()) * 1e-6
    whole = megabytes / median_seconds(lambda: t.encode_batch_fast([text], add_special_tokens=False))
    by_line = megabytes / median_seconds(lambda: t.encode_batch_fast(lines, add_special_tokens=False))
    return whole, by_line, t.encode(text, add_special_tokens=False).ids


def main():
    need_program()
    if not os.access(BENCH, os.X_OK):
        skip(f"needs {BENCH}: cmake --preset bench && cmake --build build/bench --target io_tokenizer_encode")
    files = [Path(f) for f in sys.argv[1:]] or [shared("text/war-and-peace/war-and-peace.txt")]
    print(f"tokenizers {tokenizers.__version__}; MB/s of processor time, one thread, {BYTES:,} bytes")
    print("| tokenizer | kind | text | package, one text | ours | times | package, by line | ours | times |")
    print("|---|---|---|---|---|---|---|---|---|")
    slower = []
    with tempfile.TemporaryDirectory() as folder:
        for name, kind, tokenizer in cases(Path(folder)):
            for file in files:
                text = file.read_bytes()[:BYTES].decode(errors="ignore")
                sample = Path(folder) / "sample.txt"
                sample.write_bytes(text.encode())
                ours = json.loads(subprocess.run([BENCH, str(tokenizer), str(sample)], capture_output=True, check=True).stdout)
                whole, by_line, ids = measure_package(tokenizer, text)
                if run_json("tokenize", tokenizer, "--json", "--no-special", "--parse-special", text=text.encode()) != ids:
                    sys.exit(f"{name}: the ids of {file.name} differ")
                pairs = ((whole, ours["encode_mb_s"]), (by_line, ours["lines_mb_s"]))
                cells = " | ".join(f"{theirs:.2f} | {mine:.1f} | {mine / theirs:.1f}" for theirs, mine in pairs)
                print(f"| {name} | {kind} | {file.stem} | {cells} |", flush=True)
                slower += [name for theirs, mine in pairs if mine < theirs]
    if slower:
        sys.exit(f"slower than the package: {', '.join(slower)}")


if __name__ == "__main__":
    main()

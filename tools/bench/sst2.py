"""What a small sentiment classifier reaches on SST-2 plain, against a moved embedding, and with texts in other words: a training run each, as
examples/recipes/sst2-gru.yaml says, evaluated on test.tsv by `motley eval`.

    ./dev bench sst2                  the table (about 20 minutes on 2 cores); runs that are there are not repeated
    ./dev bench sst2 --only fgm,pgd   only these runs
    ./dev bench sst2 --fresh          all of them anew
    ./dev bench sst2 --write          and puts the table into docs/training.md

A run that is interrupted goes on from its last checkpoint. Seconds count those of training alone.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from motley_program import ROOT, run, run_json, shared
from tables import publish, stamp, table

RECIPES = ROOT / "examples/recipes"
# Contractions written out: a stand-in for a translation there and back, which is a program of the same kind.
REWORD = "sed -e \"s/ ca n't / can not /g\" -e \"s/ wo n't / will not /g\" -e \"s/ n't / not /g\" -e \"s/ 're / are /g\" -e \"s/ 've / have /g\" -e \"s/ 'll / will /g\""
CASES = {
    "plain": [],
    "fgm": ["--adversarial", "fgm", "--adversarial-epsilon", 1],
    "pgd": ["--adversarial", "pgd", "--adversarial-epsilon", 1, "--adversarial-steps", 3],
    "deletion": ["--augment", "deletion=0.1"],
    "swap": ["--augment", "swap=1"],
    "synonyms": ["--augment", f"synonyms={RECIPES / 'synonyms.tsv'}"],
    "command": ["--augment-command", REWORD],
}
WORDS = {
    "plain": "plain",
    "fgm": "`--adversarial fgm`",
    "pgd": "`--adversarial pgd` (3 steps)",
    "deletion": "`--augment deletion=0.1`",
    "swap": "`--augment swap=1`",
    "synonyms": "`--augment synonyms=...`",
    "command": "`--augment-command`, contractions written out by `sed`",
}


def tokenizer(folder, data):
    if not (folder / "tokenizer/tokenizer.json").exists():
        run("tokenizer", "train", "--data", data / "train.tsv", "--vocab", 8000, "--out", folder / "tokenizer")
    return folder / "tokenizer"


def measure(name, folder, data):
    result = folder / f"{name}.json"
    if not result.exists():
        spent = folder / f"{name}.seconds"  # of slices before this one
        before = float(spent.read_text()) if spent.exists() else 0
        start = time.monotonic()
        try:
            run("train", RECIPES / "sst2-gru.yaml", "--model", RECIPES / "sst2-gru.json", "--tokenizer", tokenizer(folder, data), "--data", data / "train.tsv",
                "--eval-data", data / "test.tsv", "--output", folder / name, "--save-limit", 1, "--quiet", *CASES[name])
        finally:
            seconds = before + time.monotonic() - start
            spent.write_text(str(seconds))
        answer = run_json("eval", folder / name, "--data", data / "test.tsv", "--json", "--quiet")
        result.write_text(json.dumps({"seconds": seconds, "accuracy": answer["accuracy"], "f1": answer["macro"]["f1"], "loss": answer["loss"]}))
    r = json.loads(result.read_text())
    print(name, r, file=sys.stderr, flush=True)
    return [WORDS[name], f"{100 * r['accuracy']:.1f} %", f"{r['f1']:.3f}", f"{r['loss']:.3f}", f"{r['seconds']:.0f} s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    data = shared("text/sst2")
    folder = ROOT / "build/sst2"
    if arguments.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    names = arguments.only.split(",")
    unknown = [n for n in names if n not in CASES]
    if unknown:
        sys.exit(f"there is no run {unknown[0]!r}; there are {', '.join(CASES)}")
    rows = [measure(n, Path(folder), data) for n in names]
    publish("sst2", f"{stamp()}; 872 sentences of `test.tsv`.\n\n" + table(["", "accuracy", "macro F1", "loss", "training"], rows), "docs/training.md")


if __name__ == "__main__":
    main()

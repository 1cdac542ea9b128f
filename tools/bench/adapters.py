"""What adapters learn beside a whole model that learns, and beside a quantised one: the model that the program carries on Shakespeare, as one table each.

    ./dev bench adapters             prints them (some minutes on 2 cores)
    ./dev bench adapters --write     and puts them into docs/training.md
    ./dev bench adapters --rates     each method, or those named behind it, at several learning rates, to choose its default by

Evaluation is on the last twentieth of the text, which is never learned from.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from motley_program import need_program, run, run_json, shared
from tables import publish, stamp, table

# The program's own rates are careful ones, since larger models bear less. Where that matters, a method has the best of --rates here.
METHODS = {
    "whole model": ["--learning-rate", "3e-3"],
    "lora": ["--lora"],
    "lora, all-linear": ["--lora", "--target-modules", "all-linear"],
    "bottleneck": ["--adapter", "bottleneck"],
    "prefix": ["--adapter", "prefix", "--learning-rate", "1e-1"],
    "ia3": ["--adapter", "ia3", "--learning-rate", "1e-1"],
}  # and no biases, which this model does not have
RATES = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
STEPS = 120
HEADING = f"""The model that the program carries, on Shakespeare ({{}}): {STEPS} steps of 8 x 128 tokens, at the program's own rates but for
the whole model (3e-3), prefix and IA3 (1e-1), which have their best. Below, {2 * STEPS} steps of a LoRA in all linear modules, beside the model as it is and quantised.

"""


class Tuned:
    """One run: its evaluation losses, and how many values learned."""

    def __init__(self, folder, model, data, flags, steps=STEPS):
        shutil.rmtree(folder, ignore_errors=True)
        common = ["--data", data, "--output", folder, "--length", "128", "--batch", "8", "--steps", steps, "--eval-every", steps, "-q"]
        self.summary = run_json("finetune", model, *common, "--json", *flags)
        lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
        self.losses = [line["eval_loss"] for line in lines if "eval_loss" in line]

    @property
    def loss(self):
        return self.losses[-1]


def methods(work, model, data, before):
    rows = []
    whole = None
    for name, flags in METHODS.items():
        loss = Tuned(work / "run", model, data, flags).loss
        whole = whole or before - loss
        rows.append([name, f"{loss:.4f}", f"{before - loss:.4f}", f"{100 * (before - loss) / whole:.0f} %"])
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    return table(["what learns", "evaluation loss", f"below {before:.4f}", "of what the whole model gains"], rows)


def rates(work, model, data, before):
    rows = []
    asked = [name for name in METHODS if name in sys.argv] or METHODS
    for name, flags in METHODS.items():
        if name not in asked:
            continue
        cells = [f"{before - Tuned(work / 'run', model, data, [*flags, '--learning-rate', rate]).loss:.4f}" for rate in RATES]
        rows.append([name, *cells])
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    return table(["gain at a rate of", *[f"{r:g}" for r in RATES]], rows)


def quantised(work, model, data, held):
    small = work / "q4_0.gguf"
    run("quantize", model, "-t", "q4_0", "-o", small, "-q")
    rows = []
    for name, base in {"F32": model, "Q4_0": small}.items():
        plain = run_json("eval", base, "--ppl", held, "--ctx", "256", "--json", "-q")["ppl"]
        Tuned(work / "run", base, data, METHODS["lora, all-linear"], steps=2 * STEPS)
        tuned = run_json("eval", base, "--adapter", work / "run", "--ppl", held, "--ctx", "256", "--json", "-q")["ppl"]
        rows.append([name, plain, tuned])
    return table(
        ["base", "perplexity", "with its LoRA", "beside F32"],
        [[name, f"{plain:.3f}", f"{tuned:.3f}", f"{100 * (tuned / rows[0][2] - 1):+.2f} %"] for name, plain, tuned in rows],
    )


def main():
    need_program()
    text = shared("text/tinyshakespeare/input.txt").read_text()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        cut = len(text) * 19 // 20
        data, held = work / "shakespeare.txt", work / "held.txt"
        data.write_text(text)
        held.write_text(text[cut:])
        hf = work / "base"
        run("convert", "stories", "-o", hf, "-q")  # as F32
        before = Tuned(work / "run", hf, data, ["--learning-rate", "1e-30"], steps=1).loss
        if "--rates" in sys.argv:
            print(rates(work, hf, data, before))
            return
        learned = work / "learned.txt"
        learned.write_text(text[:cut])
        parts = [methods(work, hf, data, before), quantised(work, hf, learned, held)]
    publish("adapters", HEADING.format(stamp()) + "\n\n".join(parts), "docs/training.md")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The first 50 losses of GPT-2 124M and of a 10 M-parameter Llama beside PyTorch's, from the same weights and data, to 1e-4 relative.

Both sides draw weights and tokens by formula (tools/learning_reference.py). Rows are fewer than in the benchmark, so that it takes minutes.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

import torch  # noqa: E402
from learning_reference import learn  # noqa: E402
from motley_program import Report, need_program, run  # noqa: E402
from train import SHAPES  # noqa: E402

STEPS, LARGEST_DIFFERENCE = 50, 1e-4
RATE = 1e-4  # that of `motley bench --train`


def main():
    need_program()
    report = Report()
    torch.set_num_threads(2)
    for name, rows, length in [("gpt2-124m", 2, 64), ("llama-10m", 4, 128)]:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(SHAPES[name], file)
            file.flush()
            line = run("bench", "-m", file.name, "--train", "--batch", rows, "--length", length, "-r", STEPS - 1, "-t", 2, "-q", "--json")
        ours, theirs = json.loads(line)["losses"], learn(SHAPES[name], rows, length, STEPS, RATE)
        off = max(abs(a - b) / b for a, b in zip(ours, theirs, strict=True))
        report.line(
            off <= LARGEST_DIFFERENCE and len(ours) == STEPS and theirs[-1] < theirs[0],
            f"{name}: {STEPS} losses from {theirs[0]:.4f} to {theirs[-1]:.4f} are within {off:.1e} of PyTorch {torch.__version__}'s",
        )
    report.finish()


if __name__ == "__main__":
    main()

"""Whole training steps (forward, backward, clipping, AdamW) in float32 beside PyTorch's, in turns, so that a slow moment of the machine meets all.

    ./dev bench train             prints the table
    ./dev bench train --write     and puts it into docs/performance.md
    ./dev bench train --quick     one turn instead of five

Ours is `motley bench --train`, theirs tools/bench/torch_training.py, on two threads: by the PyTorch of Debian (python3-torch, 1.13) where it is
installed (in the first turn alone, being several times slower), and by the current one of PyPI (tools/bench/train_requirements.txt; MOTLEY_TORCH
names another Python that has it). Tokens per second are medians over the turns of each turn's median step; memory is the largest resident size of
a process. Beside the fraction of the limit that our step reaches stands the one that a product of the model's widest layer reaches in the current
PyTorch, alone and over and over.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from motley_program import PROGRAM

SHAPES = {
    "gpt2-124m": {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257},
    "llama-10m": {
        "model_type": "llama",
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "vocab_size": 256,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-05,
    },
}
# Shape, rows, tokens of each, steps timed in a turn.
CASES = [("gpt2-124m", 4, 256, 3), ("gpt2-124m", 4, 64, 5), ("llama-10m", 16, 256, 5)]
WIDEST = {"gpt2-124m": (3072, 768), "llama-10m": (1024, 384)}  # outputs, inputs
THREADS = 2
LLM_C = {("gpt2-124m", 4, 64): 32.5}  # tok/s: llm.c of May 2025, gcc -Ofast with OpenMP, recorded on a 2-core Cascade Lake
PEER = Path(__file__).resolve().parent / "torch_training.py"


def measured(command):
    """The last line of a command's output, and the largest resident size of its process in bytes."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}: {errors.read().decode(errors='replace').strip()[-2000:]}")
        return json.loads(out.read().splitlines()[-1]), usage.ru_maxrss * 1024


def peers():
    """The Pythons that have a PyTorch, by its version."""
    found = {}
    for python in ("/usr/bin/python3", os.environ.get("MOTLEY_TORCH", "")):
        if not python:
            continue
        asked = subprocess.run([python, "-c", "import torch; print(torch.__version__.split('a')[0])"], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            found[asked.stdout.strip()] = python
    return found


def check_blas():
    """Debian's PyTorch multiplies by the system's BLAS; the reference one would make it ten times slower than its users know it."""
    libraries = subprocess.run(["update-alternatives", "--query", "libblas.so.3-x86_64-linux-gnu"], capture_output=True, text=True, check=False).stdout
    if libraries and "openblas" not in next((line for line in libraries.splitlines() if line.startswith("Value:")), "openblas"):
        sys.exit("python3-torch would multiply by the reference BLAS: apt-get install libopenblas0-pthread")


def main():
    from tables import publish, stamp, table

    turns = 1 if "--quick" in sys.argv else 5
    pythons = peers()
    if not pythons:
        sys.exit("no PyTorch to compare with: apt-get install python3-torch libopenblas0-pthread")
    check_blas()
    rows, memory, newest = [], [], list(pythons)[-1]
    with tempfile.TemporaryDirectory() as folder:
        for shape, batch, length, steps in CASES:
            config = Path(folder) / f"{shape}.json"
            config.write_text(json.dumps(SHAPES[shape]))
            speeds, peaks, reached, limits, plain = {}, {}, [], [], []
            m, (n, k) = batch * length, WIDEST[shape]
            for turn in range(turns):
                ours, size = measured([PROGRAM, "bench", "-m", config, "--train", "--batch", batch, "--length", length, "-t", THREADS, "-r", steps, "-q", "--json"])
                speeds.setdefault("Motley", []).append(ours["tok_s"])
                peaks["Motley"] = max(peaks.get("Motley", 0), size)
                reached.append(ours["fraction_of_limit"])
                limits.append(ours["limit"])
                for version, python in pythons.items():
                    if turn > 0 and version != newest:
                        continue
                    theirs, size = measured([python, PEER, config, batch, length, steps, THREADS])
                    speeds.setdefault(version, []).append(batch * length / statistics.median(theirs["seconds"]))
                    peaks[version] = max(peaks.get(version, 0), size)
                alone, _ = measured([pythons[newest], PEER, "product", m, n, k, 60, THREADS])
                plain.append(2 * m * n * k / statistics.median(alone["seconds"]) / ours["limit"])
                print(shape, batch, length, {who: round(s[-1], 1) for who, s in speeds.items() if len(s) > turn}, file=sys.stderr, flush=True)
            middle = {who: statistics.median(s) for who, s in speeds.items()}
            row = [shape, f"{batch} x {length}", f"{middle['Motley']:.0f}"]
            row += [f"{100 * statistics.median(reached):.0f} % of {statistics.median(limits) / 1e9:.0f} GFLOP/s"]
            row.append(f"{100 * statistics.median(plain):.0f} %")
            for version in pythons:
                row += [f"{middle[version]:.0f}", f"{middle['Motley'] / middle[version]:.2f}"]
            llm_c = LLM_C.get((shape, batch, length))
            row.append(f"{middle['Motley'] / llm_c:.1f}" if llm_c else "")
            rows.append(row)
            memory.append([shape, f"{batch} x {length}"] + [f"{peaks[who] / 1e6:.0f}" for who in ("Motley", *pythons)])
    head = ["shape", "rows x tokens", "Motley tok/s", "of the multiply-add limit", f"a plain product of PyTorch {newest}"]
    for version in pythons:
        head += [f"PyTorch {version} tok/s", "ratio"]
    head.append("times llm.c's recorded 32.5")
    text = f"{stamp()}; {THREADS} threads, medians of {turns} turn{'s' if turns > 1 else ''}.\n\n{table(head, rows)}\n\nPeak memory of the process, MB:\n\n"
    publish("train", text + table(["shape", "rows x tokens", "Motley", *(f"PyTorch {v}" for v in pythons)], memory))


if __name__ == "__main__":
    main()

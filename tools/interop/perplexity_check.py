#!/usr/bin/env python3
"""Perplexity of stories260K on 50 KB of TinyStories: `motley eval --ppl` against an independent computation (tools/reference_ppl.py).

F32 has to agree to four digits and on the number of tokens scored; Q8_0 and Q4_0 are shown, and must not be better than chance allows or broken.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motley_program import Report, need_program, run, run_json, shared
from reference_ppl import perplexity

CONTEXT = 256
LARGEST_LOSS = {"q8_0": 1.01, "q4_0": 1.25}  # of perplexity, over F32's


def main():
    need_program()
    report = Report()
    stories = shared("weights/stories260K")
    text = shared("text/tinystories/tinystories_sample_2MiB.txt").read_bytes()[:50000]
    expected = perplexity(stories, text.decode(), CONTEXT)
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.txt"
        sample.write_bytes(text)

        def measured(model):
            return run_json("eval", model, "--ppl", sample, "--ctx", CONTEXT, "--json")

        plain = measured(stories / "stories260K.gguf")
        good = plain["tokens"] == expected["tokens"] and abs(plain["ppl"] / expected["ppl"] - 1) < 5e-5
        ours, theirs = (f"{answer['ppl']:.5f} over {answer['tokens']} tokens" for answer in (plain, expected))
        report.line(good, f"f32: {ours}, computed independently {theirs}")
        for kind, loss in LARGEST_LOSS.items():
            file = Path(folder) / f"{kind}.gguf"
            run("quantize", stories / "stories260K.gguf", "-t", kind, "-o", file)
            ppl = measured(file)["ppl"]
            report.line(0.99 < ppl / expected["ppl"] < loss, f"{kind}: {ppl:.5f}")
    report.finish()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Records the first 50 losses of a small GPT-2 and a small Llama as PyTorch computes them in double precision, from weights and data that both sides
draw by formula (learning_reference.py).

    python3 tools/make_learning_vectors.py tests/data/learning.json

Needs torch and numpy. The real shapes are compared by ./dev interop training_losses.
"""

import json
import sys

import torch

from learning_reference import learn

CASES = [
    {
        "config": {"model_type": "gpt2", "n_embd": 48, "n_head": 4, "n_layer": 3, "n_positions": 40, "vocab_size": 211},
        "rows": 4,
        "length": 32,
        "rate": 3e-3,
    },
    {
        "config": {
            "model_type": "llama",
            "hidden_size": 48,
            "intermediate_size": 128,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "vocab_size": 211,
            "max_position_embeddings": 40,
            "rms_norm_eps": 1e-05,
        },
        "rows": 4,
        "length": 32,
        "rate": 3e-3,
    },
]


def main():
    for case in CASES:
        case["losses"] = [float(f"{x:.12g}") for x in learn(**{k: case[k] for k in ("config", "rows", "length", "rate")}, steps=50, dtype=torch.float64)]
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"made_by": "tools/make_learning_vectors.py", "cases": CASES}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()

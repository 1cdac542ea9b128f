#!/usr/bin/env python3
"""Makes tests/data/quant: what the `gguf` package from PyPI says that the bytes of each block format mean.

    pip install gguf==0.19.0 && tools/make_quant_vectors.py tests/data/quant

x.f32            1024 floats of several sizes, with ties, zeros and a constant block
FORMAT.packed    the bytes that the package packs x into (formats it can pack)
FORMAT.blocks    blocks of random bytes, with every bit in use, whose 16-bit floats are finite
FORMAT.f32       the floats that FORMAT.blocks unpacks to

The formats that are only read (IQ1 to IQ4, MXFP4) have blocks and floats too, drawn after all others so that those stay as they are.
"""
import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

# Where each format keeps its 16-bit floats.
HALVES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}
READ_ONLY = {
    "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "IQ3_XXS": [0], "IQ3_S": [0],
    "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ1_S": [0], "IQ1_M": [],
}
PACKED = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]


def half(random, i):
    value = random.uniform(-1, 1) * 10.0 ** random.integers(-4, 1) if i else 3e-7  # the first is subnormal
    return np.array([value], np.float16).view(np.uint8)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20260720)

    x = (random.standard_normal((32, 32)) * random.choice([0.02, 1.0, 300.0], (32, 1))).astype(np.float32)
    x[3] = 0
    x[7] = 0.3
    x[11] = np.round(x[11] * 4) / 4
    x[12] = np.arange(-16, 16) / 2
    x[13] = np.arange(0, 32) / 2
    x[20] += 5
    x.tofile(folder / "x.f32")
    for name in PACKED:
        quants.quantize(x, GGMLQuantizationType[name]).tofile(folder / f"{name.lower()}.packed")

    for name, halves in (HALVES | READ_ONLY).items():
        kind = GGMLQuantizationType[name]
        elements, size = GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (512 // elements, size), dtype=np.uint8)
        for i, row in enumerate(blocks):
            for at in halves:
                row[at:at + 2] = half(random, i)
            if name == "IQ1_M":  # four bits of its 16-bit float at the top of each of the last four numbers
                number = int(half(random, i).view(np.uint16)[0])
                for part in range(4):
                    row[49 + 2 * part] = (row[49 + 2 * part] & 15) | ((number >> (4 * part) & 15) << 4)
        blocks.tofile(folder / f"{name.lower()}.blocks")
        quants.dequantize(blocks, kind).astype(np.float32).tofile(folder / f"{name.lower()}.f32")


main()

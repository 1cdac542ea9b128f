#!/usr/bin/env python3
"""Prints the body of src/quant/iq_grids.cpp: the code books of GGUF's IQ formats as the `gguf` package from PyPI has them.

    pip install gguf==0.19.0 && tools/make_iq_grids.py

Every row of a code book is 8 or 4 of a few values; their places in the list of values, the first in the lowest bits, make one 16-bit number.
"""
from gguf import GGMLQuantizationType, quants

BOOKS = {"kIq2Xxs": "IQ2_XXS", "kIq2Xs": "IQ2_XS", "kIq2S": "IQ2_S", "kIq3Xxs": "IQ3_XXS", "kIq3S": "IQ3_S", "kIq1S": "IQ1_S"}


def main():
    for name, kind in BOOKS.items():
        book = quants._type_traits[GGMLQuantizationType[kind]]
        book.init_grid()
        values = list(book.grid_map)
        bits = 2 if len(values) == 3 else 3
        rows = []
        for row in book.grid.reshape(book.grid_shape):
            rows.append(sum(values.index(int(v)) << (bits * i) for i, v in enumerate(row)))
        assert max(rows) < 1 << 16
        print(f"\n// {', '.join(str(v) for v in values)}")
        print(f"const uint16_t {name}[{len(rows)}] = {{")
        for at in range(0, len(rows), 16):
            print("    " + " ".join(f"{r}," for r in rows[at:at + 16]))
        print("};")


main()

#!/usr/bin/env python3
"""Writes tests/data/io: small model files made by the packages `gguf` and `safetensors` from PyPI (0.19 and 0.8 when last run), which
src/io/foreign_files_test.cpp reads.

    python -m venv v && v/bin/pip install gguf safetensors && v/bin/python tools/make_io_vectors.py
"""
import pathlib

import gguf
import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "io"
OUT.mkdir(parents=True, exist_ok=True)

w = gguf.GGUFWriter(OUT / "python.gguf", "llama")
w.add_uint8("k.u8", 200)
w.add_int8("k.i8", -100)
w.add_uint16("k.u16", 60000)
w.add_int16("k.i16", -30000)
w.add_uint32("k.u32", 4000000000)
w.add_int32("k.i32", -2000000000)
w.add_uint64("k.u64", 1 << 40)
w.add_int64("k.i64", -(1 << 40))
w.add_float32("k.f32", 0.25)
w.add_float64("k.f64", 0.1)
w.add_bool("k.bool", True)
w.add_string("k.string", "gr\u00fc\u00df")
w.add_array("a.strings", ["x", "", "\u2581yz"])
w.add_array("a.ints", [1, -2, 3])
w.add_array("a.bools", [True, False])
w.add_array("a.floats", [0.5, -1.5])
w.add_tensor("matrix", np.arange(6, dtype=np.float32).reshape(2, 3))
w.add_tensor("half", np.array([1.0, -2.0], dtype=np.float16))
blocks = gguf.quants.quantize(np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64), gguf.GGMLQuantizationType.Q8_0)
w.add_tensor("quantised", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

save_file(
    {"x": np.array([[1, 2], [3, 4]], dtype=np.float16), "none": np.zeros((0, 2), dtype=np.int32), "scalar": np.array(3.5), "flags": np.array([True, False, True])},
    OUT / "python.safetensors",
    {"format": "np"},
)

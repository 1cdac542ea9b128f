"""Reads a Hugging Face folder with NumPy alone, so that checks of our own reader and writer share no code with them.

    weights = load_weights(Path("tests/data/models/llama3"))      # {name: float32 array}, shards joined, F16 and BF16 widened
"""

import json
from pathlib import Path

import numpy as np

PLAIN = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "u1"}


def load_safetensors(path: Path):
    """Values as stored, but BF16 widened to float32, which NumPy has no type for."""
    data = path.read_bytes()
    header_bytes = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + header_bytes])
    values = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            flat = (np.frombuffer(data[begin:end], "<u2").astype("<u4") << 16).view("<f4")
        else:
            flat = np.frombuffer(data[begin:end], PLAIN[entry["dtype"]])
        values[name] = flat.reshape(entry["shape"])
    return values


def load_weights(folder: Path):
    index = folder / "model.safetensors.index.json"
    files = ["model.safetensors"]
    if index.exists():
        files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    weights = {}
    for file in files:
        weights |= {name: value.astype(np.float32) for name, value in load_safetensors(folder / file).items()}
    return weights


def save_safetensors(path: Path, values):
    """float32 arrays only."""
    header, offset = {}, 0
    for name, value in values.items():
        assert value.dtype == np.float32
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in values.values():
            file.write(np.ascontiguousarray(value).tobytes())

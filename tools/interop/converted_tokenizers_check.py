#!/usr/bin/env python3
"""Tokenizers of converted models against the tokenizers package: the same ids before, in between and after.

A model of one small layer is given each tokenizer, converted to GGUF and from there back to a folder. Ids must agree between the package reading
the tokenizer.json that we write, our reading of the GGUF file, and the original: read by the package where it is a tokenizer.json, else by us.
Originals are the shared material's (among them GGUF files that llama.cpp wrote) and the small ones that tokenizers_check trains. What GGUF cannot
describe has to be refused, and is listed.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gguf
import numpy as np
from tokenizers import Tokenizer

from checkpoint_numpy import load_safetensors, save_safetensors
from motley_program import MODELS, PROGRAM, Report, has_shared, need_program, run, run_json, shared
from tokenizers_check import TEXTS, small_tokenizers

COMPANIONS = ("tokenizer_config.json", "special_tokens_map.json")
# Folders of the shared material, by the file that holds the tokenizer.
FOLDERS = {
    "llama2": ["tokenizer.model"],
    "gpt-neox": ["tokenizer.json"],
    "minimind": ["tokenizer.json"],
    "whisper": ["tokenizer.json"],
    "gpt2": ["vocab.json", "merges.txt"],
    "qwen2": ["vocab.json", "merges.txt"],
    "llama3": ["tokenizer.tiktoken.model"],  # called tokenizer.model where it comes from
}
# What the package's tokenizer.json can say and GGUF cannot.
REFUSED = ("normaliser", "punctuation", "split", "unigram, t5", "unigram, albert", "bpe with word ends", "deepseek")


def make_folder(folder: Path, rows):
    """A checkpoint of one layer whose embedding has so many rows."""
    folder.mkdir(parents=True)
    source = MODELS / "llama2"
    weights = {name: value for name, value in load_safetensors(source / "model.safetensors").items() if ".layers.1." not in name}
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weights[name] = np.resize(weights[name].astype(np.float32), (rows, weights[name].shape[1]))
    save_safetensors(folder / "model.safetensors", {name: value.astype(np.float32) for name, value in weights.items()})
    config = json.loads((source / "config.json").read_text()) | {"vocab_size": rows, "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps(config))


def copy_field(reader, key, writer):
    field = reader.get_field(key)
    writer.add_key_value(key, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)


def with_vocabulary(model: Path, vocabulary: Path, out: Path):
    """The tensors and the configuration of one GGUF file with the tokenizer of another."""
    tensors, words = gguf.GGUFReader(model), gguf.GGUFReader(vocabulary)
    writer = gguf.GGUFWriter(out, "llama")
    for reader, wanted in ((tensors, False), (words, True)):
        for key in reader.fields:
            if key.startswith("tokenizer.") == wanted and not key.startswith("GGUF.") and key != "general.architecture":
                copy_field(reader, key, writer)
    for tensor in tensors.tensors:
        writer.add_tensor(tensor.name, tensor.data.reshape([int(n) for n in reversed(tensor.shape)]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ids_by_us(model, text):
    return run_json("tokenize", model, "--json", "--parse-special", text=text.encode())


def ids_by_package(folder: Path):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: tokenizer.encode(text).ids


def differing(texts, expected, readers):
    wrong = []
    for text in texts:
        wanted = expected(text)
        for name, read in readers.items():
            if (ids := read(text)) != wanted:
                wrong.append(f"{name}: {text[:50]!r}: {ids[:20]}, expected {wanted[:20]}")
    return wrong


def compare(report, name, texts, original, file, back):
    run("convert", file, "-o", back)
    wrong = differing(texts, original, {"GGUF": lambda text: ids_by_us(file, text), "written tokenizer.json": ids_by_package(back)})
    shown = "".join(f"\n     {w}" for w in wrong[:6]) + (f"\n     and {len(wrong) - 6} more" if len(wrong) > 6 else "")
    report.line(not wrong, f"{name}: {len(texts)} texts{shown}")


def check_folder(report, name, model: Path, texts, may_be_refused):
    file, back = model.with_suffix(".gguf"), model.with_suffix(".back")
    done = subprocess.run([PROGRAM, "convert", str(model), "-o", str(file)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        report.line(may_be_refused and "GGUF has no" in done.stderr, f"{name}: refused: {done.stderr.strip()}")
        return
    for line in done.stderr.splitlines():
        if line.startswith("motley: "):
            print(f"     {name}: {line[8:]}")
    original = ids_by_package(model) if (model / "tokenizer.json").exists() else lambda text: ids_by_us(model, text)
    compare(report, name, texts, original, file, back)


def few(texts):
    """Enough for large vocabularies, which take a while to load for every text."""
    return [*texts[:6], texts[13], texts[14], texts[23], "".join(texts)]


def main():
    need_program()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for i, (name, tokenizer) in enumerate(small_tokenizers()):
            if name.startswith("wordpiece"):
                continue  # no model that converts has one
            make_folder(base / f"small{i}", tokenizer.get_vocab_size())
            tokenizer.save(str(base / f"small{i}" / "tokenizer.json"))
            check_folder(report, name, base / f"small{i}", TEXTS, name.startswith(REFUSED))
        for name, files in FOLDERS.items():
            if not has_shared(f"tokenizers/{name}"):
                continue
            model = base / name
            make_folder(model, 152064)
            for file in (*files, *COMPANIONS):
                if (shared("tokenizers") / name / file).exists():
                    (model / file.replace("tiktoken.", "")).write_bytes((shared("tokenizers") / name / file).read_bytes())
            check_folder(report, f"shared {name}", model, few(TEXTS), False)
        if has_shared("tokenizers"):
            make_folder(base / "plain", 50432)
            run("convert", base / "plain", "-o", base / "plain.gguf")
            for vocabulary in sorted(shared("tokenizers").glob("*/ggml-vocab-*.gguf")):
                if "bert" in vocabulary.name:
                    continue
                file = base / vocabulary.name
                with_vocabulary(base / "plain.gguf", vocabulary, file)
                compare(report, f"shared {vocabulary.stem}", few(TEXTS), lambda text, v=vocabulary: ids_by_us(v, text), file, base / vocabulary.stem)
    report.finish()


if __name__ == "__main__":
    main()

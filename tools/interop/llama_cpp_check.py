#!/usr/bin/env python3
"""GGUF files that we write, run by llama.cpp: the same logits, the same text, the same perplexity.

Needs the package llama-cpp-python, which compiles llama.cpp when it is installed (half an hour on two cores): `./dev interop llama_cpp_check`
installs it, and without a name this check is skipped where it is not there.

 1. Every checkpoint of tests/data/models, converted: llama.cpp's logits against the recorded ones.
 2. A model with rows of 256, quantised by us into each type: llama.cpp's logits against ours. Both round activations to 8 bits, in different ways.
 3. The same model in each format that is only read, packed by ggml (importance all alike): llama.cpp's logits against ours.
 4. stories260K: greedy text, and perplexity in F32, Q8_0 and Q4_0.
"""

import ctypes
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motley_program import MODELS, Report, has_shared, need_program, run, run_json, shared, skip

try:
    import llama_cpp as lib
except ImportError:
    skip("needs the package llama-cpp-python")

import gguf
import numpy as np

from checkpoint_numpy import load_safetensors
from gguf_open import LARGEST_ERROR, wide_checkpoint

EXACT = 2e-4  # on logits of about 8: what F32 in another order may differ by
GELU_TABLE = 0.02  # llama.cpp's CPU code reads GELU from a table in F16
QUANTISED = 0.03  # of the logits' root mean square
PERPLEXITY = 0.005  # relative

ONLY_READ = ("IQ4_NL", "IQ4_XS", "MXFP4", "IQ3_XXS", "IQ3_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S", "IQ1_M")
USES_GELU = ("gemma", "gpt2", "gpt-neox")
# What llama.cpp does not compute, put to what it takes for granted: no windows in these families, one query scale and one pattern of layers in
# Gemma. Such a checkpoint is compared with our own run of it, which the recorded logits vouch for elsewhere.
TAKEN_FOR_GRANTED = {
    "mistral": {"sliding_window": None},
    "phi3": {"sliding_window": None},
    "gemma2": {"query_pre_attn_scalar": 16},
    "gemma3": {"query_pre_attn_scalar": 16, "rope_local_base_freq": 10000.0, "sliding_window_pattern": 6},
}
LEFT_OUT = {
    "qwen2-window": "no windows in Qwen2",
    "qwen3-moe-mixed": "no dense layers between those with experts",
}
# Contexts are rounded up to 256 positions, so the short ones of two sets of rotary factors never apply: the last sequence alone is compared.
LONG_FACTORS_ONLY = ("phi3-longrope", "phi4-mini")


class Model:
    """A GGUF file in llama.cpp: F32 cache, plain attention, one thread."""

    def __init__(self, file: Path, context: int):
        options = lib.llama_model_default_params()
        options.n_gpu_layers = 0
        self.model = lib.llama_model_load_from_file(str(file).encode(), options)
        if not self.model:
            raise RuntimeError(f"llama.cpp refuses {file.name}: {log_tail()}")
        options = lib.llama_context_default_params()
        options.n_ctx = options.n_batch = options.n_ubatch = context
        options.n_threads = options.n_threads_batch = 1
        options.flash_attn_type = 0
        options.type_k = options.type_v = lib.GGML_TYPE_F32
        self.context = lib.llama_init_from_model(self.model, options)
        self.vocabulary = lib.llama_model_get_vocab(self.model)
        self.size = lib.llama_vocab_n_tokens(self.vocabulary)

    def logits(self, ids):
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)
        batch = lib.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, True
        if lib.llama_decode(self.context, batch) != 0:
            raise RuntimeError(f"llama.cpp cannot decode: {log_tail()}")
        rows = np.stack([np.ctypeslib.as_array(lib.llama_get_logits_ith(self.context, i), (self.size,)).copy() for i in range(len(ids))])
        lib.llama_batch_free(batch)
        return rows

    def close(self):
        lib.llama_free(self.context)
        lib.llama_model_free(self.model)


LOG = []


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def keep_log(level, text, _):
    LOG.append(text.decode(errors="replace"))


def log_tail():
    return "".join(LOG[-6:]).strip()


def with_vocabulary_of_nothing(file: Path, vocabulary_size):
    """llama.cpp wants to be told that a file has no tokenizer. A copy of the file that says so."""
    reader = gguf.GGUFReader(file)
    if reader.get_field("tokenizer.ggml.model"):
        return file
    architecture = reader.get_field("general.architecture").contents()
    copy = file.with_suffix(".copy.gguf")
    writer = gguf.GGUFWriter(copy, architecture)
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name not in ("general.architecture", f"{architecture}.vocab_size"):
            writer.add_key_value(field.name, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(vocabulary_size)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return copy


def our_logits(model: Path, ids, work: Path):
    rows = work / "logits.f32"
    run("run", model, "--ids", json.dumps(ids), "-n", "1", "--temp", "0", "--ignore-eos", "--json", "--kv-type", "f32", "--logits", rows)
    return np.fromfile(rows, "<f4").reshape(len(ids), -1)


def sequences_of(folder: Path, work: Path):
    """Prompts, their greedy tokens, logits from a first position on, and the smallest gap between the two best of a greedy step."""
    name = folder.name
    reference = json.loads((folder / "reference.json").read_text())
    recorded = load_safetensors(folder / "reference.safetensors")
    for sequence in reference["sequences"]:
        prompt = sequence["prompt"]
        if name in TAKEN_FOR_GRANTED:
            rows = our_logits(work / name, prompt, work)
            top = np.sort(rows[-1])
            yield prompt, [int(rows[-1].argmax())], rows, 0, top[-1] - top[-2]
        elif name not in LONG_FACTORS_ONLY or sequence is reference["sequences"][-1]:
            logits = sequence["logits"]
            yield prompt, sequence["greedy"], recorded[logits["tensor"]], logits["first_position"], sequence["smallest_gap"]


def check_family(report, folder: Path, work: Path):
    name = folder.name
    source = folder
    if name in TAKEN_FOR_GRANTED:
        source = work / name
        shutil.copytree(folder, source)
        config = json.loads((folder / "config.json").read_text())
        (source / "config.json").write_text(json.dumps(config | TAKEN_FOR_GRANTED[name]))
    file = work / f"{name}.gguf"
    run("convert", source, "-t", "f32", "-o", file)  # with F16 or BF16 weights llama.cpp also rounds the activations
    model = Model(with_vocabulary_of_nothing(file, json.loads((folder / "config.json").read_text())["vocab_size"]), 256)
    off, steps, same = 0.0, 0, 0
    for prompt, greedy, wanted, first, gap in sequences_of(folder, work):
        logits = model.logits(prompt + greedy[:-1])
        off = max(off, float(np.abs(logits[first : first + len(wanted)] - wanted).max()))
        if gap > 2 * off:
            steps += len(greedy)
            same += int((logits[len(prompt) - 1 :].argmax(1) == greedy).sum())
    model.close()
    allowed = GELU_TABLE if name.startswith(USES_GELU) else EXACT
    good = off <= allowed and same == steps > 0
    report.line(good, f"{name}: logits off by {off:.1e} (allowed {allowed}), {same} of {steps} greedy tokens the same")


def check_types(report, work: Path):
    config = wide_checkpoint(work / "wide")
    vocabulary_size = config["vocab_size"]
    ids = np.random.default_rng(2).integers(3, vocabulary_size, 40).tolist()
    for kind in LARGEST_ERROR:
        file = work / f"wide-{kind}.gguf"
        run("quantize", work / "wide", "-t", kind, "--pure", "-o", file)
        ours = our_logits(file, ids, work)
        model = Model(with_vocabulary_of_nothing(file, vocabulary_size), 256)
        theirs = model.logits(ids)
        model.close()
        off = float(np.sqrt(((ours - theirs) ** 2).mean() / (theirs**2).mean()))
        report.line(off <= QUANTISED, f"{kind}: our logits and llama.cpp's differ by {100 * off:.3f} % (allowed {100 * QUANTISED:.0f} %)")


def ggml_pack(values, kind):
    base = ctypes.CDLL(str(next(Path(lib.__file__).parent.glob("lib/libggml-base.so*"))))
    base.ggml_quantize_chunk.restype = ctypes.c_size_t
    base.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + 3 * [ctypes.c_int64] + [ctypes.c_void_p]
    rows, columns = values.shape
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    packed = np.zeros((rows, columns // block * block_bytes), np.uint8)
    importance = np.ones(columns, np.float32)
    values = np.ascontiguousarray(values, np.float32)
    base.ggml_quantize_chunk(int(kind), values.ctypes.data, packed.ctypes.data, 0, rows, columns, importance.ctypes.data)
    return packed


def check_stored_types(report, work: Path):
    config = wide_checkpoint(work / "wide-stored")
    ids = np.random.default_rng(2).integers(3, config["vocab_size"], 40).tolist()
    plain = work / "wide-f32.gguf"
    run("quantize", work / "wide-stored", "-t", "f32", "-o", plain)
    reader = gguf.GGUFReader(with_vocabulary_of_nothing(plain, config["vocab_size"]))
    architecture = reader.get_field("general.architecture").contents()
    for name in ONLY_READ:
        kind = gguf.GGMLQuantizationType[name]
        file = work / f"stored-{name}.gguf"
        writer = gguf.GGUFWriter(file, architecture)
        for field in reader.fields.values():
            if not field.name.startswith("GGUF.") and field.name != "general.architecture":
                writer.add_key_value(field.name, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
        for tensor in reader.tensors:
            data, stored = tensor.data, tensor.tensor_type
            if len(tensor.shape) == 2:
                data, stored = ggml_pack(data, kind), kind
            writer.add_tensor(tensor.name, data, raw_dtype=stored)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        ours = our_logits(file, ids, work)
        model = Model(file, 256)
        theirs = model.logits(ids)
        model.close()
        off = float(np.sqrt(((ours - theirs) ** 2).mean() / (theirs**2).mean()))
        report.line(off <= QUANTISED, f"{name}: our logits and llama.cpp's differ by {100 * off:.3f} % (allowed {100 * QUANTISED:.0f} %)")


def perplexity(model, tokens, window):
    nll = []
    for start in range(0, len(tokens), window):
        ids = tokens[start : start + window]
        if len(ids) < 2:
            continue
        logits = model.logits(ids[:-1]).astype(np.float64)
        logits -= logits.max(1, keepdims=True)
        nll.append(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(ids) - 1), ids[1:]])
    return float(np.exp(np.concatenate(nll).mean()))


def check_stories(report, work: Path):
    file = shared("weights/stories260K/stories260K.gguf")
    sample = work / "sample.txt"
    sample.write_bytes(shared("text/tinystories/tinystories_sample_2MiB.txt").read_bytes()[:20000])
    tokens = run_json("tokenize", file, "--json", text=sample.read_bytes())
    model = Model(file, 256)
    answer = run_json("run", file, "-p", "Once upon a time", "-n", "150", "--temp", "0", "--ignore-eos", "--json")
    predicted = model.logits(answer["prompt_ids"] + answer["ids"][:-1])[len(answer["prompt_ids"]) - 1 :].argmax(1)
    report.line(predicted.tolist() == answer["ids"], f"stories260K: {len(answer['ids'])} greedy tokens the same")
    model.close()
    for kind in ("f32", "q8_0", "q4_0"):
        ours_file = work / f"stories-{kind}.gguf"
        run("quantize", file, "-t", kind, "-o", ours_file)
        ours = run_json("eval", ours_file, "--ppl", sample, "--ctx", "256", "--json")["ppl"]
        model = Model(ours_file, 256)
        theirs = perplexity(model, tokens, 256)
        model.close()
        good = abs(ours / theirs - 1) <= (1e-4 if kind == "f32" else PERPLEXITY)
        report.line(good, f"stories260K {kind}: perplexity {ours:.4f}, llama.cpp {theirs:.4f}")


def main():
    need_program()
    lib.llama_log_set(keep_log, None)
    lib.llama_backend_init()
    report = Report()
    print(f"llama-cpp-python {lib.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for checkpoint in sorted(path.parent for path in MODELS.glob("*/reference.json")):
            if checkpoint.name in LEFT_OUT:
                print(f"     {checkpoint.name}: llama.cpp has {LEFT_OUT[checkpoint.name]}")
                continue
            try:
                check_family(report, checkpoint, work)
            except RuntimeError as error:
                report.line(False, f"{checkpoint.name}: {error}")
        check_types(report, work)
        check_stored_types(report, work)
        if has_shared("weights/stories260K"):
            check_stories(report, work)
    report.finish()


if __name__ == "__main__":
    main()

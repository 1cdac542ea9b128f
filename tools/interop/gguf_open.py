#!/usr/bin/env python3
"""GGUF files that we write, read by the gguf package: names, shapes, types, metadata and values.

Every checkpoint of tests/data/models is converted; the names come from the package's own tables, and what the format wants rearranged (rotary
rows, norms plus one, transposed matrices, fused rows by part, stacked experts) is done here a second time, in NumPy. Then a model wide enough for
the K formats is quantised into each type and unpacked by the package: the error must be what the type's bits allow, and for the types that the
package can pack itself, no larger than the package's own. A converted model is also converted back, which has to give the same tensors, and both
files have to continue the recorded prompts as recorded, which says that their metadata is right.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

from checkpoint_numpy import load_weights, save_safetensors
from motley_program import MODELS, Report, need_program, run, run_json

ARCHITECTURES = {"mistral": "llama", "mixtral": "llama", "gemma3_text": "gemma3", "gpt_neox": "gptneox", "qwen3_moe": "qwen3moe"}
NOT_WEIGHTS = re.compile(r"rotary_emb\.inv_freq$|\.attn\.bias$|attention\.(bias|masked_bias)$")
EXPERT = re.compile(r"(.*\.experts)\.(\d+)\.(.*)\.weight$")
# Root of the mean squared error over the root of the mean square, for normal weights: a little above what careful rounding reaches.
LARGEST_ERROR = {
    "f32": 0, "f16": 3e-4, "bf16": 2.5e-3, "q8_0": 0.006, "q6_k": 0.02, "q5_k": 0.036, "q5_1": 0.039, "q5_0": 0.045,
    "q4_k": 0.072, "q4_1": 0.080, "q4_0": 0.095, "q3_k": 0.16, "q2_k": 0.32,
}  # fmt: skip


def read_field(reader, key):
    field = reader.get_field(key)
    return None if field is None else field.contents()


def values_of(tensor):
    """float32, rows first: the package lists dimensions innermost first and hands the data out in NumPy's order."""
    return dequantize(tensor.data, tensor.tensor_type).reshape([int(n) for n in reversed(tensor.shape)]).astype(np.float32)


# ---- what a converted file should hold ----------------------------------------------------------------------------------------------------


def interleave(rows, heads):
    """Llama's GGUF turns neighbouring rows, Hugging Face's turns row i with row i + half of a head."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def by_part(rows, heads):
    """GPT-NeoX: q, k, v of the first head, then of the second ... becomes all of q, all of k, all of v."""
    return rows.reshape(heads, 3, -1, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)


def stack_experts(weights):
    stacked = {}
    for name in sorted(weights, key=lambda n: [int(p) if p.isdigit() else p for p in n.split(".")]):
        found = EXPERT.match(name)
        stacked.setdefault(f"{found[1]}.{found[3]}.weight" if found else name, []).append(weights[name])
    return {name: np.stack(parts) if ".experts." in name else parts[0] for name, parts in stacked.items()}


def rearranged(name, value, config):
    family, heads = config["model_type"], config.get("num_attention_heads")
    if family in ("llama", "mistral", "mixtral") and re.search(r"\.[qk]_proj\.", name):
        return interleave(value, heads if ".q_proj." in name else config.get("num_key_value_heads", heads))
    if family.startswith("gemma") and name.endswith("norm.weight"):
        return value + 1
    if family == "gpt2" and re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name):
        return value.T
    if family == "gpt_neox" and ".query_key_value." in name:
        return by_part(value, heads)
    return value


def name_map(architecture, config):
    kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    return gguf.get_tensor_name_map(kind, config.get("num_hidden_layers", config.get("n_layer")))


def expected_tensors(folder: Path, config, architecture):
    names = name_map(architecture, config)
    names.mapping = name_map("llama", config).mapping | names.mapping  # the package has no dense layers in qwen3moe
    weights = {name: value for name, value in load_weights(folder).items() if not NOT_WEIGHTS.search(name)}
    if config["model_type"] == "gpt2":
        weights = {name if name.startswith("transformer.") else f"transformer.{name}": value for name, value in weights.items()}
    expected = {}
    for name, value in stack_experts(weights).items():
        if ".block_sparse_moe.experts." in name:
            name = name.replace("model.layers", "layers").replace("block_sparse_moe.experts", "feed_forward.experts")
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            sys.exit(f"{folder.name}: the gguf package knows no name for {name}")
        expected[found] = rearranged(name, value, config)
    return expected


def expected_metadata(config):
    """Keys without the architecture's name in front."""
    heads = config.get("num_attention_heads", config.get("n_head"))
    hidden = config.get("hidden_size", config.get("n_embd"))
    wanted = {
        "block_count": config.get("num_hidden_layers", config.get("n_layer")),
        "context_length": config.get("max_position_embeddings", config.get("n_positions")),
        "embedding_length": hidden,
        "feed_forward_length": config.get("intermediate_size") or config.get("n_inner") or 4 * hidden,
        "attention.head_count": heads,
        "expert_count": config.get("num_local_experts", config.get("num_experts")),
        "expert_used_count": config.get("num_experts_per_tok"),
        "rope.freq_base": config.get("rope_theta", config.get("rotary_emb_base")),
        "attention.layer_norm_rms_epsilon": config.get("rms_norm_eps"),
        "attention.layer_norm_epsilon": config.get("layer_norm_eps", config.get("layer_norm_epsilon")),
        "attn_logit_softcapping": config.get("attn_logit_softcapping"),
        "final_logit_softcapping": config.get("final_logit_softcapping"),
    }
    if config.get("num_key_value_heads", heads) != heads:
        wanted["attention.head_count_kv"] = config["num_key_value_heads"]
    if config.get("head_dim", hidden // heads) != hidden // heads:
        wanted["attention.key_length"] = wanted["attention.value_length"] = config["head_dim"]
    return {key: value for key, value in wanted.items() if value is not None}


# ---- checks -----------------------------------------------------------------------------------------------------------------------------


def check_conversion(report, folder: Path, file: Path):
    config = json.loads((folder / "config.json").read_text())
    architecture = ARCHITECTURES.get(config["model_type"], config["model_type"])
    reader = gguf.GGUFReader(file)
    wrong = []
    if read_field(reader, "general.architecture") != architecture:
        wrong.append(f"general.architecture is {read_field(reader, 'general.architecture')}, expected {architecture}")
    for key, value in expected_metadata(config).items():
        found = read_field(reader, f"{architecture}.{key}")
        if found is None or not np.isclose(float(found), float(value), rtol=1e-6):
            wrong.append(f"{key} is {found}, expected {value}")
    expected = expected_tensors(folder, config, architecture)
    found = {tensor.name: tensor for tensor in reader.tensors}
    extra = {name for name in found if name not in expected and not name.startswith("rope_f")}
    if extra or expected.keys() - found.keys():
        wrong.append(f"tensors too many {sorted(extra)}, missing {sorted(expected.keys() - found.keys())}")
    for name in expected.keys() & found.keys():
        value = values_of(found[name])
        if value.shape != expected[name].shape or not np.array_equal(value, expected[name]):
            wrong.append(f"{name} {value.shape} differs from the checkpoint's {expected[name].shape}")
    report.line(not wrong, f"convert {folder.name}: {len(expected)} tensors" + "".join(f"\n     {w}" for w in wrong))


def check_way_back(report, folder: Path, file: Path, back: Path):
    run("convert", file, "-o", back)
    before, after = load_weights(folder), load_weights(back)
    before = {name: value for name, value in before.items() if not NOT_WEIGHTS.search(name)}
    if folder.name == "gpt2":
        before = {f"transformer.{name}": value for name, value in before.items()}
    off = sorted(before.keys() ^ after.keys())
    for name in before.keys() & after.keys():
        # Gemma's norms plus one, minus one, are off by a rounding; all else has the same bits.
        tolerance = 5e-7 if folder.name.startswith("gemma") and name.endswith("norm.weight") else 0
        if not np.allclose(before[name], after[name], rtol=tolerance, atol=tolerance):
            off.append(name)
    report.line(not off, f"convert {folder.name} back" + "".join(f"\n     {name} differs" for name in off))


def check_answers(report, folder: Path, model: Path):
    """That the configuration arrived, too: each recorded prompt is continued as transformers continues the original."""
    wrong = []
    for sequence in json.loads((folder / "reference.json").read_text())["sequences"]:
        prompt, greedy = sequence["prompt"], sequence["greedy"]
        flags = ["-n", len(greedy), "--temp", "0", "--ignore-eos", "--json", "--kv-type", "f32", "--ctx-size", sequence["context"]]
        if run_json("run", model, "--ids", json.dumps(prompt), *flags)["ids"] != greedy:
            wrong.append(len(prompt))
    report.line(not wrong, f"run {model.name}: the recorded tokens" + (f" differ after prompts of {wrong}" if wrong else ""))


def wide_checkpoint(folder: Path):
    """A Llama with rows of 256 and 512 numbers: K formats pack 256 together."""
    config = json.loads((MODELS / "llama2/config.json").read_text())
    config |= {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1}
    rng = np.random.default_rng(1)
    kv = 256 // config["num_attention_heads"] * config["num_key_value_heads"]
    shapes = {"self_attn.q_proj": (256, 256), "self_attn.k_proj": (kv, 256), "self_attn.v_proj": (kv, 256), "self_attn.o_proj": (256, 256)}
    shapes |= {"mlp.gate_proj": (512, 256), "mlp.up_proj": (512, 256), "mlp.down_proj": (256, 512), "input_layernorm": (256,)}
    shapes = {f"model.layers.0.{name}.weight": shape for name, shape in shapes.items()}
    shapes |= {"model.layers.0.post_attention_layernorm.weight": (256,), "model.norm.weight": (256,)}
    shapes |= {"model.embed_tokens.weight": (config["vocab_size"], 256), "lm_head.weight": (config["vocab_size"], 256)}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    save_safetensors(folder / "model.safetensors", {name: rng.standard_normal(shape).astype(np.float32) / 16 for name, shape in shapes.items()})
    return config


def relative_error(value, expected):
    return float(np.sqrt(((value - expected) ** 2).mean() / (expected**2).mean()))


def error_of_the_package(expected, kind, otherwise):
    try:
        return relative_error(dequantize(quantize(expected, kind), kind), expected)
    except NotImplementedError:  # it unpacks the K formats but does not pack them
        return otherwise


def check_quantisation(report, work: Path):
    folder = work / "wide"
    expected = expected_tensors(folder, wide_checkpoint(folder), "llama")
    for kind, largest in LARGEST_ERROR.items():
        file = work / f"wide-{kind}.gguf"
        run("quantize", folder, "-t", kind, "--pure", "-o", file)
        wrong, worst, packed = [], 0.0, 0
        for tensor in gguf.GGUFReader(file).tensors:
            error = relative_error(values_of(tensor), expected[tensor.name])
            if len(tensor.shape) == 1 and error != 0:
                wrong.append(f"{tensor.name}: a vector lost precision")
            elif len(tensor.shape) == 2 and tensor.tensor_type.name.lower() == kind:
                packed += 1
                worst = max(worst, error)
                theirs = error_of_the_package(expected[tensor.name], tensor.tensor_type, largest)
                if error > min(theirs * 1.001, largest):
                    wrong.append(f"{tensor.name}: relative error {error:.4f}, the package's {theirs:.4f}, at most {largest}")
        if packed != 9:
            wrong.append(f"{packed} of 9 matrices are stored as {kind}")
        report.line(not wrong, f"quantize to {kind}: relative error up to {worst:.5f}" + "".join(f"\n     {w}" for w in wrong))


def main():
    need_program()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for checkpoint in sorted(path.parent for path in MODELS.glob("*/reference.json")):
            file = work / f"{checkpoint.name}.gguf"
            run("convert", checkpoint, "-o", file)
            check_conversion(report, checkpoint, file)
            back = work / f"{checkpoint.name}-back"
            check_way_back(report, checkpoint, file, back)
            check_answers(report, checkpoint, file)
            check_answers(report, checkpoint, back)
        check_quantisation(report, work)
    report.finish()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How far our logits and llama.cpp's are from the exact ones on the same quantised GGUF files, and what that does to perplexity.

    ./dev interop peer_accuracy             prints the tables
    ./dev interop peer_accuracy --write     and puts them into docs/performance.md

`motley quantize` writes each file once; both programs read that file, with a cache in F32 and no flash attention. What is exact is computed here
in float64 from the weights as the gguf package unpacks them. So the error of a program's logits is what its own arithmetic adds, above all that
activations are rounded to 8 bits; what the file's rounding of the weights costs stands beside it and is the same for both. Errors are the root
of the mean square over all positions and tokens, as a share of the exact logits' (without their mean, which no probability depends on).

The models: stories260K on stories, and two checkpoints of random weights wide enough for the K formats on text that they wrote themselves, the
second with norms in which a few channels stand out twentyfold, as they do in trained models.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent / "bench")]

from llama_cpp_check import Model, keep_log, lib, our_logits, with_vocabulary_of_nothing  # skips where llama.cpp is absent
from motley_program import Report, has_shared, need_program, run, run_json, shared
from reference_ppl import forward
from tables import publish, stamp, table

import gguf
import numpy as np

from checkpoint_numpy import save_safetensors
from gguf_open import values_of

FORMATS = ("q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k")
RECIPES = ("q3_k_m", "q4_k_m", "q5_k_m")
WINDOW = 256
EXACT = 1e-5  # without rounding, the two ways to the exact logits agree
ALLOWED_ERROR = 1.03  # times llama.cpp's: where both round alike, two roundings of the same numbers differ by chance
# Perplexity may be above llama.cpp's by what chance explains: the mean of the tokens' differences is at most this many of its standard errors.
ALLOWED_DEVIATIONS = 3

HF_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
}  # fmt: skip


def hf_name(name):
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{HF_NAMES[parts[2]]}.weight"
    return f"{HF_NAMES[parts[0]]}.weight"


def half_split(rows, heads):
    """A Llama's GGUF turns neighbouring rows; the reference turns row i with row i + half of a head."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, rows.shape[1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def weights_of(file: Path, config):
    """A file's weights in float64, and the type that most matrices have."""
    weights, types = {}, Counter()
    for tensor in gguf.GGUFReader(file).tensors:
        value = values_of(tensor).astype(np.float64)
        if ".attn_q." in tensor.name or ".attn_k." in tensor.name:
            value = half_split(value, config["num_attention_heads" if ".attn_q." in tensor.name else "num_key_value_heads"])
        weights[hf_name(tensor.name)] = value
        if value.ndim == 2:
            types[tensor.tensor_type.name] += 1
    return weights, types.most_common(1)[0][0].lower()


def exact_logits(weights, config, windows):
    """A file may hold a head beside an embedding that was tied to it, rounded differently."""
    return forward(config | {"tie_word_embeddings": "lm_head.weight" not in weights}, weights, np.array(windows))


def random_checkpoint(folder: Path, layers, hidden, inner, vocabulary, outliers):
    """A Llama whose layers change what passes through them about as much as it was, and whose logits spread over a few units."""
    heads = hidden // 64
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": heads // 2, "vocab_size": vocabulary, "max_position_embeddings": 2 * WINDOW,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False, "torch_dtype": "float32",
    }  # fmt: skip
    rng = np.random.default_rng(hidden)

    def matrix(rows, columns, scale=1.0):
        return (rng.standard_normal((rows, columns)) * scale / np.sqrt(columns)).astype(np.float32)

    def norm():
        weight = rng.uniform(0.5, 1.5, hidden)
        weight[rng.choice(hidden, outliers, replace=False)] *= 20
        return weight.astype(np.float32)

    weights = {"model.embed_tokens.weight": matrix(vocabulary, hidden, np.sqrt(hidden)), "lm_head.weight": matrix(vocabulary, hidden, 2.0)}
    weights["model.norm.weight"] = np.ones(hidden, np.float32)
    for layer in range(layers):
        p = f"model.layers.{layer}."
        shapes = {"q": (hidden, hidden), "k": (hidden // 2, hidden), "v": (hidden // 2, hidden), "o": (hidden, hidden)}
        weights |= {f"{p}self_attn.{name}_proj.weight": matrix(*shape) for name, shape in shapes.items()}
        shapes = {"gate": (inner, hidden), "up": (inner, hidden), "down": (hidden, inner)}
        weights |= {f"{p}mlp.{name}_proj.weight": matrix(*shape) for name, shape in shapes.items()}
        weights |= {f"{p}input_layernorm.weight": norm(), f"{p}post_attention_layernorm.weight": norm()}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    save_safetensors(folder / "model.safetensors", weights)
    return config


def written_by_itself(model: Path, windows):
    """Texts drawn from the model's own probabilities, so that perplexity means something where no text was learnt."""
    flags = ["--ids", "[1]", "-n", WINDOW - 1, "--temp", "1", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--ignore-eos", "--json"]
    return [[1] + run_json("run", model, *flags, "--seed", seed)["ids"] for seed in range(1, windows + 1)]


def negative_log_likelihoods(logits, windows):
    """Of each window's tokens after its first."""
    shifted = logits - logits.max(-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(-1))
    chosen = np.take_along_axis(shifted[:, :-1], np.array(windows)[:, 1:, None], -1)[..., 0]
    return (log_sum[:, :-1] - chosen).ravel()


def centred(logits):
    return logits - logits.mean(-1, keepdims=True)


def error(logits, exact):
    """The root of the mean square, and the largest, both over the root of the mean square of the exact logits."""
    off, size = centred(logits) - centred(exact), np.sqrt((centred(exact) ** 2).mean())
    return float(np.sqrt((off**2).mean()) / size), float(np.abs(off).max() / size)


def logits_of_ours(file: Path, windows, work: Path):
    return np.stack([our_logits(file, window, work) for window in windows]).astype(np.float64)


def logits_of_llama_cpp(file: Path, windows):
    model = Model(file, WINDOW)
    rows = np.stack([model.logits(window) for window in windows]).astype(np.float64)
    model.close()
    return rows


def compare(report, name, source: Path, config, windows, work: Path):
    """A row for every format alone and every mixed recipe, of those the model's rows fit."""
    plain = work / f"{name}-f32.gguf"
    run("quantize", source, "-t", "f32", "-o", plain)
    exact_f32 = exact_logits(weights_of(plain, config)[0], config, windows)
    off = error(logits_of_ours(plain, windows, work), exact_f32)[0]
    report.line(off <= EXACT, f"{name} f32: logits off by {off:.1e} of the float64 ones (allowed {EXACT})")
    perplexity_f32 = np.exp(negative_log_likelihoods(exact_f32, windows).mean())
    rows = []
    for kind in FORMATS + RECIPES:
        file = work / f"{name}-{kind}.gguf"
        run("quantize", source, "-t", kind, *(["--pure"] if kind in FORMATS else []), "-o", file)
        file = with_vocabulary_of_nothing(file, config["vocab_size"])
        weights, most = weights_of(file, config)
        if kind in FORMATS and most != kind:
            continue  # the rows are too short for it, and another format took its place
        exact = exact_logits(weights, config, windows)
        ours = logits_of_ours(file, windows, work)
        theirs = logits_of_llama_cpp(file, windows)
        (our_rms, our_most), (their_rms, their_most) = error(ours, exact), error(theirs, exact)
        losses = [negative_log_likelihoods(x, windows) for x in (exact, ours, theirs)]
        p_exact, p_ours, p_theirs = (float(np.exp(x.mean())) for x in losses)
        above = losses[1] - losses[2]
        deviations = float(above.mean() / above.std() * np.sqrt(above.size))
        good = our_rms <= ALLOWED_ERROR * their_rms and deviations <= ALLOWED_DEVIATIONS
        text = f"logits off by {100 * our_rms:.3f} %, llama.cpp's by {100 * their_rms:.3f} %; perplexity {p_ours:.4f}, llama.cpp {p_theirs:.4f}"
        text += f" ({deviations:+.1f} standard errors)"
        report.line(good, f"{name} {kind}: {text}")
        percents = [f"{100 * our_rms:.2f}", f"{100 * their_rms:.2f}", f"{our_rms / their_rms:.2f}"]
        percents += [f"{100 * our_most:.0f}", f"{100 * their_most:.0f}"]
        from_f32 = [f"{100 * error(x, exact_f32)[0]:.2f}" for x in (exact, ours, theirs)]
        perplexities = [f"{p:.3f}" for p in (p_exact, p_ours, p_theirs)]
        rows.append([kind, *percents, *from_f32, *perplexities, f"{deviations:+.1f}"])
        file.unlink()
    header = ["type", "RMS error %: ours", "llama.cpp", "ratio", "largest %: ours", "llama.cpp", "from F32 %: exact", "ours", "llama.cpp"]
    header += ["perplexity: exact", "ours", "llama.cpp", "above by standard errors"]
    return f"**{name}**: perplexity in F32 {perplexity_f32:.4f}, {len(windows)} windows of {WINDOW} tokens.\n\n" + table(header, rows)


def stories(work: Path):
    folder = shared("weights/stories260K")
    text = shared("text/tinystories/tinystories_sample_2MiB.txt").read_bytes()[:20000]
    file = folder / "stories260K.gguf"
    tokens = run_json("tokenize", file, "--json", text=text)
    windows = [tokens[i : i + WINDOW] for i in range(0, len(tokens) - WINDOW, WINDOW)]
    return file, json.loads((folder / "hf/config.json").read_text()), windows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.parse_args()
    need_program()
    lib.llama_log_set(keep_log, None)
    lib.llama_backend_init()
    report, parts = Report(), [f"{stamp()}; llama.cpp of llama-cpp-python {lib.__version__}."]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if has_shared("weights/stories260K"):
            parts.append(compare(report, "stories260K", *stories(work), work))
        for name, shape in {"random, 512 wide": (4, 512, 1536, 1024, 0), "random, 1024 wide, outliers": (3, 1024, 2816, 1024, 6)}.items():
            source = work / name
            config = random_checkpoint(source, *shape)
            parts.append(compare(report, name, source, config, written_by_itself(source, 4), work))
    publish("accuracy", "\n\n".join(parts))
    report.finish()


if __name__ == "__main__":
    main()

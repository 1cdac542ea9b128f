#!/usr/bin/env python3
"""Makes tests/data/models: a tiny random checkpoint of every model family, and what it must answer.

Each folder is a checkpoint in Hugging Face layout (config.json, generation_config.json, model.safetensors), small enough to commit, with the
parts that make its family different switched on: windows shorter than the prompts, soft caps, scaled rotary angles, biases, expert layers.
config.json is written the way published checkpoints of that family write it; config.v5.json says the same in the words of transformers 5
(rope_parameters, layer_types), which newer checkpoints use. tests/data/models/README.md describes reference.json and reference.safetensors.

The expected values come from the transformers package, which runs every model twice: in float32, and with every intermediate in float64.
The float64 logits are the reference; the distance between the two is recorded, so a test can see how much of its tolerance is real.

Weights are drawn by NumPy's PCG64 from a seed in the family's name, so the checkpoints do not depend on the version of torch. The first seed is
taken whose greedy tokens are varied and never close to a tie (see `answer`).

    python3 -m venv .venv/vectors
    .venv/vectors/bin/pip install transformers torch numpy safetensors      # (torch: the CPU build is enough)
    .venv/vectors/bin/python tools/make_model_vectors.py [--out tests/data/models] [family ...]
"""

import argparse
import copy
import json
import math
import shutil
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
import transformers
from torch.overrides import TorchFunctionMode

from model_vector_families import FAMILIES, Family

GREEDY_STEPS = 32
MIN_GAP = 0.01  # between the two best logits of a greedy step: 50 times the 2e-4 that an implementation may be off
MIN_ROUTER_GAP = 1e-3  # between the last expert chosen and the first one not chosen, in router logits
MAX_FLOAT32_ERROR = 4e-5  # a checkpoint that amplifies rounding beyond this says nothing about an implementation
MIN_EFFECT = 1e-3  # on some logit, of leaving out a part that the family is there to show: 5 times the 2e-4
MAX_SEEDS = 200
EAGER = {"attn_implementation": "eager", "experts_implementation": "eager"}  # the plain formulas: fused kernels know no float64


class InDouble(TorchFunctionMode):
    """Turns every float32 that a model asks for into float64: norms, softmax and rotary angles upcast to float32 by name.

    A float32 tensor that still appears is an error, so the reference cannot silently lose its precision.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        def widen(value):
            return torch.float64 if value is torch.float32 else value

        if function is torch.Tensor.float:
            function = torch.Tensor.double
        result = function(*map(widen, args), **{key: widen(value) for key, value in (kwargs or {}).items()})
        if isinstance(result, torch.Tensor) and result.dtype is torch.float32:
            raise RuntimeError(f"{function} made a float32 tensor inside the float64 reference")
        return result


# ---- weights ----------------------------------------------------------------------------------------------------------------------------


def tensor_shapes(config):
    """Names and shapes as transformers stores them on disk, which are those of published checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        return {name: tuple(value.shape) for name, value in safetensors.torch.load_file(Path(folder) / "model.safetensors").items()}


def draw_weights(family: Family, shapes, seed):
    """Random weights with the variance that keeps attention, gates and logits away from both flat and saturated."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(family.name.encode()) + seed))
    weights = {}
    for name in sorted(shapes):
        shape = shapes[name]
        normal = rng.standard_normal(shape)
        is_norm = any(part in name for part in ("norm", ".ln_")) and len(shape) == 1
        if name.endswith(".bias"):
            value = 0.2 * normal
        elif is_norm:
            value = 0.3 * normal + family.norm_mean(name)
        elif any(part in name for part in ("embed_tokens", "wte", "wpe", "embed_in")):
            value = family.embedding_scale * normal
        elif any(part in name for part in ("lm_head", "embed_out")):
            value = 2.5 / math.sqrt(shape[1]) * normal
        else:
            inputs = shape[0] if family.linear_is_input_first else shape[-1]
            value = family.gain / math.sqrt(inputs) * normal
        weights[name] = torch.from_numpy(value).to(family.dtype)
    return weights


def published_form(family: Family, config, weights):
    """Adds and renames what published files have and transformers no longer writes; readers must cope with both."""
    for old, new in family.renames:
        weights = {name.replace(old, new, 1) if name.startswith(old) else name: value for name, value in weights.items()}
    for layer in range(config.num_hidden_layers):
        for name, make in family.stale_buffers.items():
            weights[name.format(layer)] = make(config)
    return weights


def write_checkpoint(family: Family, folder: Path, weights):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(family.config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(family.generation_config, indent=2) + "\n")
    names = sorted(weights)
    shards = [names[i :: family.shards] for i in range(family.shards)]
    files = ["model.safetensors"]
    if family.shards > 1:
        files = [f"model-{i + 1:05}-of-{family.shards:05}.safetensors" for i in range(family.shards)]
        total = sum(value.numel() * value.element_size() for value in weights.values())
        index = {"metadata": {"total_size": total}, "weight_map": {name: file for file, shard in zip(files, shards) for name in shard}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    for file, shard in zip(files, shards):
        safetensors.torch.save_file({name: weights[name].contiguous() for name in shard}, folder / file, metadata={"format": "pt"})
        (folder / file).chmod(0o644)  # the package makes private files


# ---- what the checkpoint answers --------------------------------------------------------------------------------------------------------


@dataclass
class Sequence:
    """A prompt, its greedy continuation, and the logits of some positions of the two together."""

    prompt: list
    context: int  # build the model for at least this many positions: it decides between the short and long rotary factors of Phi-3
    keep: slice  # positions whose logits are stored
    greedy: list
    logits: np.ndarray  # all positions but the last, float64
    gaps: np.ndarray  # best minus second best logit at each greedy step


def make_prompts(family: Family, vocab_size):
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(family.name.encode())))
    lengths = [1, 7, 21, family.long_prompt]
    return [rng.integers(3, vocab_size, size=length).tolist() for length in lengths]


def run_greedy(model, prompt):
    """Tokens by whole forward passes, no cache: the plainest reading of the model there is. End tokens do not stop it."""
    ids = list(prompt)
    for _ in range(GREEDY_STEPS):
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
        ids.append(int(logits[-1].argmax()))
    top = logits[len(prompt) - 1 :].topk(2).values
    return ids[len(prompt) :], logits.numpy(), (top[:, 0] - top[:, 1]).numpy()


class RouterWatch:
    """Records the smallest distance, in router logits, between the experts chosen and the best one left out."""

    def __init__(self, model, config):
        self.smallest = math.inf
        chosen = getattr(config, "num_experts_per_tok", None)
        for module in model.modules():
            if type(module).__name__.endswith("TopKRouter"):
                module.register_forward_hook(lambda module, inputs, output: self.see(output[0], chosen))

    def see(self, router_logits, chosen):
        best = router_logits.sort(-1, descending=True).values
        self.smallest = min(self.smallest, float((best[..., chosen - 1] - best[..., chosen]).min()))


def load(folder, **changes):
    """In float32 whatever the file holds; `changes` go over the config."""
    config = json.loads((folder / "config.json").read_text()) | changes
    config = transformers.AutoConfig.for_model(**config)
    return transformers.AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, **EAGER).eval()


def answer(family: Family, folder: Path):
    """The config, the sequences and the largest error of transformers' own float32; None as soon as a sequence makes a poor test."""
    single = load(folder)
    with InDouble():
        torch.set_default_dtype(torch.float64)
        double = transformers.AutoModelForCausalLM.from_config(copy.deepcopy(single.config), dtype=torch.float64, **EAGER).eval()
        torch.set_default_dtype(torch.float32)
    double.load_state_dict({name: value.double() for name, value in single.state_dict().items()})
    watch = RouterWatch(double, single.config)

    prompts = make_prompts(family, single.config.vocab_size)
    keeps = [slice(0, 1 + GREEDY_STEPS - 1), slice(0, 7), slice(20, 21), slice(0, family.long_prompt)]
    contexts = [family.context] * 3 + [max(family.context, family.long_prompt + GREEDY_STEPS)]
    sequences, error = [], 0.0
    for prompt, keep, context in zip(prompts, keeps, contexts):
        with InDouble(), torch.no_grad():
            greedy, logits, gaps = run_greedy(double, prompt)
        assert logits.dtype == np.float64
        with torch.no_grad():
            error = max(error, distance(single, torch.tensor([prompt + greedy[:-1]]), logits))
        sequences.append(Sequence(prompt, context, keep, greedy, logits, gaps))
        if gaps.min() < MIN_GAP or watch.smallest < MIN_ROUTER_GAP or len(set(greedy)) < family.min_distinct or error > MAX_FLOAT32_ERROR:
            return None
    return single.config, sequences, error


def distance(model, ids, logits):
    return float(np.abs(model(input_ids=ids, use_cache=False).logits[0].numpy() - logits).max())


def assert_parts_matter(family: Family, folder: Path, sequences):
    """A reference that a reader reproduces while ignoring a field of the config would prove nothing about that field."""
    longest = sequences[-1]
    ids = torch.tensor([longest.prompt + longest.greedy[:-1]])
    for change in family.matters:
        with torch.no_grad():
            moved = distance(load(folder, **change), ids, longest.logits)
        if moved < MIN_EFFECT:
            sys.exit(f"{family.name}: the logits move by only {moved:.2g} with {change}")


def write_reference(family: Family, folder: Path, config, seed, sequences, error):
    reference = {
        "family": family.name,
        "shows": family.shows,
        "made_with": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]},
        "seed": seed,
        "float32_error": float(f"{error:.3g}"),
        "sequences": [
            {
                "prompt": s.prompt,
                "context": s.context,
                "greedy": s.greedy,
                "smallest_gap": float(f"{s.gaps.min():.4g}"),
                "logits": {"tensor": f"logits.{i}", "first_position": s.keep.start},
            }
            for i, s in enumerate(sequences)
        ],
    }
    text = json.dumps(reference, indent=1)
    (folder / "reference.json").write_text(shorten_lists(text) + "\n")
    stored = {f"logits.{i}": s.logits[s.keep].astype(np.float32) for i, s in enumerate(sequences)}
    safetensors.numpy.save_file(stored, folder / "reference.safetensors")
    (folder / "reference.safetensors").chmod(0o644)
    config.dtype = family.dtype
    v5 = {key: value for key, value in config.to_diff_dict().items() if key not in ("_name_or_path", "transformers_version")}
    (folder / "config.v5.json").write_text(json.dumps(v5, indent=2, sort_keys=True) + "\n")


def shorten_lists(text):
    """Lists of numbers on one line each: json.dumps gives every token a line of its own."""
    out, inside = [], False
    for line in text.split("\n"):
        if line.endswith("[") and '"sequences"' not in line:
            out.append(line)
            inside = True
        elif inside:
            out[-1] += line.strip() + ("" if line.strip().startswith("]") else " ")
            inside = not line.strip().startswith("]")
        else:
            out.append(line)
    return "\n".join(line.replace(" ]", "]") for line in out)


def make_family(family: Family, out: Path):
    folder = out / family.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(family.config))
    config = transformers.AutoConfig.from_pretrained(folder)
    shapes = tensor_shapes(config)
    for seed in range(MAX_SEEDS):
        weights = draw_weights(family, shapes, seed)
        write_checkpoint(family, folder, published_form(family, config, weights))
        answered = answer(family, folder)
        if answered is None:
            continue
        loaded_config, sequences, error = answered
        assert_parts_matter(family, folder, sequences)
        write_reference(family, folder, loaded_config, seed, sequences, error)
        gap, distinct = (min(values) for values in zip(*((s.gaps.min(), len(set(s.greedy))) for s in sequences)))
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{family.name:18} seed {seed:3}  gap {gap:.3f}  distinct {distinct:2}  float32 off by {error:.1e}  {size} bytes", flush=True)
        return
    sys.exit(f"{family.name}: none of {MAX_SEEDS} seeds gave varied tokens away from ties")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("families", nargs="*", help="only these (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "tests/data/models")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    known = {family.name: family for family in FAMILIES}
    for name in arguments.families or known:
        if name not in known:
            parser.error(f"no family {name}; there are: {', '.join(known)}")
        make_family(known[name], arguments.out)


if __name__ == "__main__":
    main()

"""Learning by PyTorch from the weights and data that the program draws, so that losses can be compared without a file changing hands.

    losses = learn(config, rows=4, length=64, steps=50, rate=1e-4)

Both sides draw by the same formulas: Philox4x32-10 (Salmon et al. 2011) keyed by the seed and the state's name, N(0, 0.02) by Box-Muller, matrices that
add to the residual stream divided by sqrt(2 layers); token `at` of row `row` in step `step` is (7919 row + 104729 at + 15485863 step) mod vocabulary.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))
import torch_training  # noqa: E402

SEED, DEVIATION = 1, 0.02
CLIP, DECAY = 1.0, 0.1


def philox(seed, stream, index):
    """The words at these indices (uint64 array) of a stream."""
    mask = np.uint64(0xFFFFFFFF)
    group = index // np.uint64(4)
    c = [group & mask, group >> np.uint64(32), np.full_like(group, stream & 0xFFFFFFFF), np.full_like(group, stream >> 32)]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), b & mask, (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), a & mask]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.choose((index % np.uint64(4)).astype(np.int64), c)


def stream_of(name):
    h = 14695981039346656037
    for byte in name.encode():
        h = ((h ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return h & ~1


def normal(name, count, piece=1 << 22):
    out = np.empty(count, np.float32)
    for begin in range(0, count, piece):
        i = np.arange(begin, min(count, begin + piece), dtype=np.uint64) * np.uint64(2)
        u = (philox(SEED, stream_of(name), i).astype(np.float64) + 1) * 2.0**-32
        v = philox(SEED, stream_of(name), i + np.uint64(1)).astype(np.float64) * 2.0**-32
        out[begin : begin + len(i)] = np.sqrt(-2 * np.log(u)) * np.cos(2 * math.pi * v)
    return out


def states_of(model, config):
    """(state's name, parameter, whether the state lies transposed) of a model of torch_training."""
    if config["model_type"] == "gpt2":
        yield "transformer.wte.weight", model.tokens.weight, False
        yield "transformer.wpe.weight", model.places.weight, False
        for i, block in enumerate(model.blocks):
            parts = {"ln_1": block.ln_1, "ln_2": block.ln_2, "attn.c_attn": block.attn, "attn.c_proj": block.attn_out, "mlp.c_fc": block.up, "mlp.c_proj": block.down}
            for name, part in parts.items():
                yield f"transformer.h.{i}.{name}.weight", part.weight, part.weight.dim() == 2
                yield f"transformer.h.{i}.{name}.bias", part.bias, False
        yield "transformer.ln_f.weight", model.norm.weight, False
        yield "transformer.ln_f.bias", model.norm.bias, False
        return
    yield "model.embed_tokens.weight", model.tokens.weight, False
    for i, block in enumerate(model.blocks):
        parts = {"self_attn.q_proj": block.q, "self_attn.k_proj": block.k, "self_attn.v_proj": block.v, "self_attn.o_proj": block.o}
        parts |= {"mlp.gate_proj": block.gate, "mlp.up_proj": block.up, "mlp.down_proj": block.down}
        parts |= {"input_layernorm": block.norm_1, "post_attention_layernorm": block.norm_2}
        for name, part in parts.items():
            yield f"model.layers.{i}.{name}.weight", part.weight, False
    yield "model.norm.weight", model.norm.weight, False
    yield "lm_head.weight", model.head.weight, False


def draw_weights(model, config):
    layers = config.get("n_layer") or config["num_hidden_layers"]
    named = {p for _, p, _ in states_of(model, config)}
    assert named == set(model.parameters()), "every parameter has a name"
    with torch.no_grad():
        for name, parameter, transposed in states_of(model, config):
            if name.endswith(".bias"):
                parameter.zero_()
            elif parameter.dim() == 1:
                parameter.fill_(1)
            else:
                residual = name.endswith((".o_proj.weight", ".down_proj.weight", ".c_proj.weight"))
                size = np.float32(DEVIATION / math.sqrt(2 * layers) if residual else DEVIATION)
                shape = tuple(parameter.shape)[::-1] if transposed else tuple(parameter.shape)
                values = torch.from_numpy(size * normal(name, parameter.numel()).reshape(shape))
                parameter.copy_(values.t() if transposed else values)


def batch(vocabulary, rows, length, step):
    row, at = torch.arange(rows)[:, None], torch.arange(length + 1)[None, :]
    return (row * 7919 + at * 104729 + step * 15485863) % vocabulary


def learn(config, rows, length, steps, rate, dtype=torch.float32):
    """The losses of these steps, each before its update."""
    model = torch_training.make(config)
    draw_weights(model, config)
    model = model.to(dtype)
    optimizer = torch_training.optimizer_of(model, rate, DECAY)
    losses = []
    for step in range(1, steps + 1):
        ids = batch(config["vocab_size"], rows, length, step)
        logits = model(ids[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses

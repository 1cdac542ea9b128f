#!/usr/bin/env python3
"""Records what PyTorch computes, forward and back, for the layers and losses that learning adds, in double precision.

    python3 tools/make_layer_vectors.py tests/data/layers.json

Each case is an op with its settings as a graph's text says them, its inputs, weights that make one loss of the results, the results and the
loss's gradients to the float inputs. Needs torch.
"""
import json
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(2)
cases = []


def numbers(t):
    return [float(f"{x:.15g}") for x in t.detach().flatten().tolist()]


def record(name, op, fields, inputs, forward, learned=None, weights=None):
    """inputs: tensors in the op's order; integers are given. learned: indices with a gradient (default: all floats)."""
    learned = [i for i, t in enumerate(inputs) if t.is_floating_point()] if learned is None else learned
    inputs = [t.detach().clone().requires_grad_(i in learned) for i, t in enumerate(inputs)]
    out = forward(*inputs)
    out = out if isinstance(out, (list, tuple)) else [out]
    weights = weights or [torch.randn_like(o) if o is not None and o.requires_grad else None for o in out]
    sum((w * o).sum() for w, o in zip(weights, out) if w is not None).backward()
    cases.append({
        "name": name, "op": op, "fields": {k: str(v).lower() for k, v in fields.items()},
        "inputs": [{"f32": t.is_floating_point(), "shape": list(t.shape), "data": numbers(t)} for t in inputs],
        "weights": [None if w is None else numbers(w) for w in weights],
        "out": [None if o is None else numbers(o) for o in out],
        "grads": [numbers(t.grad) if i in learned else None for i, t in enumerate(inputs)],
    })


def recurrent(kind, gates_per_cell, lengths, batch=3, length=4, width=3):
    """The gates are the module's input: its input weights are the identity."""
    columns = gates_per_cell * width
    valid = (torch.arange(length)[None, :] < torch.tensor(lengths)[:, None])[..., None].double()

    def forward(gates, w, *rest):
        module = kind(columns, width, batch_first=True)
        biased = gates_per_cell == 3
        values = {"weight_ih_l0": torch.eye(columns), "bias_ih_l0": torch.zeros(columns), "weight_hh_l0": w,
                  "bias_hh_l0": rest[0] if biased else torch.zeros(columns)}
        packed = torch.nn.utils.rnn.pack_padded_sequence(gates, lengths, batch_first=True, enforce_sorted=False)
        out, _ = torch.func.functional_call(module, values, (packed,))
        return torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=length)[0]

    inputs = [torch.randn(batch, length, columns), torch.randn(columns, width)]
    if gates_per_cell == 3:
        inputs.append(torch.randn(columns))
    inputs.append(torch.tensor(lengths, dtype=torch.int32))
    name = "gru" if gates_per_cell == 3 else "lstm"
    record(name, name, {}, inputs, forward, weights=[torch.randn(batch, length, width) * valid])


def weighted(loss, rows, width_counts):
    def forward(x, y, w):
        each = loss(x, y)
        return [(each * w).sum().reshape(1), (w.sum() * (each.shape[1] if width_counts else 1)).reshape(1)]
    return forward


recurrent(torch.nn.GRU, 3, [4, 2, 1])
recurrent(torch.nn.LSTM, 4, [4, 2, 1])
for smoothing in (0, 0.1):
    record("cross_entropy", "cross_entropy", {"smoothing": smoothing},
           [torch.randn(5, 7), torch.tensor([3, -100, 0, 6, 2], dtype=torch.int32)],
           lambda x, t: F.cross_entropy(x, t.long(), reduction="sum", label_smoothing=smoothing).reshape(1))
row_weights = torch.rand(4, 1) + 0.1
record("binary", "binary_cross_entropy", {}, [torch.randn(4, 3) * 3, torch.rand(4, 3), row_weights],
       weighted(lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"), 4, True), learned=[0], weights=[torch.ones(1), None])
record("mse", "mean_squared_error", {}, [torch.randn(4, 3), torch.randn(4, 3), row_weights],
       weighted(lambda x, y: F.mse_loss(x, y, reduction="none"), 4, True), learned=[0, 1], weights=[torch.ones(1), None])
record("kl", "kl_divergence", {"temperature": 2}, [torch.randn(4, 5), torch.randn(4, 5), row_weights],
       weighted(lambda s, t: 4 * F.kl_div(F.log_softmax(s / 2, -1), F.log_softmax(t / 2, -1), reduction="none", log_target=True)
                .sum(1, keepdim=True), 4, False), learned=[0], weights=[torch.ones(1), None])
record("conv", "conv1d", {"stride": 2, "padding": 1, "dilation": 2}, [torch.randn(2, 9, 3), torch.randn(4, 3, 3)],
       lambda x, w: F.conv1d(x.transpose(1, 2), w, stride=2, padding=1, dilation=2).transpose(1, 2))
record("max pool", "pool", {"kind": "max", "kernel": 3, "stride": 2, "padding": 1}, [torch.randn(2, 7, 3)],
       lambda x: F.max_pool1d(x.transpose(1, 2), 3, 2, 1).transpose(1, 2))
record("average pool", "pool", {"kind": "average", "kernel": 3, "stride": 2, "padding": 1}, [torch.randn(2, 7, 3)],
       lambda x: F.avg_pool1d(x.transpose(1, 2), 3, 2, 1).transpose(1, 2))
record("batch norm", "batch_norm", {"eps": 0.0009765625}, [torch.randn(2, 5, 3) * 2 + 1, torch.rand(3) + 0.5, torch.randn(3)],
       lambda x, w, b: [F.batch_norm(x.reshape(-1, 3), None, None, w, b, True, eps=0.0009765625).reshape(x.shape), x.reshape(-1, 3).mean(0),
                        x.reshape(-1, 3).var(0)])
record("batch norm, fixed", "batch_norm_fixed", {"eps": 0.0009765625},
       [torch.randn(2, 5, 3), torch.rand(3) + 0.5, torch.randn(3), torch.randn(3), torch.rand(3) + 0.2],
       lambda x, w, b, m, v: F.batch_norm(x.reshape(-1, 3), m.detach(), v.detach(), w, b, False, eps=0.0009765625).reshape(x.shape), learned=[0, 1, 2])


def attention(q, k, v, positions, seq):
    """Two sequences of 4 and 3 tokens; queries share key heads in pairs."""
    parts = []
    for begin, end in ((0, 4), (4, 7)):
        heads = [t[begin:end].transpose(0, 1) for t in (q, k, v)]
        heads = [heads[0]] + [t.repeat_interleave(2, 0) for t in heads[1:]]
        parts.append(F.scaled_dot_product_attention(*heads, is_causal=True, scale=0.5).transpose(0, 1))
    return torch.cat(parts)


record("attention", "attention", {"scale": 0.5}, [torch.randn(7, 4, 3), torch.randn(7, 2, 3), torch.randn(7, 2, 5),
       torch.tensor([0, 1, 2, 3, 0, 1, 2], dtype=torch.int32), torch.tensor([0] * 4 + [1] * 3, dtype=torch.int32)], attention)

with open(sys.argv[1], "w") as file:
    json.dump({"torch": torch.__version__, "cases": cases}, file, separators=(",", ":"))
    file.write("\n")

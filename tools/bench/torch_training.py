"""The peer of `./dev bench train`: one model in plain PyTorch, whole training steps in float32, as its users write them.

    python3 tools/bench/torch_training.py CONFIG.json ROWS LENGTH STEPS THREADS   # prints one line of JSON
    python3 tools/bench/torch_training.py product M N K REPEATS THREADS           # a linear layer's product alone

Runs under PyTorch 1.13 as well as the current one: attention is the library's fused one where it has it, and AdamW the fused or the
multi-tensor form, whichever the version offers. Nothing but torch is imported, so that the memory measured is the library's.
"""

import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

FUSED_ATTENTION = hasattr(F, "scaled_dot_product_attention")


def attend(q, k, v):  # each [B, H, T, D]
    if FUSED_ATTENTION:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(q.size(-1)))
    future = torch.ones(q.size(-2), q.size(-2), dtype=torch.bool).triu(1)
    return F.softmax(scores.masked_fill(future, float("-inf")), dim=-1) @ v


def heads(x, count):
    return x.view(x.size(0), x.size(1), count, -1).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).reshape(x.size(0), x.size(2), -1)


class Gpt2Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = c["n_embd"]
        self.heads = c["n_head"]
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.attn_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, h):
        q, k, v = (heads(x, self.heads) for x in self.attn(self.ln_1(h)).chunk(3, dim=-1))
        h = h + self.attn_out(joined(attend(q, k, v)))
        return h + self.down(F.gelu(self.up(self.ln_2(h)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.tokens, self.places = nn.Embedding(c["vocab_size"], c["n_embd"]), nn.Embedding(c["n_positions"], c["n_embd"])
        self.blocks = nn.ModuleList(Gpt2Block(c) for _ in range(c["n_layer"]))
        self.norm = nn.LayerNorm(c["n_embd"])

    def forward(self, ids):
        h = self.tokens(ids) + self.places.weight[: ids.size(1)]
        for block in self.blocks:
            h = block(h)
        return self.norm(h) @ self.tokens.weight.t()


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rope(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class LlamaBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, wide = c["hidden_size"], c["intermediate_size"]
        self.heads = c["num_attention_heads"]
        self.norm_1, self.norm_2 = RmsNorm(width, c["rms_norm_eps"]), RmsNorm(width, c["rms_norm_eps"])
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up, self.down = nn.Linear(width, wide, bias=False), nn.Linear(width, wide, bias=False), nn.Linear(wide, width, bias=False)

    def forward(self, h, cos, sin):
        x = self.norm_1(h)
        q, k, v = (heads(w(x), self.heads) for w in (self.q, self.k, self.v))
        h = h + self.o(joined(attend(rope(q, cos, sin), rope(k, cos, sin), v)))
        x = self.norm_2(h)
        return h + self.down(F.silu(self.gate(x)) * self.up(x))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = c["hidden_size"]
        self.tokens = nn.Embedding(c["vocab_size"], width)
        self.blocks = nn.ModuleList(LlamaBlock(c) for _ in range(c["num_hidden_layers"]))
        self.norm, self.head = RmsNorm(width, c["rms_norm_eps"]), nn.Linear(width, c["vocab_size"], bias=False)
        dims = width // c["num_attention_heads"]
        angle = torch.outer(torch.arange(c["max_position_embeddings"]).float(), 10000.0 ** (-torch.arange(0, dims, 2).float() / dims))
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, ids):
        h, cos, sin = self.tokens(ids), self.cos[: ids.size(1)], self.sin[: ids.size(1)]
        for block in self.blocks:
            h = block(h, cos, sin)
        return self.head(self.norm(h))


def optimizer_of(model, lr, weight_decay=0.1):
    decayed, rest = [p for p in model.parameters() if p.dim() >= 2], [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    try:
        return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.999), fused=True)
    except (TypeError, RuntimeError):  # before fused ones ran on the CPU
        return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.999), foreach=True)


def make(config):
    return (Gpt2 if config["model_type"] == "gpt2" else Llama)(config)


def product(m, n, k, repeats, threads):
    """How near to the machine's limit a product comes that is not part of anything: its operands stay where they are."""
    torch.set_num_threads(threads)
    x, weight, out = torch.randn(m, k), torch.randn(n, k), torch.empty(m, n)
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        torch.mm(x, weight.t(), out=out)
        times.append(time.perf_counter() - begin)
    print(json.dumps({"torch": torch.__version__, "seconds": times[1:]}))


def main():
    if sys.argv[1] == "product":
        return product(*map(int, sys.argv[2:7]))
    config = json.load(open(sys.argv[1], encoding="utf-8"))
    rows, length, steps, threads = map(int, sys.argv[2:6])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = make(config)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() >= 2:
                p.normal_(0, 0.02)
    optimizer = optimizer_of(model, 1e-4)
    ids = torch.randint(config["vocab_size"], (rows, length + 1))
    times = []
    for _ in range(steps + 1):
        begin = time.perf_counter()
        logits = model(ids[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - begin)
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "parameters": sum(p.numel() for p in model.parameters()),
                "seconds": times[1:],  # the first touches its pages for the first time
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()

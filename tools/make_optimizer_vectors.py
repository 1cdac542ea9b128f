#!/usr/bin/env python3
"""Records what PyTorch's optimizers make of the same weights and gradients over 50 steps, in single precision.

    python3 tools/make_optimizer_vectors.py tests/data/optimizers.json

Needs torch. Lion is not part of it: it is written out here as its paper does (Chen et al. 2023, program 1).
"""
import json
import sys

import torch

STEPS, MATRIX, VECTOR = 50, (6, 5), 7
RECORDED = (1, 10, 50)


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                turn = m * beta1 + p.grad * (1 - beta1)
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(turn.sign(), alpha=-group["lr"])
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


# Name, the op and its settings as a graph's text says them, learning rate, and the reference.
CASES = [
    ("adamw", "adamw", {"decay": 0.1}, 0.01, lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
    ("adam with L2", "adamw", {"decay": 0.1, "decoupled": "false", "beta2": 0.95}, 0.01,
     lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1, betas=(0.9, 0.95))),
    ("sgd", "sgd", {"decay": 0.1}, 0.05, lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1)),
    ("sgd with momentum", "sgd_momentum", {"decay": 0.1, "dampening": 0.1}, 0.02,
     lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, dampening=0.1, weight_decay=0.1)),
    ("sgd, Nesterov", "sgd_momentum", {"nesterov": "true"}, 0.02, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True)),
    ("lion", "lion", {"decay": 0.1}, 0.003, lambda p: Lion(p, lr=0.003, betas=(0.9, 0.99), weight_decay=0.1)),
    ("adafactor", "adafactor", {"decay": 0.1}, 0.01, lambda p: torch.optim.Adafactor(p, lr=0.01, weight_decay=0.1)),
]


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.flatten().tolist()]


def main():
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(MATRIX, generator=generator), torch.randn(VECTOR, generator=generator)]
    gradients = [[torch.randn(MATRIX, generator=generator), torch.randn(VECTOR, generator=generator)] for _ in range(STEPS)]
    cases = []
    for name, op, settings, lr, make in CASES:
        weights = [torch.nn.Parameter(w.clone()) for w in start]
        optimizer = make(weights)
        after = {}
        for step in range(1, STEPS + 1):
            for w, g in zip(weights, gradients[step - 1]):
                w.grad = g.clone()
            optimizer.step()
            if step in RECORDED:
                after[str(step)] = [numbers(w.detach()) for w in weights]
        cases.append({"name": name, "op": op, "settings": {k: str(v) for k, v in settings.items()}, "lr": lr, "after": after})
    with open(sys.argv[1], "w") as file:
        json.dump({"torch": torch.__version__, "start": [numbers(w) for w in start],
                   "gradients": [[numbers(g) for g in pair] for pair in gradients], "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


main()

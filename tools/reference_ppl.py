#!/usr/bin/env python3
"""Perplexity of stories260K on a text, computed with NumPy in float64 and nothing of ours, to compare `motley eval --ppl` with.

The text is encoded as llama2.c does (a beginning-of-text token, one space in front, then the best-scored adjacent pair is merged until none is
left), or taken from --ids, a JSON array as `motley tokenize --json` prints it. It is cut into windows of --ctx tokens without overlap, the last
one as long as what remains; every token of a window after the first is scored.

    tools/reference_ppl.py ../shared/data/weights/stories260K ../shared/data/text/tinystories/tinystories_sample_2MiB.txt --bytes 50000 --ctx 512
    {"ppl": ..., "nll": ..., "tokens": ...}       nll: mean over the scored tokens, whose number is `tokens`
"""

import argparse
import heapq
import json
import os
import struct
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for products this small, threads that spin cost 20 times the work on a busy machine
import numpy as np  # noqa: E402

from checkpoint_numpy import load_weights  # noqa: E402

BOS = 1
FIRST_BYTE_TOKEN = 3


# ---- tokens -----------------------------------------------------------------------------------------------------------------------------


def read_vocabulary(path: Path):
    """tokenizer.bin of llama2.c: {token bytes: id} and scores by id."""
    data = path.read_bytes()
    ids, scores, at = {}, [], 4
    while at < len(data):
        score, length = struct.unpack_from("<fI", data, at)
        token = data[at + 8 : at + 8 + length]
        at += 8 + length
        ids.setdefault(token, len(scores))
        scores.append(score)
    return ids, scores


def encode(text: str, ids, scores):
    pieces = []
    for character in " " + text:
        raw = character.encode()
        pieces += [raw] if raw in ids else [bytes([byte]) for byte in raw]
    tokens = [ids[p] if p in ids else FIRST_BYTE_TOKEN + p[0] for p in pieces]

    # A list linked through `after` and `before`; candidates are (score, place, the two pieces they were made of), stale ones are skipped.
    after, before = list(range(1, len(pieces) + 1)), list(range(-1, len(pieces) - 1))
    candidates = []

    def offer(left):
        right = after[left]
        if left >= 0 and right < len(pieces) and (merged := ids.get(pieces[left] + pieces[right])) is not None:
            heapq.heappush(candidates, (-scores[merged], left, pieces[left], pieces[right], merged))

    for place in range(len(pieces)):
        offer(place)
    while candidates:
        _, left, first, second, merged = heapq.heappop(candidates)
        right = after[left]
        if pieces[left] != first or right >= len(pieces) or pieces[right] != second:
            continue
        pieces[left], tokens[left], pieces[right] = first + second, merged, None
        after[left] = after[right]
        if after[right] < len(pieces):
            before[after[right]] = left
        if before[left] >= 0:
            offer(before[left])
        offer(left)
    return [BOS] + [token for token, piece in zip(tokens, pieces) if piece is not None]


# ---- model ------------------------------------------------------------------------------------------------------------------------------


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def rotate(x_BTHD, angles_TD):
    half = x_BTHD.shape[-1] // 2
    turned = np.concatenate([-x_BTHD[..., half:], x_BTHD[..., :half]], -1)
    return x_BTHD * np.cos(angles_TD)[:, None] + turned * np.sin(angles_TD)[:, None]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def forward(config, w, tokens_BT):
    """Logits [B, T, vocabulary] of a Llama with Hugging Face weights, all in float64."""
    heads, kv_heads, eps = config["num_attention_heads"], config["num_key_value_heads"], config["rms_norm_eps"]
    B, T = tokens_BT.shape
    D = config["hidden_size"] // heads
    frequencies = config["rope_theta"] ** (-np.arange(0, D, 2, dtype=np.float64) / D)
    angles_TD = np.tile(np.arange(T)[:, None] * frequencies, 2)
    hidden_future = np.triu(np.full((T, T), -np.inf), 1)

    x = w["model.embed_tokens.weight"][tokens_BT]
    for layer in range(config["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        h = rms_norm(x, w[p + "input_layernorm.weight"], eps)
        q, k, v = (
            (h @ w[f"{p}self_attn.{name}_proj.weight"].T).reshape(B, T, n, D) for name, n in (("q", heads), ("k", kv_heads), ("v", kv_heads))
        )
        q, k = rotate(q, angles_TD), rotate(k, angles_TD)
        k, v = (np.repeat(t, heads // kv_heads, axis=2) for t in (k, v))
        scores_BHTS = q.transpose(0, 2, 1, 3) @ k.transpose(0, 2, 3, 1) / np.sqrt(D) + hidden_future
        a = (softmax(scores_BHTS) @ v.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3).reshape(B, T, heads * D)
        x = x + a @ w[p + "self_attn.o_proj.weight"].T
        h = rms_norm(x, w[p + "post_attention_layernorm.weight"], eps)
        gate = h @ w[p + "mlp.gate_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
    x = rms_norm(x, w["model.norm.weight"], eps)
    return x @ (w["model.embed_tokens.weight"] if config["tie_word_embeddings"] else w["lm_head.weight"]).T


def negative_log_likelihoods(config, w, window):
    logits = forward(config, w, np.array([window[:-1]]))[0]
    top = logits.max(-1)
    log_sum = top + np.log(np.exp(logits - top[:, None]).sum(-1))
    return log_sum - logits[np.arange(len(window) - 1), window[1:]]


def check_against_known_values(folder: Path, config, w, ids, scores):
    """reference.json of the test material has prompts with their tokens, and stories with the likelihood of each token (rounded)."""
    known = json.loads((folder / "reference.json").read_text())
    for prompt in known["greedy_from_prompt"]:
        if encode(prompt["prompt"], ids, scores) != prompt["prompt_tokens"]:
            sys.exit(f"the tokens of {prompt['prompt']!r} differ from those of reference.json")
    for story in known["teacher_forced"]:
        if np.abs(negative_log_likelihoods(config, w, story["tokens"]) - story["nll_per_token"]).max() > 1e-5:
            sys.exit(f"the likelihoods of {story['text_start']!r} differ from those of reference.json")


def perplexity(model: Path, text: str, context: int, tokens=None):
    config = json.loads((model / "hf/config.json").read_text())
    w = {name: value.astype(np.float64) for name, value in load_weights(model / "hf").items()}
    ids, scores = read_vocabulary(model / "tok512.bin")
    check_against_known_values(model, config, w, ids, scores)
    tokens = tokens or encode(text, ids, scores)
    windows = [tokens[i : i + context] for i in range(0, len(tokens), context)]
    nll = np.concatenate([negative_log_likelihoods(config, w, window) for window in windows if len(window) > 1])
    return {"ppl": float(np.exp(nll.mean())), "nll": float(nll.mean()), "tokens": len(nll)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="the folder stories260K, with hf/ and tok512.bin")
    parser.add_argument("text", type=Path)
    parser.add_argument("--bytes", type=int, default=50000, help="how much of the text's beginning (default 50000)")
    parser.add_argument("--ctx", type=int, default=512)
    parser.add_argument("--ids", type=Path, help="a JSON array of token ids, instead of encoding the text here")
    arguments = parser.parse_args()
    text = arguments.text.read_bytes()[: arguments.bytes].decode()
    print(json.dumps(perplexity(arguments.model, text, arguments.ctx, arguments.ids and json.loads(arguments.ids.read_text()))))


if __name__ == "__main__":
    main()

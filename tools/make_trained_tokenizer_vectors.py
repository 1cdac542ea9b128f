#!/usr/bin/env python3
"""Makes tests/data/tokenizers/trained.json: byte-level BPE vocabularies as the PyPI package `tokenizers` learns them from small texts.

    pip install tokenizers==0.23.*
    tools/make_trained_tokenizer_vectors.py tests/data/tokenizers

The texts come from a fixed seed and the package takes the same pair first every time, so a new run gives the same file.
"""
import json
import pathlib
import random
import sys

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SENTENCES = [
    "The miller had a dog, a cat and 3 hens. \"Who's there?\" asked the dog; nobody answered.",
    "It wasn't the wind, and they'd not have minded if it were: in 1847 the old mill had burned down twice already.",
    "Ein Müller fährt über die Brücke, l'été dernier à Noël, señor Núñez comió 12,50 € de jamón.",
    "Привет, мир! 你好，世界。こんにちは、カタカナー。 안녕하세요 세계. 😀👍🏽",
    "    if (x >= 10) { return f(x - 1) + \"\\n\"; }\t// indented code\n\n",
    "The hens walked, walking and walks; the unwalked walkers walk. aaaaaaa bbbb aaaa abababab babababa",
]
WORDS = ["the", "then", "other", "mother", "smother", "he", "she", "there", "their", "this", "thistle", "whistle", "lest", "aaa", "aaaa", "aab", "abab"]


def made_up(seed, count):
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) + rng.choice(["", "", "s", "ing", ",", ".", "\n"]) for _ in range(count))


def case(texts, vocabulary, least_count):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=least_count,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    t.train_from_iterator(texts, trainer)
    probes = [*SENTENCES, made_up(99, 20), "smothering thistles' whistles"]
    return {
        "texts": texts,
        "vocabulary": vocabulary,
        "least_count": least_count,
        "vocab_size": t.get_vocab_size(),
        "merges": [list(m) if not isinstance(m, str) else m.split(" ") for m in json.loads(t.to_str())["model"]["merges"]],
        "encoded": [{"text": p, "ids": t.encode(p).ids} for p in probes],
    }


def main():
    cases = [
        case(SENTENCES * 2, 400, 2),
        case([made_up(1, 400)], 420, 1),
        case([made_up(2, 300), *SENTENCES], 2000, 2),
        case(["aaaaaaaaaa aaaaa aaa aa a abaabaaab"], 280, 1),
    ]
    out = {"made_with": f"tokenizers {tokenizers.__version__}", "cases": cases}
    pathlib.Path(sys.argv[1], "trained.json").write_text(json.dumps(out, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

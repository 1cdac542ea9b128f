#!/usr/bin/env python3
"""Records what scikit-learn, scipy and sacrebleu make of small sets of answers.

    python3 tools/make_metric_vectors.py tests/data/metrics.json

Needs scikit-learn, scipy and sacrebleu.
"""
import json
import math
import random
import sys
import warnings

import numpy as np
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from scipy import stats
from sklearn import metrics

warnings.simplefilter("ignore")
random.seed(4)


def label(p, r, f, support=None):
    out = {"precision": float(p), "recall": float(r), "f1": float(f)}
    return out if support is None else out | {"support": int(support)}


def averages(truth, told, **how):
    return {kind: label(*metrics.precision_recall_fscore_support(truth, told, average=kind, zero_division=0, **how)[:3])
            for kind in ("macro", "micro", "weighted")}


def classification(truth, told, classes):
    each = metrics.precision_recall_fscore_support(truth, told, labels=range(classes), zero_division=0)
    return {"truth": truth, "predicted": told, "classes": classes, "accuracy": float(metrics.accuracy_score(truth, told)),
            "confusion": metrics.confusion_matrix(truth, told, labels=range(classes)).tolist(),
            "each": [label(*row) for row in zip(*each)]} | averages(truth, told)


def multi_label(truth, told):
    each = metrics.precision_recall_fscore_support(truth, told, zero_division=0)
    return {"truth": truth.flatten().tolist(), "predicted": told.flatten().tolist(), "labels": truth.shape[1],
            "subset_accuracy": float(metrics.accuracy_score(truth, told)), "hamming_loss": float(metrics.hamming_loss(truth, told)),
            "each": [label(*row) for row in zip(*each)]} | averages(truth, told)


def regression(truth, told):
    def known(x):
        return None if math.isnan(x) else float(x)

    return {"truth": truth, "predicted": told, "pearson": known(stats.pearsonr(truth, told)[0]), "spearman": known(stats.spearmanr(truth, told)[0]),
            "mse": float(np.mean((np.array(truth) - told) ** 2)), "mae": float(np.mean(np.abs(np.array(truth) - told)))}


def bleu(texts, references):
    s = BLEU().corpus_score(texts, [references])
    return {"texts": texts, "references": references, "score": s.score, "precisions": s.precisions, "brevity_penalty": s.bp, "tokens": s.sys_len,
            "reference_tokens": s.ref_len}


def draw(n, classes, right):
    truth = [random.randrange(classes) for _ in range(n)]
    return truth, [t if random.random() < right else random.randrange(classes) for t in truth]


rng = np.random.default_rng(1)
labels = rng.random((40, 5)) < [0.1, 0.3, 0.5, 0.9, 0]
eighths = [random.randrange(-40, 40) / 8 for _ in range(50)]  # floats hold them exactly
near = [x + random.randrange(-12, 12) / 8 for x in eighths]
SENTENCES = [
    "The quick brown fox jumps over the lazy dog .", "Prices rose by 3.5% , to $1,234.50 -- a record!", "It's \"fine\" (really); see http://a.b/c?d=e&f .",
    "&quot;Fish &amp; chips&quot; &lt;b&gt;", "well-known 1990-2000 state-of-the-art", "He said: no. Then... nothing, at all.", "Café déjà vu — ça va ?",
    "日本語の文。", "a.b,c 1.2,3 .5 5. ,", "tabs\tand\u00a0spaces\u3000here", "end of line-\nbroken\nwords", "<skipped> [x] {y} ~z^ `q` _w_ \\v|", "...", "",
    "3-4 a-4 4-a", "U.S.A. vs. U.K., i.e. e.g.",
]
shuffled = [" ".join(random.sample(s.split(), len(s.split()))) for s in SENTENCES]
out = {
    "classification": [classification(*draw(60, 2, 0.8), 2), classification(*draw(90, 5, 0.6), 5), classification([0, 0, 2, 2], [0, 2, 2, 2], 4),
                       classification([1, 1], [0, 0], 2), classification([0], [0], 1)],
    "multi_label": [multi_label(labels.astype(int), (labels ^ (rng.random(labels.shape) < 0.2)).astype(int)),
                    multi_label(np.array([[1, 0], [0, 0]]), np.array([[0, 0], [0, 0]]))],
    "regression": [regression(eighths, near), regression([1, 2, 3, 4.5], [10, 9, 9, 1]), regression([1, 2, 3], [2, 2, 2]), regression([0.5, -1], [1, 0])],
    "bleu": [bleu(SENTENCES, SENTENCES), bleu(shuffled, SENTENCES), bleu(["the cat sat on the mat"], ["a cat sat on the big mat"]),
             bleu(["the the the the the the the"], ["the cat is on the mat"]), bleu(["no word in common here"], ["etwas ganz anderes ist das"]),
             bleu(["short"], ["short"]), bleu(["a b c", "d e"], ["a b c d e f", "d e f g"]), bleu(["", "x y z w"], ["some text", "x y z v"])],
    "tokens_13a": [{"text": s, "tokens": Tokenizer13a()(s).split()} for s in SENTENCES],
}
with open(sys.argv[1], "w") as file:
    # A line for each case.
    parts = [f' "{key}": [\n' + ",\n".join("  " + json.dumps(case) for case in cases) + "\n ]" for key, cases in out.items()]
    file.write("{\n" + ",\n".join(parts) + "\n}\n")

#!/usr/bin/env python3
"""Makes tests/data/encoders: a tiny random checkpoint for each head of each family that reads texts whole, what it must answer, and what it
must learn.

Each folder is a checkpoint in Hugging Face layout and a reference.json:

    samples      the texts: tokens, and types where the model knows segments
    outputs      for each text what the model's last layer makes of it (logits or embedding), one after the other for each token where the task
                 is about tokens; computed in one padded batch with a mask, in float64
    inputs       the answers to learn from, under the names of src/nn/objective.h; of tokens, as a list for each text
    loss, weight the sum of the loss in float64 and what was summed
    gradients    for each weight the length of the loss's gradient and its product with cos(0), cos(1), ...: two numbers that no other gradient has
    after        of weights that a step changes without learning (running statistics): the values after it
    contrastive  of embeddings, in place of inputs, loss and gradients: what samples of several texts have to learn. The texts are `samples`, those of
                 the first sample first; `apart` lists (sample, candidate) that do not count

Transformers come from the transformers package. The small classifiers, which are this project's own, are modules written here.
Dropout is off throughout.

    python3 -m venv .venv/vectors
    .venv/vectors/bin/pip install transformers torch numpy safetensors      # (torch: the CPU build is enough)
    .venv/vectors/bin/python tools/make_encoder_vectors.py [--out tests/data/encoders] [case ...]
"""

import argparse
import json
import math
import shutil
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import transformers
from torch import nn

from make_model_vectors import InDouble, shorten_lists

IGNORED = -100
ROOM = 8  # tokens of the longest text; the places of a grid
LENGTHS = [5, 8, 3]


# ---- the project's own classifiers, as PyTorch has them -----------------------------------------------------------------------------------


class TextRnn(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embedding = nn.Embedding(c["vocab_size"], c["embedding_size"])
        cell = nn.GRU if c["cell"] == "gru" else nn.LSTM
        self.rnn = cell(c["embedding_size"], c["units"], c["layers"], batch_first=True, bidirectional=c["bidirectional"])
        self.classifier = nn.Linear(c["units"] * (2 if c["bidirectional"] else 1), len(c["id2label"]))

    def forward(self, ids, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        last = self.rnn(packed)[1]
        last = last[0] if isinstance(last, tuple) else last
        directions = 2 if self.rnn.bidirectional else 1
        return self.classifier(torch.cat(list(last[-directions:]), -1))


class TextCnn(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embedding = nn.Embedding(c["vocab_size"], c["embedding_size"])
        self.convolutions = nn.ModuleList(nn.Conv1d(c["embedding_size"], c["filters"], k) for k in c["kernel_sizes"])
        self.norms = nn.ModuleList(nn.BatchNorm1d(c["filters"]) for _ in c["kernel_sizes"]) if c["batch_norm"] else None
        self.classifier = nn.Linear(c["filters"] * len(c["kernel_sizes"]), len(c["id2label"]))

    def forward(self, ids, lengths):
        x = self.embedding(ids).transpose(1, 2)
        outside = (torch.arange(ids.shape[1])[None] >= lengths[:, None])[:, None] * -1e30
        largest = []
        for i, convolution in enumerate(self.convolutions):
            y = convolution(nn.functional.pad(x, (convolution.kernel_size[0] - 1, 0)))
            y = self.norms[i](y) if self.norms else y
            largest.append(torch.relu(y + outside).amax(-1))
        return self.classifier(torch.cat(largest, -1))


class TextMlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embedding = nn.Embedding(c["vocab_size"], c["embedding_size"])
        widths = [c["embedding_size"]] + [c["units"]] * c["layers"]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.classifier = nn.Linear(widths[-1], len(c["id2label"]))

    def forward(self, ids, lengths):
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None])[:, :, None]
        x = (self.embedding(ids) * mask).sum(1) / lengths[:, None]
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.classifier(x)


OWN = {"text-rnn": TextRnn, "text-cnn": TextCnn, "text-mlp": TextMlp}


# ---- cases --------------------------------------------------------------------------------------------------------------------------------


@dataclass
class Case:
    name: str
    task: str
    config: dict
    files: dict = field(default_factory=dict)  # others of the folder, as JSON
    contrastive: dict = field(default_factory=dict)  # texts of a sample, temperature, symmetric, apart

    @property
    def own(self):
        return self.config["model_type"] in OWN


def labels(count):
    names = {str(i): f"label {i}" for i in range(count)}
    return {"id2label": names, "label2id": {name: int(i) for i, name in names.items()}}


def bert(head, **changes):
    return {"architectures": [f"Bert{head}"], "model_type": "bert", "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "hidden_size": 16, "intermediate_size": 24, "layer_norm_eps": 1e-12, "max_position_embeddings": 12,
            "num_attention_heads": 2, "num_hidden_layers": 2, "pad_token_id": 0, "type_vocab_size": 2, "vocab_size": 40} | changes


def roberta(head, **changes):
    return bert("", architectures=[f"Roberta{head}"], model_type="roberta", layer_norm_eps=1e-5, max_position_embeddings=14, pad_token_id=1,
                bos_token_id=0, eos_token_id=2, type_vocab_size=1) | changes


def distilbert(head, **changes):
    return {"architectures": [f"DistilBert{head}"], "model_type": "distilbert", "activation": "gelu", "attention_dropout": 0.1, "dim": 16,
            "dropout": 0.1, "hidden_dim": 24, "max_position_embeddings": 12, "n_heads": 2, "n_layers": 2, "pad_token_id": 0, "qa_dropout": 0.1,
            "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False, "tie_weights_": True, "vocab_size": 40} | changes


def llama(head, **changes):
    return {"architectures": [f"Llama{head}"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 24,
            "max_position_embeddings": 32, "num_attention_heads": 2, "num_hidden_layers": 2, "num_key_value_heads": 1, "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
            "vocab_size": 40} | changes


def gpt2(head, **changes):
    return {"architectures": [f"GPT2{head}"], "model_type": "gpt2", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "n_embd": 16,
            "n_head": 2, "n_layer": 2, "n_positions": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "vocab_size": 40} | changes


SENTENCE = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
                              "pooling_mode_max_tokens": False},
    "sentence_bert_config.json": {"max_seq_length": 10, "do_lower_case": False},
}

FIRST_TOKEN = SENTENCE | {
    "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
}

CASES = [
    Case("bert-classification", "classification", bert("ForSequenceClassification") | labels(3)),
    Case("bert-multi-label", "multi-label", bert("ForSequenceClassification", problem_type="multi_label_classification") | labels(4)),
    Case("bert-regression", "regression", bert("ForSequenceClassification") | labels(1)),
    Case("bert-tokens", "token-classification", bert("ForTokenClassification") | labels(5)),
    Case("bert-question", "question-answering", bert("ForQuestionAnswering")),
    Case("bert-masked", "masked-language-model", bert("ForMaskedLM")),
    Case("bert-embedding", "embedding", bert("Model"), SENTENCE),
    Case("bert-triples", "embedding", bert("Model"), SENTENCE,
         {"texts": 3, "temperature": 0.05, "symmetric": True, "apart": [[0, 1], [2, 4]]}),
    Case("distilbert-pairs", "embedding", distilbert("Model"), FIRST_TOKEN, {"texts": 2, "temperature": 0.1, "symmetric": False, "apart": []}),
    Case("roberta-classification", "classification", roberta("ForSequenceClassification") | labels(3)),
    Case("roberta-tokens", "token-classification", roberta("ForTokenClassification") | labels(5)),
    Case("roberta-question", "question-answering", roberta("ForQuestionAnswering")),
    Case("roberta-masked", "masked-language-model", roberta("ForMaskedLM")),
    Case("distilbert-classification", "classification", distilbert("ForSequenceClassification") | labels(3)),
    Case("distilbert-tokens", "token-classification", distilbert("ForTokenClassification") | labels(5)),
    Case("distilbert-question", "question-answering", distilbert("ForQuestionAnswering")),
    Case("distilbert-masked", "masked-language-model", distilbert("ForMaskedLM")),
    Case("llama-classification", "classification", llama("ForSequenceClassification") | labels(3)),
    Case("gpt2-classification", "classification", gpt2("ForSequenceClassification") | labels(3)),
    Case("gru", "classification", {"model_type": "text-rnn", "vocab_size": 40, "embedding_size": 12, "cell": "gru", "units": 10, "layers": 1,
                                   "bidirectional": False, "dropout": 0.2, "max_tokens": 8} | labels(2)),
    Case("lstm-both-ways", "classification", {"model_type": "text-rnn", "vocab_size": 40, "embedding_size": 12, "cell": "lstm", "units": 6,
                                              "layers": 2, "bidirectional": True, "dropout": 0.2, "max_tokens": 8} | labels(2)),
    Case("cnn", "classification", {"model_type": "text-cnn", "vocab_size": 40, "embedding_size": 12, "filters": 5, "kernel_sizes": [2, 3, 5],
                                   "batch_norm": True, "dropout": 0.5, "max_tokens": 8} | labels(3)),
    Case("mlp", "multi-label", {"model_type": "text-mlp", "vocab_size": 40, "embedding_size": 12, "units": 10, "layers": 2, "dropout": 0.2,
                                "max_tokens": 8, "problem_type": "multi_label_classification"} | labels(3)),
]


# ---- weights ------------------------------------------------------------------------------------------------------------------------------


def make_model(case: Case):
    if case.own:
        return OWN[case.config["model_type"]](case.config)
    config = transformers.AutoConfig.for_model(**case.config)
    return getattr(transformers, case.config["architectures"][0])._from_config(config, attn_implementation="eager")


def stored_shapes(case: Case):
    """Names and shapes as they are in files: a tied matrix once, no buffers but running statistics."""
    model = make_model(case)
    if case.own:
        return {name: tuple(value.shape) for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return {name: tuple(value.shape) for name, value in safetensors.torch.load_file(Path(folder) / "model.safetensors").items()}


def draw_weights(case: Case):
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(case.name.encode())))
    weights = {}
    for name, shape in sorted(stored_shapes(case).items()):
        normal = rng.standard_normal(shape)
        if "running_var" in name:
            value = 0.5 + normal**2
        elif "running_mean" in name or "bias" in name:
            value = 0.2 * normal
        elif len(shape) == 1:
            value = 1 + 0.2 * normal
        elif "embed" in name or "wte" in name or "wpe" in name:
            value = 0.6 * normal
        else:
            value = 1.2 / math.sqrt(np.prod(shape[1:])) * normal
        weights[name] = torch.from_numpy(value).float().contiguous()
    return weights


def in_double(case: Case, weights):
    if case.own:
        model = make_model(case).double()
        model.load_state_dict({name: value.double() for name, value in weights.items()}, strict=False)
        return model.eval()
    with InDouble():
        torch.set_default_dtype(torch.float64)
        model = make_model(case)
        torch.set_default_dtype(torch.float32)
    missing, unexpected = model.load_state_dict({name: value.double() for name, value in weights.items()}, strict=False)
    model.tie_weights()
    assert not unexpected, unexpected
    return model.eval()


# ---- answers ------------------------------------------------------------------------------------------------------------------------------


def lengths(case: Case):
    return [LENGTHS[(i + i // 3) % 3] for i in range(3 * case.contrastive.get("texts", 1))]


def make_samples(case: Case):
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(case.name.encode()) + 1))
    samples = []
    for length in lengths(case):
        sample = {"tokens": rng.integers(3, 40, size=length).tolist()}
        if case.config["model_type"] == "bert" and not case.contrastive:
            first = length // 2
            sample["types"] = [0] * first + [1] * (length - first)
        samples.append(sample)
    return samples


def forward(case: Case, model, samples):
    """What the last layer makes of the padded batch: [S, L, ...] or [S, ...]."""
    pad = case.config.get("pad_token_id", 0)
    ids = torch.full((len(samples), ROOM), pad)
    mask = torch.zeros(len(samples), ROOM, dtype=torch.long)
    types = torch.zeros(len(samples), ROOM, dtype=torch.long)
    for s, sample in enumerate(samples):
        n = len(sample["tokens"])
        ids[s, :n] = torch.tensor(sample["tokens"])
        mask[s, :n] = 1
        types[s, :n] = torch.tensor(sample.get("types", [0] * n))
    if case.own:
        return model(ids, mask.sum(1))
    arguments = {"input_ids": ids, "attention_mask": mask}
    if case.config["model_type"] == "bert":
        arguments["token_type_ids"] = types
    with InDouble():
        result = model(**arguments)
    if case.task == "question-answering":
        return torch.stack([result.start_logits, result.end_logits], -1)
    if case.task == "embedding":
        wide = mask[:, :, None].double()
        mean = (result.last_hidden_state * wide).sum(1) / wide.sum(1)
        first = case.files["1_Pooling/config.json"]["pooling_mode_cls_token"]
        return nn.functional.normalize(result.last_hidden_state[:, 0] if first else mean, dim=-1)
    return result.logits


ABOUT_TOKENS = ("token-classification", "masked-language-model", "question-answering")


def objective(case: Case, y, rng):
    """The answers to learn from, the summed loss and its weight."""
    cross_entropy = nn.functional.cross_entropy
    if case.task == "classification":
        answers = [int(x) for x in rng.integers(0, y.shape[-1], size=len(LENGTHS))]
        return {"labels": answers}, cross_entropy(y, torch.tensor(answers), reduction="sum"), len(answers)
    if case.task in ("multi-label", "regression"):
        values = rng.integers(0, 2, size=tuple(y.shape)) if case.task == "multi-label" else rng.standard_normal(tuple(y.shape))
        values = torch.tensor(np.asarray(values, dtype=np.float32)).double()
        loss = nn.functional.binary_cross_entropy_with_logits if case.task == "multi-label" else nn.functional.mse_loss
        return {"values": values.flatten().tolist(), "value_weights": [1] * len(LENGTHS)}, loss(y, values, reduction="sum"), values.numel()
    if case.task == "question-answering":
        begins = [int(rng.integers(0, n)) for n in LENGTHS]
        ends = [int(rng.integers(b, n)) for b, n in zip(begins, LENGTHS)]
        total = 0
        for s, n in enumerate(LENGTHS):
            for which, place in ((0, begins[s]), (1, ends[s])):
                total = total + cross_entropy(y[s, :n, which][None], torch.tensor([place]), reduction="sum") / 2
        return {"begins": begins, "ends": ends}, total, len(LENGTHS)
    targets = [[int(t) if rng.random() < 0.6 else IGNORED for t in rng.integers(0, y.shape[-1], size=n)] for n in LENGTHS]
    total = 0
    for s, n in enumerate(LENGTHS):
        total = total + cross_entropy(y[s, :n], torch.tensor(targets[s]), ignore_index=IGNORED, reduction="sum")
    return {"targets": targets}, total, sum(t != IGNORED for row in targets for t in row)


def contrastive_loss(case: Case, y):
    """The sum over samples, as MultipleNegativesRankingLoss of the sentence-transformers package has it, or its symmetric sibling."""
    texts, samples = case.contrastive["texts"], y.shape[0] // case.contrastive["texts"]
    parts = y.reshape(samples, texts, -1)
    candidates = torch.cat([parts[:, k] for k in range(1, texts)])
    apart = torch.zeros(samples, len(candidates), dtype=torch.float64)
    for sample, candidate in case.contrastive["apart"]:
        apart[sample, candidate] = -1e30
    scores = parts[:, 0] @ candidates.T / case.contrastive["temperature"] + apart
    own = torch.arange(samples)
    loss = nn.functional.cross_entropy(scores, own, reduction="sum")
    if not case.contrastive["symmetric"]:
        return scores, loss
    return scores, (loss + nn.functional.cross_entropy(scores[:, :samples].T, own, reduction="sum")) / 2


def fingerprint(gradient):
    flat = gradient.flatten()
    return [float(flat.norm()), float((flat * torch.cos(torch.arange(len(flat), dtype=torch.float64))).sum())]


def make_case(case: Case, out: Path):
    folder = out / case.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(case.config, indent=2) + "\n")
    for name, content in case.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    weights = draw_weights(case)
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    samples = make_samples(case)
    model = in_double(case, weights)
    with torch.no_grad():
        y = forward(case, model, samples)
    outputs = [y[s, :n].flatten().tolist() if case.task in ABOUT_TOKENS else y[s].flatten().tolist() for s, n in enumerate(lengths(case))]
    reference = {"task": case.task, "made_with": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]},
                 "samples": samples, "outputs": outputs}
    if case.contrastive:
        scores, loss = contrastive_loss(case, forward(case, model, samples))
        loss.backward()
        stored = dict(model.named_parameters())
        gradients = {name: fingerprint(stored[name].grad) for name in weights if stored[name].grad is not None}
        right = int((scores.argmax(1) == torch.arange(len(scores))).sum())
        reference["contrastive"] = case.contrastive | {"loss": float(loss.detach()), "right": right, "gradients": gradients}
    elif case.task != "embedding":
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(case.name.encode()) + 2))
        if case.own:
            model.train()  # batch norm learns from the batch; there is no dropout in these modules
        y = forward(case, model, samples)
        inputs, loss, weight = objective(case, y, rng)
        loss.backward()
        stored = dict(model.named_parameters())
        gradients = {name: fingerprint(stored[name].grad) for name in weights if name in stored and stored[name].grad is not None}
        after = {name: value.tolist() for name, value in model.state_dict().items() if "running_" in name}
        reference |= {"inputs": inputs, "loss": float(loss.detach()), "weight": weight, "gradients": gradients, "after": after}
    (folder / "reference.json").write_text(shorten_lists(json.dumps(reference, indent=1)) + "\n")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{case.name:28} {size} bytes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", help="only these (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "tests/data/encoders")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    known = {case.name: case for case in CASES}
    for name in arguments.cases or known:
        if name not in known:
            parser.error(f"no case {name}; there are: {', '.join(known)}")
        make_case(known[name], arguments.out)


if __name__ == "__main__":
    main()

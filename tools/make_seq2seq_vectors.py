#!/usr/bin/env python3
"""Makes tests/data/seq2seq: tiny random checkpoints of encoder-decoder models, and what they must answer.

Each folder is a checkpoint in Hugging Face layout, small enough to commit, with the parts that make its family different switched on: distances
beyond the farthest that is told apart, a decoder of another depth than the encoder, forbidden and forced tokens. tests/data/seq2seq/README.md
describes reference.json and reference.safetensors.

The expected values come from the transformers package with every intermediate in float64. Texts are also made in float32; a seed is taken only when
both give the same, so that no text hangs on a rounding.

    .venv/vectors/bin/python tools/make_seq2seq_vectors.py [--out tests/data/seq2seq] [family ...]      # as for make_model_vectors.py
"""

import argparse
import contextlib
import copy
import io
import json
import math
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import safetensors.numpy
import safetensors.torch
import sentencepiece
import tokenizers
import torch
import transformers

from make_model_vectors import InDouble, shorten_lists

VOCAB = 64
NEW_TOKENS = 24
MIN_GAP = 0.005  # between the two best logits of a greedy step
MAX_ROUNDING = 5e-5  # between the logits of float32 and of float64
MAX_SEEDS = 400
SOURCES = [1, 9, 45]  # tokens
BEAMS = [
    {"num_beams": 4, "length_penalty": 1.0, "early_stopping": False},
    {"num_beams": 3, "length_penalty": 0.6, "early_stopping": True},
    {"num_beams": 5, "length_penalty": 2.0, "early_stopping": "never"},
]

T5 = {
    "architectures": ["T5ForConditionalGeneration"],
    "d_ff": 64,
    "d_kv": 12,
    "d_model": 32,
    "decoder_start_token_id": 0,
    "dropout_rate": 0.1,
    "eos_token_id": 1,
    "feed_forward_proj": "relu",
    "initializer_factor": 1.0,
    "is_encoder_decoder": True,
    "layer_norm_epsilon": 1e-06,
    "model_type": "t5",
    "n_positions": 128,
    "num_decoder_layers": 3,
    "num_heads": 4,
    "num_layers": 2,
    "pad_token_id": 0,
    "relative_attention_max_distance": 20,
    "relative_attention_num_buckets": 8,
    "torch_dtype": "float32",
    "use_cache": True,
    "vocab_size": VOCAB,
}
BART = {
    "activation_function": "gelu",
    "architectures": ["BartForConditionalGeneration"],
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "d_model": 32,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 96,
    "decoder_layers": 3,
    "decoder_start_token_id": 2,
    "dropout": 0.1,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "encoder_layers": 2,
    "eos_token_id": 2,
    "forced_eos_token_id": 2,
    "is_encoder_decoder": True,
    "max_position_embeddings": 128,
    "model_type": "bart",
    "num_hidden_layers": 2,
    "pad_token_id": 1,
    "scale_embedding": False,
    "torch_dtype": "float32",
    "vocab_size": VOCAB,
}
MARIAN = {
    **BART,
    "activation_function": "swish",
    "architectures": ["MarianMTModel"],
    "bad_words_ids": [[VOCAB - 1]],
    "bos_token_id": 0,
    "decoder_attention_heads": 4,
    "decoder_start_token_id": VOCAB - 1,
    "decoder_vocab_size": VOCAB,
    "eos_token_id": 0,
    "forced_eos_token_id": 0,
    "model_type": "marian",
    "pad_token_id": VOCAB - 1,
    "scale_embedding": True,
    "share_encoder_decoder_embeddings": True,
    "static_position_embeddings": True,
}
# name: (what it shows, config.json, generation_config.json)
FAMILIES = {
    "t5": ("a tied head, relu", T5, {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}),
    "t5-v1.1": (
        "a head of its own, a gated feed-forward",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0},
    ),
    "bart": (
        "learned positions, a forced first token",
        BART,
        {"bos_token_id": 0, "decoder_start_token_id": 2, "eos_token_id": 2, "forced_bos_token_id": 0, "forced_eos_token_id": 2, "pad_token_id": 1},
    ),
    "marian": (
        "sine positions, scaled embeddings, a forbidden token",
        MARIAN,
        {
            "bad_words_ids": [[VOCAB - 1]],
            "decoder_start_token_id": VOCAB - 1,
            "eos_token_id": 0,
            "forced_eos_token_id": 0,
            "num_beams": 2,
            "pad_token_id": VOCAB - 1,
        },
    ),
}
BART_GRADIENTS = ["model.shared.weight", "model.encoder.layers.0.self_attn.q_proj.weight", "model.decoder.layers.1.encoder_attn.k_proj.weight"]
GRADIENTS = {
    "t5": [
        "shared.weight",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "decoder.block.1.layer.1.EncDecAttention.k.weight",
    ],
    "bart": [*BART_GRADIENTS, "model.decoder.embed_positions.weight"],
    "marian": BART_GRADIENTS,
}


def tensor_shapes(config):
    """Names and shapes as transformers stores them on disk."""
    model = transformers.AutoModelForSeq2SeqLM.from_config(config)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return {name: tuple(value.shape) for name, value in safetensors.torch.load_file(Path(folder) / "model.safetensors").items()}


def draw_bart(key, normal, config):
    """Of BART and Marian. With norms behind each part a text ends in one token said again and again, unless what is the same at each place (biases,
    the mean of the activation, the source) is small beside the rest, and the last norm hides from the tied head what the token was. Half
    of Marian's positions are cosines that hardly change, so its layers have to add more."""
    marian = config["model_type"] == "marian"
    if key == "final_logits_bias":
        value = 0.2 * normal
        for (word,) in config.get("bad_words_ids", []):
            value[:, word] += 2  # or nobody would notice that it is forbidden
        return value
    if key.endswith(".bias"):
        return 0.03 * normal
    if key == f"model.decoder.layers.{config['decoder_layers'] - 1}.final_layer_norm.weight":
        return 1.8 * normal
    if "norm" in key:
        return 0.3 * normal + 1.0
    if "embed_positions" in key:
        return 0.9 * normal
    if key.endswith("shared.weight"):
        return 0.35 * normal
    normal = normal / math.sqrt(normal.shape[-1])
    if key.endswith("fc2.weight"):
        return (5.0 if marian else 3.0) * (normal - normal.mean(axis=1, keepdims=True))
    if key.endswith(("q_proj.weight", "k_proj.weight")):
        return (2.2 if marian else 1.5) * normal
    if key.endswith("out_proj.weight"):
        return (0.8 if "encoder_attn" in key else 3.0 if marian else 1.5) * normal
    return 1.6 * normal


def draw_weights(name, config, shapes, seed):
    """Random weights with the variance that keeps attention and logits away from both flat and saturated."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()) + seed))
    shapes = dict(shapes)
    if config.get("tie_word_embeddings") is False:
        shapes["lm_head.weight"] = (config["vocab_size"], config["d_model"])
    weights = {}
    for key in sorted(shapes):
        shape = shapes[key]
        normal = rng.standard_normal(shape)
        if config["model_type"] != "t5":
            value = draw_bart(key, normal, config)
        elif "norm" in key and len(shape) == 1:
            value = 0.3 * normal + (8.0 if key == "decoder.final_layer_norm.weight" else 1.0)
        elif key.endswith("relative_attention_bias.weight"):
            value = 1.5 * normal
        elif key == "shared.weight":
            value = (1.0 if config.get("tie_word_embeddings") is False else 0.3) * normal
        elif key == "lm_head.weight":
            value = 0.4 / math.sqrt(shape[1]) * normal
        elif key.endswith(".q.weight"):
            value = 1.6 / math.sqrt(shape[1] * config["d_kv"]) * normal
        else:  # what is added has to outweigh the embedding, or a tied head only repeats the last token
            added = key.endswith((".o.weight", ".wo.weight"))
            value = (5.0 if added else 1.6) / math.sqrt(shape[-1]) * normal
        weights[key] = torch.from_numpy(value).float()
    return weights


@contextlib.contextmanager
def double_precision():
    """Every number is float64, those too whose type nobody names."""
    with InDouble():
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)


def generate(model, source, **how):
    ids = model.generate(torch.tensor([source]), max_new_tokens=NEW_TOKENS, do_sample=False, use_cache=False, **how)[0].tolist()
    return ids[1:]


def logits_of(model, source, decoder_ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([decoder_ids]), use_cache=False).logits[0]


def gradients_of(model, source, decoder_ids, text, names):
    """Of the sum of the cross-entropies over a text, to some weights."""
    model.zero_grad()
    logits = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([decoder_ids]), use_cache=False).logits[0]
    torch.nn.functional.cross_entropy(logits, torch.tensor(text), reduction="sum").backward()
    parameters = dict(model.named_parameters())
    return {f"gradient.{name}": parameters[name].grad.numpy().astype(np.float32) for name in names}


def without_padding(ids, eos):
    """generate() fills up with padding behind the end."""
    return ids[: ids.index(eos) + 1] if eos in ids else ids


def answer(folder, learned):
    """The texts that the checkpoint has, or None when they make a poor test."""
    single = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with double_precision():
        double = transformers.AutoModelForSeq2SeqLM.from_config(copy.deepcopy(single.config), dtype=torch.float64, attn_implementation="eager").eval()
    if json.loads((folder / "config.json").read_text()).get("tie_word_embeddings") is False:  # which the package ties where it reads no weights
        double.lm_head.weight = torch.nn.Parameter(double.lm_head.weight.detach().clone())
    state = {name: value.double() for name, value in single.state_dict().items()}
    double.load_state_dict(state)
    double.generation_config = copy.deepcopy(single.generation_config)
    config = single.generation_config
    rng = np.random.Generator(np.random.PCG64(7))
    sequences, longest = [], 0
    for length in SOURCES:
        source = rng.integers(3, VOCAB - 1, size=length).tolist()
        eos = config.eos_token_id
        greedy = without_padding(generate(single, source, num_beams=1), eos)
        decoder_ids = [config.decoder_start_token_id] + greedy[:-1]
        if length > 1 and (len(set(greedy)) < 4 or len(greedy) < 6):
            return None
        with double_precision():
            logits = logits_of(double, source, decoder_ids).numpy()
        assert logits.dtype == np.float64
        # Where norms stand behind what is added, a rounding may grow from layer to layer.
        if single.config.model_type != "t5" and np.abs(logits_of(single, source, decoder_ids).numpy() - logits).max() > MAX_ROUNDING:
            return None
        allowed = logits.copy()
        for (word,) in config.bad_words_ids or []:
            allowed[:, word] = -math.inf
        order = np.sort(allowed, axis=1)
        free = slice(1 if config.forced_bos_token_id is not None else 0, NEW_TOKENS - 1)
        if (order[:, -1] - order[:, -2])[free].min() < MIN_GAP or allowed.argmax(axis=1)[free].tolist() != greedy[free]:
            return None
        beams = []
        for how in BEAMS:
            text = without_padding(generate(single, source, **how), eos)
            with double_precision():
                again = without_padding(generate(double, source, **how), eos)
            if text != again:
                return None
            beams.append({**how, "text": text})
        sequences.append({"source": source, "greedy": greedy, "beams": beams, "logits": logits})
        longest = max(longest, len(set(greedy)))
    texts = [tuple(b["text"]) for s in sequences for b in s["beams"]]
    differ = sum(tuple(s["greedy"]) != tuple(b["text"]) for s in sequences for b in s["beams"])
    if longest < 6 or differ < 3 or len(set(texts)) < 5:
        return None
    last = sequences[-1]
    with double_precision():
        gradients = gradients_of(double, last["source"], [config.decoder_start_token_id] + last["greedy"][:-1], last["greedy"], learned)
    return sequences, gradients


# ---- tokenizers ---------------------------------------------------------------------------------------------------------------------------

ENGLISH = ["the cat sat on the mat", "a dog ate the hat", "the man had a cat and a dog", "that hat had no man", "the dog and the cat sat", "an ant ate on"]
DUTCH = ["de kat zat op de mat", "een hond at de hoed", "de man had een kat en een hond", "die hoed had geen man", "de hond en de kat", "een mier at op"]
TEXTS = ["the cat ate the dog", "a man and an ant", "quiz: the hat!", "  the   mat "]
# A language that the vocabulary knows, one that it does not, the same in the middle; letters that only the other language has, and none has.
MARIAN_TEXTS = [">>nld<< a dog", ">>fra<<the mat", "a >>nld<< dog", "the k and the ж, kip", "a ｃａｔ<<"]
WITHOUT_ID = "▁hat"
ANSWERS = ["de kat at de hond", "een man en een mier", "vraag: de hoed!"]


def train_pieces(path, sentences, **how):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences * 20), model_writer=model, model_type="unigram", minloglevel=2, num_threads=1, hard_vocab_limit=False, **how
    )
    path.write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def write_cases(folder, cases, tokenizer):
    cases = {
        kind: [{"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=True)} for text, ids in several]
        for kind, several in cases.items()
    }
    (folder / "tokens.json").write_text(shorten_lists(json.dumps(cases, indent=1)) + "\n")


def write_tokenizer(folder, config):
    """The files of a tokenizer, and what it makes of some texts in tokens.json."""
    if config["model_type"] == "t5":
        pieces = train_pieces(folder / "spiece.model", ENGLISH, vocab_size=VOCAB - 4, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
        texts = [{"text": t, "ids": [*pieces.encode(t), 1], "decoded": pieces.decode(pieces.encode(t))} for t in TEXTS]
        (folder / "tokens.json").write_text(shorten_lists(json.dumps({"texts": texts}, indent=1)) + "\n")
    elif config["model_type"] == "bart":
        bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
        bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        special = ["<s>", "<pad>", "</s>", "<unk>"]
        bpe.train_from_iterator(
            ENGLISH + TEXTS, tokenizers.trainers.BpeTrainer(vocab_size=VOCAB - 1, special_tokens=special, initial_alphabet=[], show_progress=False)
        )
        bpe.model.save(str(folder))
        vocab = json.loads((folder / "vocab.json").read_text()) | {"<mask>": VOCAB - 1}
        assert len(vocab) <= VOCAB
        (folder / "vocab.json").write_text(json.dumps(vocab, indent=1, ensure_ascii=False) + "\n")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        write_cases(folder, {"texts": [(text, tokenizer(text)["input_ids"]) for text in TEXTS]}, tokenizer)
    elif config["model_type"] == "marian":
        source = train_pieces(folder / "source.spm", ENGLISH, vocab_size=36)
        target = train_pieces(folder / "target.spm", DUTCH, vocab_size=36, normalization_rule_name="identity")
        words = ["</s>", "<unk>", ">>nld<<"]
        for side in (source, target):
            for i in range(side.get_piece_size()):
                if not side.is_control(i) and not side.is_unknown(i) and side.id_to_piece(i) not in [*words, WITHOUT_ID]:
                    words.append(side.id_to_piece(i))
        assert len(words) < VOCAB - 1, len(words)
        assert source.encode("hat", out_type=str) == [WITHOUT_ID]
        vocab = {word: i for i, word in enumerate(words)} | {"<pad>": VOCAB - 1}
        (folder / "vocab.json").write_text(json.dumps(vocab, indent=1, ensure_ascii=False) + "\n")
        (folder / "tokenizer_config.json").write_text(json.dumps({"source_lang": "eng", "target_lang": "nld"}) + "\n")
        tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
        cases = {
            "texts": [(text, tokenizer(text)["input_ids"]) for text in TEXTS + MARIAN_TEXTS],
            "answers": [(text, tokenizer(text_target=text)["input_ids"]) for text in ANSWERS],
        }
        write_cases(folder, cases, tokenizer)


def make_family(name, out):
    shows, config, generation = FAMILIES[name]
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    shapes = tensor_shapes(transformers.AutoConfig.from_pretrained(folder))
    for seed in range(MAX_SEEDS):
        weights = draw_weights(name, config, shapes, seed)
        safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "model.safetensors").chmod(0o644)
        answered = answer(folder, GRADIENTS[config["model_type"]])
        if answered is None:
            print(f"{name}: seed {seed} makes a poor test", file=sys.stderr, flush=True)
            continue
        sequences, gradients = answered
        logits = {f"logits.{i}": s.pop("logits").astype(np.float32) for i, s in enumerate(sequences)}
        safetensors.numpy.save_file(logits | gradients, folder / "reference.safetensors")
        (folder / "reference.safetensors").chmod(0o644)
        reference = {
            "family": name,
            "shows": shows,
            "made_with": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]},
            "seed": seed,
            "new_tokens": NEW_TOKENS,
            "sequences": sequences,
        }
        (folder / "reference.json").write_text(shorten_lists(json.dumps(reference, indent=1)) + "\n")
        write_tokenizer(folder, config)
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{name:10} seed {seed:3}  greedy {[len(s['greedy']) for s in sequences]}  {size} bytes", flush=True)
        return
    shutil.rmtree(folder)
    sys.exit(f"{name}: none of {MAX_SEEDS} seeds gave texts that make a good test")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("families", nargs="*", help="only these (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "tests/data/seq2seq")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for name in arguments.families or FAMILIES:
        make_family(name, arguments.out)


if __name__ == "__main__":
    main()

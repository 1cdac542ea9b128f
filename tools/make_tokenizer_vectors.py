#!/usr/bin/env python3
"""Makes tests/data/tokenizers/*.json: small tokenizers that exercise one component each, with ids and decodings as the PyPI packages
`tokenizers` and `sentencepiece` compute them.

    pip install tokenizers==0.23.* sentencepiece
    tools/make_tokenizer_vectors.py tests/data/tokenizers

The texts come from a fixed seed; the vocabularies are trained, which the packages do not do the same way twice, so a new run changes the
files of models.
"""
import base64
import io
import json
import os
import random
import sys
import tempfile

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

STORY = """The miller had a dog, a cat and 3 hens. "Who's there?" asked the dog; nobody answered. It wasn't the wind, and they'd
not have minded if it were: in 1847 the old mill (built 1620-1655) had burned down twice already. Ein Müller fährt über die Brücke,
l'été dernier à Noël, señor Núñez comió 12,50 € de jamón. Привет, мир! 你好，世界。こんにちは、カタカナー。 안녕하세요 세계.
    if (x >= 10) { return f(x - 1) + "\\n"; }\t// indented code
The hens walked, walking and walks; the unwalked walkers walk. www.example.org/path?q=1&r=2 costs $3.99 or 5%!
"""

# Characters old enough for every Unicode version in use, of every kind that some component treats in its own way.
POOL = ("abcdefgzABCXYZ0123456789   \t\n\r.,;:!?'\"()[]{}<>#$%&*+-/=@\\^_`|~éüßñÉÜİıſKÅﬁ①½²٣éǘ ̈ÀÑ\u00a0\u2003\u3000\u2028\u0085"
        "世界漢字あいカー한글ㄱПриветΩσςא ב\u200d\u200b\ufeff\u00ad\u0007\u001f\x7f😀👍🏽👨‍👩‍👧▁Ġ…–—“”¿¡€£¥")
WORDS = ["the", "dog", "walk", "walked", "Who's", "they'd", "1847", "3", " ", "  ", "\n", "\n\n", "\t", "(x", ">=", "10)", "é", "Müller", "你好", "世界",
         "Привет", "カタカナ", "한국어", "'ll", "'VE", "'ſ", "don't", "e\u0301", "...", "!!", "$3.99", "foo_bar", "A1b2", "😀", "ﬁn", "X̂", "", "a", "Z"]


def texts(seed, n=16, few=False):
    rng = random.Random(seed)
    out = ["", "Hello world", STORY[130:200]]
    if not few:
        out += [" ", "  two  spaces ", "don't they'd I'LL", "line\nbreak\n\n  end \n", "naïve café", "e\u0301\u0302 x\u0301"]
    for _ in range(n // 2):
        out.append("".join(rng.choice(POOL) for _ in range(rng.randint(1, 24))))
    for _ in range(n - n // 2):
        out.append("".join(rng.choice(WORDS) + rng.choice(["", " ", " ", ""]) for _ in range(rng.randint(1, 10))))
    return out


def save(tok):
    return json.loads(tok.to_str())


def case(name, tok, inputs, decode_extra=(), decodes=True):
    """Ids with and without special tokens, and the decodings of both."""
    tests = []
    for text in inputs:
        plain = tok.encode(text, add_special_tokens=False).ids
        special = tok.encode(text).ids
        test = {"text": text, "ids": plain}
        if decodes:
            test["decoded"] = tok.decode(plain, skip_special_tokens=True)
        if special != plain:
            test["with_special"] = special
            test["decoded_special"] = tok.decode(special, skip_special_tokens=False)
        tests.append(test)
    decodings = []
    for ids in decode_extra:
        try:
            decodings.append({"ids": ids, "decoded": tok.decode(ids, skip_special_tokens=False)})
        except BaseException as e:  # Strip panics on a token shorter than what it would take away
            if "Panic" not in type(e).__name__:
                raise
    return {"name": name, "tokenizer": save(tok), "tests": tests, "decodings": decodings}


def pieces_case(name, inputs, normalizer=None, pre_tokenizer=None):
    """A WordLevel vocabulary of exactly the pieces the components make of these texts, so that ids show the pieces."""
    scratch = Tokenizer(models.BPE())
    pieces, kept = {}, []
    for text in inputs:
        changed = normalizer.normalize_str(text) if normalizer else text
        words = [w for w, _ in pre_tokenizer.pre_tokenize_str(changed)] if pre_tokenizer else ([changed] if changed else [])
        kept.append(text)
        for w in words:
            pieces.setdefault(w, len(pieces))
    pieces.setdefault("<unknown word>", len(pieces))
    tok = Tokenizer(models.WordLevel(pieces, unk_token="<unknown word>"))
    if normalizer:
        tok.normalizer = normalizer
    if pre_tokenizer:
        tok.pre_tokenizer = pre_tokenizer
    del scratch
    tests = [{"text": t, "ids": tok.encode(t, add_special_tokens=False).ids} for t in kept]
    return {"name": name, "tokenizer": save(tok), "tests": tests, "decodings": []}


def charsmap():
    """A small SentencePiece character map: some rules that overlap, and one that deletes."""
    rules = ["FB01\t66 69", "2460\t31", "BD\t31 2F 32", "A0\t20", "3000\t20", "AD\t", "E9\t65", "65 301\t65", "C5\t41", "212B\t41", "FF21\t41", "FF21 FF22\t58 59",
             "1F468 200D 1F469\t4D", "AC00\t4B 41", "200B\t20"]
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/rules.tsv", "w") as f:
            f.write("\n".join(rules) + "\n")
        train_sentencepiece(d, normalization_rule_tsv=d + "/rules.tsv", model_type="unigram", vocab_size=140)
        proto = open(d + "/m.model", "rb").read()
    return field(field(proto, 3), 2), proto


def varint(data, i):
    value = shift = 0
    while True:
        b = data[i]
        i += 1
        value |= (b & 127) << shift
        shift += 7
        if b < 128:
            return value, i


def field(data, number):
    i = 0
    while i < len(data):
        key, i = varint(data, i)
        if key & 7 == 2:
            size, i = varint(data, i)
            if key >> 3 == number:
                return data[i:i + size]
            i += size
        elif key & 7 == 0:
            _, i = varint(data, i)
        else:
            i += 8 if key & 7 == 1 else 4
    raise KeyError(number)


def train_sentencepiece(folder, **options):
    with open(folder + "/text", "w") as f:
        f.write(STORY * 3)
    options = dict(input=folder + "/text", model_prefix=folder + "/m", minloglevel=2, hard_vocab_limit=False, num_threads=1) | options
    sentencepiece.SentencePieceTrainer.train(**options)
    return folder + "/m.model"


def normalizer_cases():
    n = normalizers
    table = {
        "NFC": n.NFC(), "NFD": n.NFD(), "NFKC": n.NFKC(), "NFKD": n.NFKD(), "Lowercase": n.Lowercase(), "Strip": n.Strip(),
        "Strip left": n.Strip(left=True, right=False), "Strip right": n.Strip(left=False, right=True), "StripAccents": n.StripAccents(), "Nmt": n.Nmt(),
        "Replace text": n.Replace("a", "--"), "Replace regex": n.Replace(Regex(r"\s{2,}|\d+$"), "_"), "Replace empty match": n.Replace(Regex("x*"), "-"),
        "Prepend": n.Prepend("▁"), "ByteLevel": n.ByteLevel(), "Bert": n.BertNormalizer(), "Bert cased": n.BertNormalizer(lowercase=False),
        "Bert keeps all": n.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False),
        "Bert accents only": n.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
        "Precompiled": n.Precompiled(charsmap()[0]),
        "Sequence": n.Sequence([n.NFD(), n.StripAccents(), n.Lowercase(), n.Replace("ß", "ss"), n.Strip()]),
        "Llama 2": n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]),
    }
    return [pieces_case(name, texts("normalizer " + name), normalizer=value) for name, value in table.items()]


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
KIMI = r"\p{Han}+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+|\p{N}{1,3}|\s+"
# Where Oniguruma and PCRE2 read the same pattern differently.
DIALECT = [r"\w+", r"\W+", r"[^\w\s]+", r"\d+", r"\h+", r"\s", r"\S+", r"[\s\d]+", r"a$", r"^.", r"(?m:a.b)", r"\p{N}{1,3}+", r"\p{N}{2}?", r"[a-z&&[^aeiou]]+",
           r"[a-c[x-z]]+", r"[^a-c[x-z]]+", r"\p{Letter}+", r"\p{^L}+", r"\P{L}+", r"\p{Punct}", r"[[:punct:]]+", r"[[:alpha:]_]+", r"[[:^digit:]]+", r"\p{Han}+",
           r"(?i)straße|k", r"\u0061+", r"x*", r"(?<=a)b", r"\bthe\b", r"[\w-]+", r"(a)\1", r"(?<n>e)\k<n>", r"\R", r"\X", r"[^\p{L}\p{N}]+", r"\x{4e16}|\x41", r"[+--]"]


def pre_tokenizer_cases():
    p = pre_tokenizers
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    table = {
        "ByteLevel": p.ByteLevel(add_prefix_space=False), "ByteLevel prefix": p.ByteLevel(add_prefix_space=True),
        "ByteLevel plain": p.ByteLevel(add_prefix_space=False, use_regex=False), "Metaspace": p.Metaspace(), "Metaspace first": p.Metaspace(prepend_scheme="first"),
        "Metaspace never": p.Metaspace(prepend_scheme="never"), "Metaspace whole": p.Metaspace(split=False), "Metaspace other": p.Metaspace(replacement="_"),
        "Whitespace": p.Whitespace(), "WhitespaceSplit": p.WhitespaceSplit(), "Bert": p.BertPreTokenizer(), "Digits": p.Digits(),
        "Digits one by one": p.Digits(individual_digits=True), "CharDelimiterSplit": p.CharDelimiterSplit("a"), "UnicodeScripts": p.UnicodeScripts(),
        "FixedLength": p.FixedLength(3), "Sequence": p.Sequence([p.WhitespaceSplit(), p.Punctuation(), p.Digits(individual_digits=True)]),
        "Metaspace first after split": p.Sequence([p.WhitespaceSplit(), p.Metaspace(prepend_scheme="first")]),
        "T5": p.Sequence([p.WhitespaceSplit(), p.Metaspace()]), "ByteLevel in the middle": p.Sequence([p.ByteLevel(add_prefix_space=False), p.Digits()]),
    }
    for b in behaviors:
        table["Punctuation " + b] = p.Punctuation(b)
        for invert in (False, True):
            table[f"Split text {b}{' inverted' if invert else ''}"] = p.Split("a", b, invert)
            table[f"Split regex {b}{' inverted' if invert else ''}"] = p.Split(Regex(r"\s+|\d"), b, invert)
    for name, pattern in [("GPT-2", GPT2), ("Llama 3", LLAMA3), ("Qwen 2", QWEN2), ("o200k", O200K), ("DeepSeek 3", DEEPSEEK), ("CLIP", CLIP), ("Kimi", KIMI)]:
        table[name + " pattern"] = p.Split(Regex(pattern), "isolated")
    for pattern in DIALECT:
        table["dialect " + pattern] = p.Split(Regex(pattern), "isolated")
    return [pieces_case(name, texts("pre " + name, 10, few=True) if name.startswith("dialect") else texts("pre " + name), pre_tokenizer=value) for name, value in table.items()]


def trained(model, trainer, pre_tokenizer, normalizer=None):
    tok = Tokenizer(model)
    tok.pre_tokenizer = pre_tokenizer
    if normalizer:
        tok.normalizer = normalizer
    tok.train_from_iterator([STORY] * 3, trainer)
    return tok


def edited(tok, **changes):
    data = save(tok)
    data["model"].update(changes)
    return Tokenizer.from_str(json.dumps(data))


BYTES = [f"<0x{b:02X}>" for b in range(256)]


def model_cases():
    p, out = pre_tokenizers, []
    rng = random.Random(7)
    quiet = dict(show_progress=False)

    def add(name, tok):
        size = tok.get_vocab_size()
        extra = [[rng.randrange(size) for _ in range(rng.randint(0, 12))] for _ in range(12)]
        out.append(case(name, tok, texts("model " + name), extra))

    byte_bpe = trained(models.BPE(), trainers.BpeTrainer(vocab_size=420, initial_alphabet=p.ByteLevel.alphabet(), special_tokens=["<|end|>"], **quiet),
                       p.ByteLevel(add_prefix_space=False))
    byte_bpe.decoder = decoders.ByteLevel()
    add("BPE of bytes", byte_bpe)
    data = save(byte_bpe)
    data["model"]["merges"] = [" ".join(m) if isinstance(m, list) else m for m in data["model"]["merges"]]
    add("BPE of bytes, merges as texts", Tokenizer.from_str(json.dumps(data)))
    # Words that the merges do not reach: only ignore_merges takes them whole.
    vocab = dict(data["model"]["vocab"])
    for word in ["Ġnobody", "Who", "Ġreturn", "世界"]:
        vocab.setdefault(word, len(vocab))
    add("BPE of bytes, ignore_merges", edited(byte_bpe, vocab=vocab, ignore_merges=True))
    small = trained(models.BPE(), trainers.BpeTrainer(vocab_size=150, special_tokens=[], **quiet), p.ByteLevel(add_prefix_space=False))
    small.decoder = decoders.ByteLevel()
    add("BPE of bytes, bytes missing", small)

    chars = trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(vocab_size=220, special_tokens=["<unk>"], limit_alphabet=60, **quiet), p.Whitespace())
    add("BPE of characters, unk", chars)
    add("BPE of characters, fuse_unk", edited(chars, fuse_unk=True))
    suffix = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
                     trainers.BpeTrainer(vocab_size=220, special_tokens=["<unk>"], end_of_word_suffix="</w>", limit_alphabet=60, **quiet), p.Whitespace())
    suffix.decoder = decoders.BPEDecoder()
    add("BPE of characters, suffix", suffix)
    prefix = trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"),
                     trainers.BpeTrainer(vocab_size=220, special_tokens=["<unk>"], continuing_subword_prefix="##", limit_alphabet=60, **quiet), p.Whitespace())
    prefix.decoder = decoders.WordPiece()
    add("BPE of characters, prefix", prefix)

    llama = trained(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True),
                    trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"] + BYTES, limit_alphabet=60, **quiet), p.Metaspace())
    data = save(llama)
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith("<0x")]
    data["pre_tokenizer"] = None
    llama = Tokenizer.from_str(json.dumps(data))
    llama.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    llama.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    llama.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    add("Llama 2", llama)
    add("Llama 2, legacy off", with_parts(llama, normalizer=None, pre_tokenizer=p.Metaspace(prepend_scheme="first", split=False)))

    unigram = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=200, special_tokens=["<pad>", "<unk>"], unk_token="<unk>", **quiet), p.Metaspace())
    unigram.decoder = decoders.Metaspace()
    add("Unigram", unigram)
    data = save(unigram)
    data["model"]["vocab"] += [[b, 0.0] for b in BYTES]
    data["model"]["byte_fallback"] = True
    fallback = Tokenizer.from_str(json.dumps(data))
    fallback.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    add("Unigram, byte_fallback", fallback)
    add("Unigram of whole texts", with_parts(unigram, pre_tokenizer=p.Metaspace(split=False)))

    bert = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=260, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], **quiet),
                   p.BertPreTokenizer(), normalizers.BertNormalizer())
    bert.decoder = decoders.WordPiece()
    bert.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    add("WordPiece", bert)
    add("WordPiece, short words", edited(bert, max_input_chars_per_word=5))
    words = trained(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=60, special_tokens=["[UNK]"], **quiet), p.Whitespace())
    add("WordLevel", words)
    return out


def with_parts(tok, **parts):
    data = save(tok)
    for key in parts:
        data[key] = None
    tok = Tokenizer.from_str(json.dumps(data))
    for key, value in parts.items():
        if value is not None:
            setattr(tok, key, value)
    return tok


def tiny_byte_level():
    p = pre_tokenizers
    tok = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(p.ByteLevel.alphabet()))}, []))
    tok.pre_tokenizer = p.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    return tok


def added_token_cases():
    out = []

    def add(name, tokens, normalizer=None, special=(), extra=()):
        tok = tiny_byte_level()
        if normalizer:
            tok.normalizer = normalizer
        tok.add_tokens(tokens)
        tok.add_special_tokens(list(special))
        words = [t.content for t in tokens + list(special)] + ["the", "Ab", " ", "  ", "\n", "é", ".", "a_b", "x1", "世"]
        rng = random.Random("added " + name)
        inputs = ["".join(rng.choice(words) for _ in range(rng.randint(1, 9))) for _ in range(24)]
        # This version of the package decodes a normalised added token to its normalised text, not to the one in the file.
        out.append(case(name, tok, inputs + list(extra), decodes=not isinstance(normalizer, (normalizers.Lowercase, normalizers.Sequence))))

    add("plain", [AddedToken("<x>", normalized=False), AddedToken("the cat", normalized=False)])
    add("single_word", [AddedToken("cat", single_word=True, normalized=False), AddedToken("é", single_word=True, normalized=False)])
    add("lstrip and rstrip", [AddedToken("<l>", lstrip=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False),
                              AddedToken("<b>", lstrip=True, rstrip=True, normalized=False)])
    add("longest first", [AddedToken("<a", normalized=False), AddedToken("<ab", normalized=False), AddedToken("b>", normalized=False), AddedToken("<ab>c", normalized=False)])
    add("normalized", [AddedToken("Cat", normalized=True), AddedToken("CAFÉ", normalized=True)], normalizers.Lowercase(), extra=["cat CAT Cat café CAFÉ"])
    add("both kinds", [AddedToken("CAT", normalized=True), AddedToken("Dog", normalized=False)], normalizers.Sequence([normalizers.Lowercase(), normalizers.Prepend("_")]),
        extra=["catDogcat", "Dog", "dog Cat DogDog"])
    add("special", [AddedToken("word")], special=[AddedToken("<|end|>", normalized=False, special=True), AddedToken("<|r|>", rstrip=True, normalized=False, special=True)])
    spaces = [AddedToken(" " * n, normalized=True) for n in range(2, 6)]
    add("runs of spaces", spaces, normalizers.NFC(), extra=["a" + " " * n + "b" for n in range(12)])
    return out


def post_processor_cases():
    out = []
    base = tiny_byte_level()
    base.add_special_tokens(["<s>", "</s>", "[A]", "[B]"])
    ids = {t: base.token_to_id(t) for t in ["<s>", "</s>", "[A]", "[B]"]}
    p = processors
    table = {
        "Template": p.TemplateProcessing(single="[A] $A [B] </s>", special_tokens=[(t, ids[t]) for t in ["[A]", "[B]", "</s>"]]),
        "Bert": p.BertProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"])),
        "Roberta": p.RobertaProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"])),
        "ByteLevel": p.ByteLevel(),
        "Sequence": p.Sequence([p.ByteLevel(), p.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", ids["<s>"])])]),
    }
    for name, value in table.items():
        tok = Tokenizer.from_str(base.to_str())
        tok.post_processor = value
        out.append(case(name, tok, ["", "a", "Hello <s> there"]))
    return out


def decoder_cases():
    out = []
    d = decoders
    rng = random.Random(3)
    pieces = ["▁the", "▁a", "▁", "▁▁", "ing", "##ing", "##s", "don", "'t", " n't", "</w>", "cat</w>", "Ġdog", "Ġ", "Ã©", "Ã", "©", "Ċ", ".", "?", "é", " .", "|", "<pad>",
              "<0x41>", "<0x0A>", "<0xE4>", "<0xB8>", "<0x96>", "<0xFF>", "<0xf0>", "<0x4G>", "a", "b", "aab", "  x  ", "世", "'", "do", "not", "▁do not"]
    vocab = {w: i for i, w in enumerate(pieces)}
    table = {
        "none": None, "ByteLevel": d.ByteLevel(), "ByteFallback": d.ByteFallback(), "Fuse": d.Fuse(), "Strip start": d.Strip("a", 1, 0),
        "Metaspace": d.Metaspace(), "Metaspace never": d.Metaspace(prepend_scheme="never"), "WordPiece": d.WordPiece(), "WordPiece as it is": d.WordPiece(cleanup=False),
        "WordPiece prefix": d.WordPiece(prefix="▁"), "BPEDecoder": d.BPEDecoder(), "CTC": d.CTC(), "CTC as it is": d.CTC(cleanup=False), "Replace text": d.Replace("a", "xyz"),
        "Replace regex": d.Replace(Regex("[a-c]+"), "<>"), "Llama 2": d.Sequence([d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)]),
        "fused replace": d.Sequence([d.Fuse(), d.Replace("ab", "+")]), "fused regex": d.Sequence([d.Fuse(), d.Replace(Regex("a+"), "<>")]),
        "fused strip": d.Sequence([d.Fuse(), d.Strip("a", 1, 2)]), "bytes and metaspace": d.Sequence([d.ByteFallback(), d.Metaspace()]),
        "bytes, fused strip": d.Sequence([d.ByteLevel(), d.Strip(" ", 1, 0)]),
    }
    for name, value in table.items():
        tok = Tokenizer(models.WordLevel(vocab, unk_token="a"))
        if value is not None:
            tok.decoder = value
        lists = [[vocab[w] for w in ["<0xE4>", "<0xB8>", "<0x96>"]], [vocab[w] for w in ["▁the", "▁a", "##s", ".", "Ã", "©"]], [vocab["Ã"], vocab["a"]], []]
        while len(lists) < 40:
            ids = [rng.randrange(len(pieces)) for _ in range(rng.randint(1, 9))]
            lists.append(ids)
        out.append(case(name, tok, [], lists))
    return out


def sentencepiece_cases():
    out = []
    variants = {
        "BPE with bytes": dict(model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
        "BPE without bytes": dict(model_type="bpe", vocab_size=170, normalization_rule_name="identity", character_coverage=0.98),
        "BPE, user-defined": dict(model_type="bpe", vocab_size=460, byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False,
                                  remove_extra_whitespaces=False, user_defined_symbols=["<turn>", "▁▁", "\t", "walked"]),
        "unigram": dict(model_type="unigram", vocab_size=150, normalization_rule_name="identity"),
        "unigram with bytes": dict(model_type="unigram", vocab_size=420, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
        "unigram, suffix": dict(model_type="unigram", vocab_size=150, normalization_rule_name="identity", treat_whitespace_as_suffix=True),
        "unigram, T5 ids": dict(model_type="unigram", vocab_size=150, normalization_rule_name="identity", pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
    }
    protos = []
    for name, options in variants.items():
        with tempfile.TemporaryDirectory() as d:
            protos.append((name, open(train_sentencepiece(d, **options), "rb").read()))
    protos.append(("unigram with a character map", charsmap()[1]))
    for name, proto in protos:
        sp = sentencepiece.SentencePieceProcessor(model_proto=proto)
        tests = []
        for text in texts("sp " + name, 20):
            text = text.replace("\x00", "")
            ids = sp.encode(text)
            tests.append({"text": text, "ids": ids, "decoded": sp.decode([i for i in ids if i != sp.unk_id()])})
        roles = {"bos": sp.bos_id(), "eos": sp.eos_id(), "unk": sp.unk_id(), "pad": sp.pad_id()}
        out.append({"name": name, "model": base64.b64encode(proto).decode(), "tests": tests, "roles": roles})
    return out


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    subjects = {"normalizers": normalizer_cases, "pre_tokenizers": pre_tokenizer_cases, "models": model_cases, "added_tokens": added_token_cases,
                "post_processors": post_processor_cases, "decoders": decoder_cases, "sentencepiece": sentencepiece_cases}
    for name, make in subjects.items():
        data = {"made_with": {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}, "cases": make()}
        text = io.StringIO()
        json.dump(data, text, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        with open(f"{folder}/{name}.json", "w", encoding="utf-8") as f:
            f.write(text.getvalue().replace('},{"decodings"', '},\n{"decodings"') + "\n")
        print(name, len(data["cases"]), os.path.getsize(f"{folder}/{name}.json"))


if __name__ == "__main__":
    main()

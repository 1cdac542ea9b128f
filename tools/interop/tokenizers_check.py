#!/usr/bin/env python3
"""Our tokenizers against the tokenizers package: the same ids for the same text, and the same text for the same ids.

Two kinds of tokenizer.json are compared: those of the shared material (where it is present), and small ones that are trained here on a few
sentences, one for each component that published files use: model kinds, normalisers, pre-tokenizers with the split patterns of known families,
post-processors, decoders, added tokens with their flags.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from motley_program import Report, has_shared, need_program, run, run_json, shared

TEXTS = [
    "",
    " ",
    "Hello, world!",
    "hello",
    " leading and trailing ",
    "two  spaces   three    four\ttab\t\ttabs",
    "line\nline\n\nparagraph\r\nwindows\n\n\n  indented\n",
    "I'm you're he'll we've they'd it's don't I'M YOU'RE HE'LL",
    "numbers 1 12 123 1234 12345 3.14159 1,000,000 0x1F 1e-9 2026-11-20",
    "snake_case camelCase PascalCase kebab-case SCREAMING_CASE x1y2z3",
    "def f(x):\n    return x ** 2  # squared\n\nprint(f(3))",
    "punctuation... (really?!) [yes] {no} <tag attr=\"v\"/> a/b\\c @user #tag $5 50% & more -- dash — em dash",
    "Łódź, Zürich, naïve café, Ångström, İstanbul, straße, ǅ",
    "decomposed: e\u0301 a\u030a n\u0303, composed: é å ñ, ligature ﬁ ﬂ, width ＡＢＣ１２３, roman Ⅳ, fraction ½",
    "Русский текст, Ελληνικά, עברית, العربية ١٢٣, हिन्दी में नमस्ते, ไทย, ქართული",
    "中文字符測試，日本語テスト、ひらがな カタカナ。한국어 시험",
    "emoji 😀 👩‍👩‍👧‍👦 👍🏽 🇩🇪 ☕️ and 🤖🤖🤖",
    "zero width\u200bspace, joiner\u200d, no-break\u00a0space, ideographic\u3000space, line\u2028sep, bom\ufeffhere",
    "control \x01\x02 \x1b[0m \x7f chars",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "the the the the quick brown fox jumps over the lazy dog " * 5,
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "𝕄𝕒𝕥𝕙 𝔣𝔯𝔞𝔨𝔱𝔲𝔯 𐍈 𝟘𝟙𝟚 beyond the first plane",
    "<s>special</s> <|endoftext|> [CLS] [MASK] [SEP] <unk> <pad> <|im_start|>user",
    "half<|endoftext|>word <|endoftext|> spaced<mask>",
    " \n \n\n \t ",
    "\n",
    "x\n\n\n\ny     z",
    "ﷺ \u1e9b\u0323 \u212b \u2126 K",
    "A" * 40 + " " * 40 + "1" * 40 + "!" * 40,
]

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "Once upon a time there was a little girl who didn't like numbers: 1, 22, 333, 4444.",
    "def hello(name):\n    return f\"Hello, {name}!\"\n",
    "Über den Wolken muß die Freiheit wohl grenzenlos sein; café, naïve, Zürich.",
    "Привет, мир! 你好，世界。こんにちは 😀",
    "WE'RE GOING TO THE MARKET, aren't we? They've been there, I'm sure.",
]

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]


# ---- small tokenizers -------------------------------------------------------------------------------------------------------------------


def byte_level_split(*patterns):
    steps = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def bpe(pre_tokenizer, decoder, normalizer=None, specials=("<|endoftext|>", "<|im_start|>"), options=None, byte_alphabet=True):
    t = Tokenizer(models.BPE(**(options or {})))
    t.pre_tokenizer, t.decoder = pre_tokenizer, decoder
    if normalizer:
        t.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_alphabet else []
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=list(specials), initial_alphabet=alphabet, show_progress=False)
    t.train_from_iterator(SENTENCES, trainer)
    return t


def sentencepiece_bpe(byte_fallback=True, legacy=False):
    """Llama 2 and its kin: characters, a metaspace, byte tokens for what the vocabulary lacks."""
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback))
    if legacy:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=460, special_tokens=specials, show_progress=False))
    # The trainer marks byte tokens as special; published files have them as plain words of the vocabulary.
    data = json.loads(t.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    t = Tokenizer.from_str(json.dumps(data))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t


def unigram(normalizer, pre_tokenizer, decoder):
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre_tokenizer, decoder
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=["<pad>", "</s>", "<unk>", "<mask>"], unk_token="<unk>", show_progress=False)
    t.train_from_iterator(SENTENCES * 3, trainer)
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t


def wordpiece(normalizer, pre_tokenizer, cleanup=True):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre_tokenizer, decoders.WordPiece(cleanup=cleanup)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(SENTENCES, trainers.WordPieceTrainer(vocab_size=260, special_tokens=specials, show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def with_added_tokens(t):
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    t.add_tokens([AddedToken("quick", single_word=True), AddedToken("  ", normalized=False), AddedToken("straße", normalized=True)])
    return t


def with_post_processor(t, post_processor):
    t.post_processor = post_processor
    return t


def small_tokenizers():
    byte_decoder = decoders.ByteLevel()
    plain_byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    yield "gpt2", bpe(plain_byte_level, byte_decoder)
    yield "byte-level with a prefix space", with_post_processor(
        bpe(pre_tokenizers.ByteLevel(add_prefix_space=True), byte_decoder, specials=("<s>", "<pad>", "</s>", "<unk>")),
        processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True),
    )
    yield "gpt2 pattern, split", bpe(byte_level_split(GPT2), byte_decoder)
    yield "llama3", with_post_processor(
        bpe(byte_level_split(LLAMA3), byte_decoder, options={"ignore_merges": True}),
        processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<|im_start|> $A", pair="<|im_start|> $A $B", special_tokens=[("<|im_start|>", 1)]),
        ]),
    )
    yield "qwen2", bpe(byte_level_split(QWEN2), byte_decoder, normalizers.NFC())
    yield "o200k", bpe(byte_level_split(O200K), byte_decoder)
    yield "deepseek", bpe(byte_level_split(*DEEPSEEK), byte_decoder)
    digits = [pre_tokenizers.Digits(individual_digits=True), plain_byte_level]
    yield "digits one by one", bpe(pre_tokenizers.Sequence(digits), byte_decoder)
    yield "added tokens", with_added_tokens(bpe(plain_byte_level, byte_decoder))
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        steps = [pre_tokenizers.Punctuation(behavior), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        yield f"punctuation {behavior}", bpe(pre_tokenizers.Sequence(steps), byte_decoder)
        steps[0] = pre_tokenizers.Split(Regex(r"[\s,]"), behavior)
        yield f"split {behavior}", bpe(pre_tokenizers.Sequence(steps), byte_decoder)
    steps[0] = pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}"), "removed", invert=True)
    yield "split inverted", bpe(pre_tokenizers.Sequence(steps), byte_decoder)
    for name, normalizer in {
        "nfkc": normalizers.NFKC(),
        "nfd, lowercase, no accents": normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]),
        "strip": normalizers.Strip(),
        "replace": normalizers.Sequence([normalizers.Replace(Regex(r" {2,}"), " "), normalizers.Replace("fox", "cat")]),
        "nmt": normalizers.Nmt(),
    }.items():
        yield f"normaliser {name}", bpe(plain_byte_level, byte_decoder, normalizer)
    yield "sentencepiece bpe", sentencepiece_bpe()
    yield "sentencepiece bpe, legacy", sentencepiece_bpe(legacy=True)
    yield "sentencepiece bpe without bytes", sentencepiece_bpe(byte_fallback=False)
    metaspace = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    yield "unigram, t5", unigram(
        normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre_tokenizers.Metaspace(prepend_scheme="always"),
        metaspace,
    )
    yield "unigram, albert", unigram(
        normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]),
        metaspace,
    )
    yield "wordpiece, uncased", wordpiece(normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer())
    cased = normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False)
    yield "wordpiece, cased", wordpiece(cased, pre_tokenizers.BertPreTokenizer(), cleanup=False)
    yield "wordpiece, whitespace", wordpiece(normalizers.NFD(), pre_tokenizers.Whitespace())
    suffix = {"unk_token": "<unk>", "end_of_word_suffix": "</w>"}
    t = Tokenizer(models.BPE(**suffix))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizers.Lowercase(), pre_tokenizers.Whitespace(), decoders.BPEDecoder(suffix="</w>")
    t.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False))
    yield "bpe with word ends", t


# ---- comparison ---------------------------------------------------------------------------------------------------------------------------


def compare(report, name, file: Path):
    try:
        theirs = Tokenizer.from_file(str(file))
    except Exception as error:  # the package knows no narrower type
        print(f"     {name}: the package does not read it ({error})")
        return
    theirs.no_truncation()
    theirs.no_padding()
    wrong = []
    for text in TEXTS:
        for flags, special in ((["--no-special"], False), ([], True)):
            wanted = theirs.encode(text, add_special_tokens=special).ids
            ids = run_json("tokenize", file, "--json", "--parse-special", *flags, text=text.encode())
            if ids != wanted:
                wrong.append(f"{text[:60]!r} {' '.join(flags)}: {ids[:24]}, expected {wanted[:24]}")
        back = run("detokenize", file, text=json.dumps(wanted).encode())
        if back != theirs.decode(wanted, skip_special_tokens=False):
            wrong.append(f"{wanted[:24]} reads {back[:60]!r}, expected {theirs.decode(wanted, skip_special_tokens=False)[:60]!r}")
    shown = "".join(f"\n     {w}" for w in wrong[:6]) + (f"\n     and {len(wrong) - 6} more" if len(wrong) > 6 else "")
    report.line(not wrong, f"{name}: {len(TEXTS)} texts{shown}")


def main():
    need_program()
    report = Report()
    print(f"tokenizers {tokenizers.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, tokenizer) in enumerate(small_tokenizers()):
            file = Path(folder) / str(i) / "tokenizer.json"
            file.parent.mkdir()
            tokenizer.save(str(file))
            compare(report, name, file)
    if has_shared("tokenizers"):
        for file in sorted(shared("tokenizers").glob("*/tokenizer.json")):
            compare(report, f"shared {file.parent.name}", file)
    report.finish()


if __name__ == "__main__":
    main()

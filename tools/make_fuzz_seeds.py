#!/usr/bin/env python3
"""Writes the first inputs of the model files' fuzz targets into tests/fuzz/corpus: small valid files of each kind, from which mutation
finds the invalid ones, and one of each well-known way to be invalid. Needs nothing but Python; the output is the same every time.

    tools/make_fuzz_seeds.py
"""
import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus"


def save(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


# --- GGUF -------------------------------------------------------------------------------------------------------------------------

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return struct.pack("<Q", len(s)) + s


def value(kind, v):
    return text(v) if kind == STRING else struct.pack("<" + CODES[kind], v)


def entry(key, kind, v):
    return text(key) + struct.pack("<I", kind) + value(kind, v)


def array(key, kind, vs, count=None):
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(vs) if count is None else count) + b"".join(value(kind, v) for v in vs)


def tensor(name, dims, kind, offset):
    return text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, offset)


def gguf(entries, tensors, data=b"", version=3, alignment=32):
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries)) + b"".join(entries) + b"".join(tensors)
    return out + bytes(-len(out) % alignment) + data if tensors else out


def gguf_seeds():
    vocabulary = [
        entry("general.architecture", STRING, "llama"),
        entry("tokenizer.ggml.model", STRING, "llama"),
        array("tokenizer.ggml.tokens", STRING, ["<unk>", "<s>", "</s>", "\u2581a"]),
        array("tokenizer.ggml.scores", F32, [0.0, 0.0, 0.0, -1.0]),
        array("tokenizer.ggml.token_type", I32, [2, 3, 3, 1]),
        entry("tokenizer.ggml.add_bos_token", BOOL, True),
    ]
    every_type = [entry(f"k.{kind}", kind, 1) for kind in CODES] + [array(f"a.{kind}", kind, [0, 1]) for kind in CODES]
    weights = [tensor("token_embd.weight", [4, 2], 0, 0), tensor("blk.0.q.weight", [32, 1], 8, 32), tensor("blk.0.k.weight", [256], 12, 96)]
    data = bytes(range(32)) + bytes(64) + bytes(144)
    save("gguf_header", "vocabulary", gguf(vocabulary, []))
    save("gguf_header", "every_value_type", gguf(every_type, []))
    save("gguf_header", "tensors", gguf(vocabulary[:1], weights, data))
    save("gguf_header", "version_2", gguf(vocabulary[:1], weights, data, version=2))
    save("gguf_header", "aligned_64", gguf([entry("general.alignment", U32, 64)], [tensor("w", [2], 0, 0)], bytes(64), alignment=64))
    save("gguf_header", "split", gguf([entry("split.no", U16, 0), entry("split.count", U16, 2)], []))
    save("gguf_header", "type_known_by_name", gguf([], [tensor("w", [256], 23, 0)], bytes(136)))
    save("gguf_header", "bad_counts", b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 2**64 - 1))
    save("gguf_header", "bad_array_length", gguf([array("k", U64, [], count=2**61 + 1)], []))
    save("gguf_header", "bad_nested_array", gguf([text("k") + struct.pack("<IIQIQ", ARRAY, ARRAY, 1, U8, 0)], []))
    save("gguf_header", "bad_shape", gguf([], [tensor("w", [2**62], 0, 0)], bytes(64)))
    save("gguf_header", "bad_overlap", gguf([], [tensor("a", [16], 0, 0), tensor("b", [2], 0, 32)], bytes(64)))


# --- safetensors ------------------------------------------------------------------------------------------------------------------


def safetensors(header, data):
    header = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def described(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_seeds():
    target = "safetensors_header"
    save(target, "empty", safetensors({}, b""))
    save(target, "two", safetensors({"__metadata__": {"format": "pt"}, "a.weight": described("F32", [2, 2], 0, 16), "b": described("BF16", [3], 16, 22)}, bytes(22)))
    save(target, "scalar_and_nothing", safetensors({"s": described("I64", [], 0, 8), "n": described("F16", [0, 3], 8, 8)}, bytes(8)))
    save(target, "float8", safetensors({"w": described("F8_E4M3", [4], 0, 4), "h": described("F4", [2, 3], 4, 7)}, bytes(7)))
    save(target, "escapes", safetensors(b'{"\\u00e9\\ud83d\\ude00\\n\\"":{"shape":[1],"dtype":"U8","data_offsets":[0,1]}}', b"x"))
    save(target, "bad_length", struct.pack("<Q", 2**63) + b"{}")
    save(target, "bad_hole", safetensors({"a": described("U8", [1], 0, 1), "b": described("U8", [1], 2, 3)}, bytes(3)))
    save(target, "bad_overlap", safetensors({"a": described("U8", [2], 0, 2), "b": described("U8", [2], 1, 3)}, bytes(3)))
    save(target, "bad_twice", safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"xy"))
    save(target, "bad_depth", safetensors(b'{"a":' + b"[" * 200, b""))


# --- config.json ------------------------------------------------------------------------------------------------------------------


def config_seeds():
    llama = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 8,
        "num_key_value_heads": 4, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "tie_word_embeddings": True, "vocab_size": 512, "pad_token_id": None,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}, "eos_token_id": [2, 3],
    }
    save("hf_config", "llama", json.dumps(llama, indent=2).encode())
    save("hf_config", "generation", b'{"temperature":0.6,"top_p":0.9,"do_sample":true,"eos_token_id":2}')
    save("hf_config", "unusual_numbers", b'{"a":-0,"b":1e308,"c":18446744073709551615,"d":-9223372036854775808,"e":0.1e-400}')
    save("hf_config", "text", '{"\\u00e9\\ud83d\\ude00":"\\"\\\\\\/\\b\\f\\n\\r\\t","ü":""}'.encode())
    save("hf_config", "bad_twice", b'{"a":1,"a":2}')
    save("hf_config", "bad_depth", b"[" * 100)
    save("hf_config", "bad_zero_byte", b"{}\0{}")


# --- quantised Hugging Face folders: config.json on one line, then the safetensors file ----------------------------------------------


def quantised(name, config, tensors):
    header, data = {}, b""
    for key, (dtype, shape, content) in tensors.items():
        header[key] = described(dtype, shape, len(data), len(data) + len(content))
        data += content
    line = json.dumps({"quantization_config": config}, separators=(",", ":")).encode()
    save("quantised_folder", name, line + b"\n" + safetensors(header, data))


def quantised_seeds():
    def words(*numbers):
        return struct.pack(f"<{len(numbers)}I", *numbers)

    packed = words(*(0x76543210 + 0x01010101 * i for i in range(32)))
    scales = struct.pack("<8e", *(0.01 * (i + 1) for i in range(8)))
    gptq = {"w.qweight": ("I32", [4, 8], packed), "w.qzeros": ("I32", [1, 1], words(0x77777777)), "w.scales": ("F16", [1, 8], scales)}
    quantised("gptq", {"quant_method": "gptq", "bits": 4, "group_size": 32}, gptq)
    quantised("gptq_3_bits", {"quant_method": "gptq", "bits": 3, "group_size": -1}, {
        "w.qweight": ("I32", [3, 32], packed * 3), "w.qzeros": ("I32", [1, 3], words(1, 2, 3)), "w.scales": ("F16", [1, 32], scales * 4)})
    order = struct.pack("<32i", *(i % 2 for i in range(32)))
    two = gptq | {"w.qzeros": ("I32", [2, 1], words(5, 6)), "w.scales": ("F16", [2, 8], scales * 2), "w.g_idx": ("I32", [32], order)}
    quantised("gptq_groups", {"quant_method": "gptq", "bits": 4, "group_size": 16, "checkpoint_format": "gptq_v2"}, two)
    quantised("bad_group", {"quant_method": "gptq", "bits": 4, "group_size": 32}, gptq | {"w.g_idx": ("I32", [32], order)})
    awq = {"w.qweight": ("I32", [32, 1], packed), "w.qzeros": ("I32", [1, 1], words(0x12345678)), "w.scales": ("F16", [1, 8], scales)}
    quantised("awq", {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "GEMM"}, awq)
    quantised("bad_parts", {"quant_method": "awq", "bits": 4, "group_size": 128}, {"w.qweight": ("I32", [32, 1], packed)})
    numbers = ("F8_E4M3", [4, 32], bytes(range(128, 256)))
    fp8 = {"quant_method": "fp8", "weight_block_size": [2, 16]}
    quantised("fp8_blocks", fp8, {"w.weight": numbers, "w.weight_scale_inv": ("F32", [2, 2], struct.pack("<4f", 1, 2, 3, 4))})
    quantised("fp8_powers", fp8, {"w.weight": numbers, "w.weight_scale_inv": ("F8_E8M0", [2, 2], bytes([0, 127, 254, 255]))})
    quantised("fp8_one", {"quant_method": "compressed-tensors", "format": "float-quantized"}, {"w.weight": numbers, "w.weight_scale": ("BF16", [], b"\x80\x3f")})
    quantised("bad_scales", fp8, {"w.weight": numbers, "w.weight_scale": ("F32", [3], bytes(12))})


# --- token files (docs/formats/tokens.md) -------------------------------------------------------------------------------------------


def content_hash(data):
    """ContentHash of src/base/content_hash.h."""
    mask = (1 << 64) - 1

    def fold(a, b):
        product = a * b
        return (product ^ (product >> 64)) & mask

    h, whole = 0x243F6A8885A308D3, len(data) // 8 * 8
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        h = (fold(h ^ word, 0xD6E8FEB86659FD93) + 0x9E3779B97F4A7C15) & mask
    pending = int.from_bytes(data[whole:], "little")
    return fold(h ^ pending ^ 0x2545F4914F6CDD1D, 0x9E3779B97F4A7C15 ^ len(data))


def token_file(samples, labels=(), width=0, marks=None, token_bytes=2, flags=None, counts=None):
    words = b'{"classes":["no","yes"],"description":"seeds","warnings":[]}'
    tokens = [t for s in samples for t in s]
    out = b"MTLYTOK1" + struct.pack("<QIIII", 7, token_bytes, (marks is not None) if flags is None else flags, width, len(words))
    out += struct.pack("<QQ", *(counts or (len(samples), len(tokens)))) + words
    out += struct.pack(f"<{len(samples)}I", *map(len, samples)) + struct.pack(f"<{len(labels)}f", *labels)
    out += struct.pack(f"<{len(tokens)}{'H' if token_bytes == 2 else 'I'}", *tokens) + bytes(marks or ())
    return out + struct.pack("<Q", content_hash(out))


def token_file_seeds():
    samples = [[1, 2, 3], [299], [5, 6]]
    save("token_file", "texts", token_file(samples))
    save("token_file", "marked", token_file(samples, marks=[0, 1, 1, 0, 0, 1], token_bytes=4))
    save("token_file", "labelled", token_file(samples, labels=[0, 1, 1], width=1))
    save("token_file", "many_samples", token_file(samples, counts=(1 << 40, 1 << 41)))
    save("token_file", "beyond_vocabulary", token_file([[1, 300]]))
    save("token_file", "not_a_number", token_file(samples, labels=[0, float("nan"), 1], width=1))
    save("token_file", "unknown_flag", token_file(samples, flags=2))


# --- adapters: adapter_config.json on one line, then the safetensors file ----------------------------------------------------------------


def adapter(name, config, tensors):
    header, data = {}, b""
    for key, (dtype, shape, content) in tensors.items():
        header[key] = described(dtype, shape, len(data), len(data) + len(content))
        data += content
    save("peft_adapter", name, json.dumps(config, separators=(",", ":")).encode() + b"\n" + safetensors(header, data))


def adapter_seeds():
    def floats(count):
        return struct.pack(f"<{count}f", *(0.5 * (i - 3) for i in range(count)))

    module = "base_model.model.model.layers.0.self_attn.q_proj"
    pair = {f"{module}.lora_A.weight": ("F32", [2, 3], floats(6)), f"{module}.lora_B.weight": ("F32", [4, 2], floats(8))}
    lora = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "lora_dropout": 0.1, "use_rslora": True, "bias": "none", "target_modules": ["q_proj"],
            "alpha_pattern": {"self_attn.q_proj": 3}}
    adapter("lora", lora, pair)
    adapter("lora_half", lora, {f"{module}.lora_A.weight": ("F16", [1, 2], bytes(4)), f"{module}.lora_B.weight": ("BF16", [2, 1], bytes(4))})
    biases = {f"{module}.base_layer.bias": ("F32", [4], floats(4)), "base_model.model.score.weight": ("F32", [2, 4], floats(8))}
    adapter("biases", lora | {"bias": "all", "modules_to_save": ["score"]}, {key: (d, s, bytes(len(b))) for key, (d, s, b) in pair.items()} | biases)
    adapter("bad_half", lora, {f"{module}.lora_A.weight": pair[f"{module}.lora_A.weight"]})
    adapter("bad_ranks", lora, {f"{module}.lora_A.weight": ("F32", [3, 2], floats(6)), f"{module}.lora_B.weight": ("F32", [4, 2], floats(8))})
    adapter("bad_dora", lora | {"use_dora": True}, pair)
    adapter("bad_pattern", lora | {"alpha_pattern": {".*q_proj": 3}}, pair)
    ia3 = {"peft_type": "IA3", "target_modules": ["k_proj"], "feedforward_modules": []}
    adapter("ia3", ia3, {"base_model.model.m.k_proj.ia3_l": ("F32", [4, 1], floats(4)), "base_model.model.m.down_proj.ia3_l": ("F32", [1, 3], floats(3))})
    prefix = {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 2, "token_dim": 2, "num_layers": 1, "num_attention_heads": 1}
    adapter("prefix", prefix, {"prompt_embeddings": ("F32", [2, 4], floats(8))})
    adapter("bad_prefix", prefix | {"num_virtual_tokens": 3}, {"prompt_embeddings": ("F32", [2, 4], floats(8))})
    down, up = "base_model.model.m.o_proj.bottleneck_down", "base_model.model.m.o_proj.bottleneck_up"
    adapter("bottleneck", {"peft_type": "BOTTLENECK", "bottleneck_size": 2, "non_linearity": "gelu", "target_modules": ["o_proj"]}, {
        f"{down}.weight": ("F32", [2, 3], floats(6)), f"{down}.bias": ("F32", [2], floats(2)),
        f"{up}.weight": ("F32", [3, 2], floats(6)), f"{up}.bias": ("F32", [3], floats(3))})


gguf_seeds()
safetensors_seeds()
quantised_seeds()
adapter_seeds()
config_seeds()
token_file_seeds()

#!/usr/bin/env python3
"""Makes tests/data/adapters: adapters saved by the peft package on checkpoints of tests/data/models, and the logits that it gets with them.

    python3 -m venv .venv/vectors
    .venv/vectors/bin/pip install peft transformers torch numpy safetensors
    .venv/vectors/bin/python tools/make_adapter_vectors.py
"""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import peft
import safetensors.torch
import torch
import transformers

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests/data"
TOKENS = [3, 17, 9, 22, 40, 41, 7, 7, 13, 2, 30, 28, 5]

LM = {"task_type": "CAUSAL_LM"}
ADAPTERS = {
    "llama3-lora": ("llama3", peft.LoraConfig(r=4, lora_alpha=6, target_modules="all-linear", rank_pattern={"down_proj": 2}, alpha_pattern={"q_proj": 3}, **LM)),
    "gpt2-lora": ("gpt2", peft.LoraConfig(r=3, lora_alpha=8, use_rslora=True, target_modules=["c_attn", "mlp.c_proj"], bias="all", fan_in_fan_out=True, **LM)),
    "gpt-neox-lora": ("gpt-neox", peft.LoraConfig(r=2, lora_alpha=4, target_modules=["query_key_value", "dense_4h_to_h"], **LM)),
    "llama3-ia3": ("llama3", peft.IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], **LM)),
    "gpt2-ia3": ("gpt2", peft.IA3Config(target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"], fan_in_fan_out=True, **LM)),
    "llama3-prefix": ("llama3", peft.PrefixTuningConfig(num_virtual_tokens=3, **LM)),
    "gpt2-prefix": ("gpt2", peft.PrefixTuningConfig(num_virtual_tokens=2, **LM)),
}


def draw(name, value):
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    numbers = rng.standard_normal(tuple(value.shape)) * 0.3
    return torch.tensor(1 + numbers if name.endswith("ia3_l") or ".ia3_l." in name else numbers, dtype=value.dtype)


def make(name):
    model, config = ADAPTERS[name]
    base = transformers.AutoModelForCausalLM.from_pretrained(DATA / "models" / model, torch_dtype=torch.float32, attn_implementation="eager")
    tuned = peft.get_peft_model(base, config).eval()
    with torch.no_grad():
        for key, value in tuned.named_parameters():
            if value.requires_grad:
                value.copy_(draw(key, value))
        logits = tuned(input_ids=torch.tensor([TOKENS])).logits[0]
    folder = DATA / "adapters" / name
    shutil.rmtree(folder, ignore_errors=True)
    tuned.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    written = json.loads((folder / "adapter_config.json").read_text())
    written["base_model_name_or_path"] = model
    if isinstance(written.get("target_modules"), list):
        written["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    safetensors.torch.save_file({"logits": logits.contiguous()}, folder / "reference.safetensors")
    made_with = {"peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    (folder / "reference.json").write_text(json.dumps({"model": model, "tokens": TOKENS, "made_with": made_with}) + "\n")
    print(name, sorted(p.name for p in folder.iterdir()))


if __name__ == "__main__":
    for each in ADAPTERS:
        make(each)

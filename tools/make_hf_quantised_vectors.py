#!/usr/bin/env python3
"""Makes tests/data/quantised: folders as quantisers of Hugging Face models write them, with one weight, and the numbers that it stands for.

    pip install torch safetensors && pip install --no-deps autoawq==0.2.7.post3 auto-gptq==0.4.2
    tools/make_hf_quantised_vectors.py tests/data/quantised

NAME/config.json, NAME/model.safetensors    the folder
NAME/expected.f32                           the weight "w.weight", [outputs, inputs] of float32

AWQ and GPTQ words are packed by those packages' own code, and what the packages make of them agrees with what is expected.
"""
import importlib.util
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

FLOAT8 = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}


def module_of(package, path):
    """One file of a package, without importing the package and what it needs."""
    root = pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location(path.replace("/", "_")[:-3], root / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(folder, name, tensors, config, expected):
    to = folder / name
    to.mkdir(parents=True, exist_ok=True)
    (to / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": config} if config else {"model_type": "llama"}) + "\n")
    save_file({key: value.contiguous() for key, value in tensors.items()}, to / "model.safetensors", {"format": "pt"})
    expected.float().numpy().astype("<f4").tofile(to / "expected.f32")


def levels(random, bits, outputs, inputs, group, middle):
    q = torch.randint(0, 2**bits, (outputs, inputs), generator=random)
    groups = -(-inputs // group)
    z = torch.full((outputs, groups), 2 ** (bits - 1)) if middle else torch.randint(1, 2**bits, (outputs, groups), generator=random)
    s = (torch.rand((outputs, groups), generator=random) * 0.01 + 1e-4).half()
    return q, z, s


def gptq(folder, random, name, bits, outputs, inputs, group, middle=False, shuffled=False, second_form=False):
    qlinear = module_of("auto_gptq", "nn_modules/qlinear/qlinear_cuda.py")
    q, z, s = levels(random, bits, outputs, inputs, inputs if group == -1 else group, middle)
    of = torch.arange(inputs) // (inputs if group == -1 else group)
    if shuffled:
        of = of[torch.randperm(inputs, generator=random)]
    # Their second form stores zero points as they are, their first less one; the code is that of the first.
    code_z = z + 1 if second_form else z
    weight = s.float()[:, of] * (q - code_z[:, of])
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    linear.weight.data = weight
    packed = qlinear.QuantLinear(bits, group, inputs, outputs, False)
    packed.pack(linear, s.float(), code_z.float(), of.int())
    packed.autogptq_cuda_available = False
    theirs = packed(torch.eye(inputs)).float().t()
    assert torch.allclose(theirs, weight, rtol=2e-3, atol=1e-6), name
    tensors = {f"w.{part}": getattr(packed, part) for part in ("qweight", "qzeros", "scales", "g_idx")}
    config = {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": shuffled, "sym": middle}
    if second_form:
        config["checkpoint_format"] = "gptq_v2"
    save(folder, name, tensors, config, s.float()[:, of] * (q - z[:, of]))


def awq(folder, random, name, outputs, inputs, group, middle=False):
    packing = module_of("awq", "utils/packing_utils.py")
    q, z, s = levels(random, 4, outputs, inputs, group, middle)

    def pack(rows):
        eights = rows.reshape(rows.shape[0], -1, 8)[:, :, packing.AWQ_ORDER].to(torch.int64)
        words = (eights << (4 * torch.arange(8))).sum(2)
        return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)

    tensors = {"w.qweight": pack(q.t()), "w.qzeros": pack(z.t()), "w.scales": s.t()}
    weight = s.float().repeat_interleave(group, 1) * (q - z.repeat_interleave(group, 1))
    theirs = packing.dequantize_gemm(tensors["w.qweight"], tensors["w.qzeros"], s.t().float(), 4, group).t()
    assert torch.equal(theirs, weight), name
    save(folder, name, tensors, {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm", "zero_point": True}, weight)


def fp8(folder, random, name, outputs, inputs, scales, kind="e4m3", suffix="_scale", config=None, block=None):
    numbers = (torch.randn((outputs, inputs), generator=random) * 60).to(FLOAT8[kind])
    tensors, spread = {"w.weight": numbers}, torch.ones((outputs, inputs))
    if scales is not None:
        tensors["w.weight" + suffix] = scales
        spread = scales.float()
        if block:
            spread = spread.repeat_interleave(block[0], 0)[:outputs].repeat_interleave(block[1], 1)[:, :inputs]
    save(folder, name, tensors, config, numbers.float() * spread)


def main():
    folder = pathlib.Path(sys.argv[1])
    random = torch.Generator().manual_seed(20260801)
    awq(folder, random, "awq", 96, 128, 64)
    awq(folder, random, "awq-middle", 32, 64, 32, middle=True)
    gptq(folder, random, "gptq-4", 4, 96, 128, 64)
    gptq(folder, random, "gptq-4-middle", 4, 32, 64, 32, middle=True)
    gptq(folder, random, "gptq-4-shuffled", 4, 32, 128, 32, shuffled=True)
    gptq(folder, random, "gptq-4-second-form", 4, 32, 64, -1, second_form=True)
    gptq(folder, random, "gptq-8-middle", 8, 32, 64, 32, middle=True)
    gptq(folder, random, "gptq-8", 8, 32, 64, 32)
    gptq(folder, random, "gptq-3", 3, 32, 96, 32)
    gptq(folder, random, "gptq-2", 2, 32, 64, 32)
    gptq(folder, random, "gptq-small-groups", 4, 32, 64, 16)
    one = {"quant_method": "fp8"}
    blocks = {"quant_method": "fp8", "weight_block_size": [16, 64], "activation_scheme": "dynamic", "fmt": "e4m3"}
    rows = {"quant_method": "compressed-tensors", "format": "float-quantized"}
    fp8(folder, random, "fp8", 32, 64, torch.tensor(0.0004), config=one)
    fp8(folder, random, "fp8-rows", 32, 64, (torch.rand((32, 1), generator=random) * 0.001).bfloat16(), config=rows)
    fp8(folder, random, "fp8-blocks", 40, 96, torch.rand((3, 2), generator=random) * 0.001, suffix="_scale_inv", config=blocks, block=(16, 64))
    fp8(folder, random, "fp8-odd-rows", 8, 20, torch.tensor([0.0004]), config=one)
    fp8(folder, random, "fp8-e5m2", 32, 64, None, kind="e5m2")


if __name__ == "__main__":
    main()

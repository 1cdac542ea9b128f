"""The families of tests/data/models: a config.json in the words of published checkpoints, shrunk, and what makes the family special.

Sizes are the smallest that exercise everything: 32 or 48 channels, 4 heads, 64 tokens. Input dimensions are multiples of 32 where the family
allows, so that the same checkpoints can be quantised in blocks; `llama-bias` is deliberately not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

VOCAB = 64


@dataclass
class Family:
    name: str
    shows: str
    config: dict
    generation_config: dict = field(default_factory=lambda: {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2})
    dtype: torch.dtype = torch.float32
    shards: int = 1
    gain: float = 1.4  # times 1/sqrt(inputs): standard deviation of the matrices
    embedding_scale: float = 1.0
    norm_mean: Callable = lambda name: 1.0  # of a norm's weights
    linear_is_input_first: bool = False  # GPT-2's Conv1D
    min_distinct: int = 10  # tokens among the 32 of a continuation: random networks like to fall into a loop
    long_prompt: int = 37
    context: int = 96
    renames: list = field(default_factory=list)  # (prefix written by transformers, prefix of published files)
    stale_buffers: dict = field(default_factory=dict)  # name with {} for the layer -> tensor: found in published files, of no use
    matters: list = field(default_factory=list)  # changes of the config, each of which must change the logits visibly


def llama(**changes):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": VOCAB,
    }
    return {**config, **changes}


def qwen(architecture, model_type, **changes):
    base = llama(architectures=[architecture], model_type=model_type, rms_norm_eps=1e-06, rope_theta=1000000.0)
    for key in ("attention_bias", "mlp_bias", "pretraining_tp", "rope_scaling"):
        del base[key]
    return {**base, "max_window_layers": 2, "sliding_window": 64, "use_sliding_window": False, **changes}


def gemma(architecture, model_type, **changes):
    config = {
        "architectures": [architecture],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "head_dim": 16,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "model_type": model_type,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": VOCAB,
    }
    return {**config, **changes}


def gemma_norm_mean(name):
    """Gemma multiplies by 1 + weight."""
    return 1.5 if name == "model.norm.weight" else 0.0


def gemma2_norm_mean(name):
    """With norms after the blocks too, what blocks add has to outweigh the embedding, or a tied model only repeats its last token."""
    means = {"input_layernorm": 1.0, "post_attention_layernorm": 4.0, "post_feedforward_layernorm": 2.0}
    return next((mean for part, mean in means.items() if part in name), gemma_norm_mean(name))


def gemma3_norm_mean(name):
    means = {"post_attention_layernorm": 2.0, "q_norm": 1.0, "k_norm": 1.0}
    return next((mean for part, mean in means.items() if part in name), gemma_norm_mean(name))


def phi3(**changes):
    config = {
        "architectures": ["Phi3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "embd_pdrop": 0.0,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "model_type": "phi3",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 4,
        "original_max_position_embeddings": 128,
        "pad_token_id": 2,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "sliding_window": 2047,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": VOCAB,
    }
    return {**config, **changes}


def gpt2(**changes):
    config = {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "bos_token_id": 2,
        "embd_pdrop": 0.1,
        "eos_token_id": 2,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": 72,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 2,
        "n_positions": 72,
        "resid_pdrop": 0.1,
        "summary_activation": None,
        "summary_first_dropout": 0.1,
        "summary_proj_to_labels": True,
        "summary_type": "cls_index",
        "summary_use_proj": True,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        "vocab_size": VOCAB,
    }
    return {**config, **changes}


def neox(**changes):
    config = {
        "architectures": ["GPTNeoXForCausalLM"],
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_act": "gelu",
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 96,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 96,
        "model_type": "gpt_neox",
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "use_parallel_residual": True,
        "vocab_size": VOCAB,
    }
    return {**config, **changes}


def inverse_frequencies(config):
    size = config.hidden_size // config.num_attention_heads
    return 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, size, 2).float() / size)


def causal_mask(dtype: torch.dtype):
    return lambda config: torch.ones(config.max_position_embeddings, config.max_position_embeddings).tril()[None, None].to(dtype)


LONG_FACTORS = {
    "short_factor": [1.0, 1.05, 1.2, 1.4],
    "long_factor": [1.1, 1.9, 3.5, 6.0],
}

FAMILIES = [
    Family(
        "llama2",
        "plain Llama: as many key-value heads as heads; the files of 2023 also store rotary frequencies, which are not read",
        llama(num_key_value_heads=4),
        generation_config={"bos_token_id": 1, "do_sample": True, "eos_token_id": 2, "pad_token_id": 0, "temperature": 0.6, "top_p": 0.9},
        stale_buffers={"model.layers.{}.self_attn.rotary_emb.inv_freq": inverse_frequencies},
    ),
    Family(
        "llama3",
        "grouped queries, llama3 rotary scaling with one angle in each of its three ranges, two end tokens, weights in three files",
        llama(
            head_dim=8,
            eos_token_id=[2, 5],
            rope_theta=500000.0,
            rope_scaling={
                "factor": 8.0,
                "high_freq_factor": 4.0,
                "low_freq_factor": 1.0,
                "original_max_position_embeddings": 256,
                "rope_type": "llama3",
            },
            max_position_embeddings=2048,
        ),
        generation_config={"bos_token_id": 1, "do_sample": True, "eos_token_id": [2, 5], "temperature": 0.6, "top_p": 0.9},
        shards=3,
        matters=[{"rope_scaling": None}],
    ),
    Family(
        "llama-linear",
        "linear rotary scaling, under the old key `type`",
        llama(rope_scaling={"type": "linear", "factor": 4.0}),
        matters=[{"rope_scaling": None}],
    ),
    Family(
        "llama-yarn",
        "yarn rotary scaling with its attention factor",
        llama(
            max_position_embeddings=256,
            num_attention_heads=2,
            num_key_value_heads=1,
            rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 4.0, "beta_slow": 1.0},
        ),
        matters=[{"rope_scaling": None}, {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}],
    ),
    Family(
        "llama-bias",
        "biases on all attention and feed-forward products, a head size that is not channels / heads, no dimension a multiple of 32",
        llama(attention_bias=True, mlp_bias=True, head_dim=12, num_key_value_heads=1, hidden_size=40, intermediate_size=52),
    ),
    Family(
        "mistral",
        "every layer sees a window of 8 positions",
        {key: value for key, value in llama(architectures=["MistralForCausalLM"], model_type="mistral", sliding_window=8).items()
         if key not in ("attention_bias", "mlp_bias", "pretraining_tp", "rope_scaling")},
        matters=[{"sliding_window": None}, {"sliding_window": 9}],
    ),
    Family(
        "qwen2",
        "biases on q, k and v only",
        qwen("Qwen2ForCausalLM", "qwen2"),
        matters=[{"rope_theta": 10000.0}],
    ),
    Family(
        "qwen2-window",
        "layers from max_window_layers on see a window of 8 positions",
        qwen("Qwen2ForCausalLM", "qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1),
        matters=[{"use_sliding_window": False}, {"max_window_layers": 0}, {"max_window_layers": 2}],
    ),
    Family(
        "qwen2.5-tied-bf16",
        "output matrix tied to the embedding; stored in BF16",
        qwen("Qwen2ForCausalLM", "qwen2", tie_word_embeddings=True, torch_dtype="bfloat16"),
        dtype=torch.bfloat16,
        embedding_scale=0.4,
        gain=2.0,
    ),
    Family(
        "qwen3",
        "norms on the heads of q and k, a head size that is not channels / heads, tied",
        qwen("Qwen3ForCausalLM", "qwen3", attention_bias=False, head_dim=16, rope_scaling=None, sliding_window=None, tie_word_embeddings=True),
        embedding_scale=0.4,
        gain=2.0,
    ),
    Family(
        "smollm2-f16",
        "Llama with a tied embedding and a large rotary base; stored in F16",
        llama(
            is_llama_config=True,
            num_attention_heads=3,
            num_key_value_heads=1,
            hidden_size=48,
            rope_interleaved=False,
            rope_theta=100000,
            tie_word_embeddings=True,
            torch_dtype="float16",
        ),
        dtype=torch.float16,
        embedding_scale=0.4,
        gain=2.0,
        matters=[{"rope_theta": 10000.0}],
    ),
    Family(
        "gemma",
        "embedding times sqrt(channels), norms times 1 + weight, tanh GELU gate, one key-value head",
        gemma("GemmaForCausalLM", "gemma", num_key_value_heads=1),
        norm_mean=gemma_norm_mean,
        embedding_scale=0.2,
        gain=2.0,
    ),
    Family(
        "gemma2",
        "soft caps on scores and logits, norms before and after, even layers see 8 positions, its own query scale",
        gemma(
            "Gemma2ForCausalLM",
            "gemma2",
            attn_logit_softcapping=8.0,
            cache_implementation="hybrid",
            final_logit_softcapping=20.0,
            num_attention_heads=2,
            num_hidden_layers=3,
            num_key_value_heads=1,
            query_pre_attn_scalar=6,
            sliding_window=8,
        ),
        norm_mean=gemma2_norm_mean,
        embedding_scale=0.4,
        gain=1.2,
        min_distinct=5,
        matters=[
            {"attn_logit_softcapping": None},
            {"final_logit_softcapping": None},
            {"query_pre_attn_scalar": 16},
            {"sliding_window": 96},
            {"layer_types": ["full_attention", "sliding_attention", "full_attention"]},
        ],
    ),
    Family(
        "gemma3",
        "norms on the heads of q and k, two rotary bases, every third layer sees everything, the others 8 positions",
        gemma(
            "Gemma3ForCausalLM",
            "gemma3_text",
            attn_logit_softcapping=None,
            cache_implementation="hybrid",
            final_logit_softcapping=None,
            intermediate_size=32,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_key_value_heads=1,
            query_pre_attn_scalar=24,
            rope_local_base_freq=100.0,
            rope_scaling={"factor": 8.0, "rope_type": "linear"},
            rope_theta=1000000.0,
            sliding_window=8,
            sliding_window_pattern=3,
        ),
        norm_mean=gemma3_norm_mean,
        embedding_scale=0.2,
        gain=1.4,
        min_distinct=6,
        matters=[
            {"query_pre_attn_scalar": 16},
            {"rope_local_base_freq": 1000000.0},
            {"rope_scaling": None},
            {"rope_theta": 100.0},
            {"sliding_window": 96},
            {"sliding_window_pattern": 2},
        ],
    ),
    Family(
        "phi3",
        "q, k, v in one matrix, gate and up in one matrix, a window of 10 positions",
        phi3(sliding_window=10),
        matters=[{"sliding_window": None}],
    ),
    Family(
        "phi3-longrope",
        "rotary factors for contexts up to 64 positions and others beyond: the last sequence needs the long ones",
        phi3(
            max_position_embeddings=256,
            num_key_value_heads=2,
            original_max_position_embeddings=64,
            rope_scaling={**LONG_FACTORS, "type": "longrope"},
            sliding_window=262144,
        ),
        long_prompt=67,
        context=64,
        matters=[{"rope_scaling": None}, {"original_max_position_embeddings": 128}],
    ),
    Family(
        "phi4-mini",
        "as phi3-longrope, with only three quarters of a head rotated and a tied embedding",
        phi3(
            max_position_embeddings=256,
            num_attention_heads=2,
            num_key_value_heads=1,
            original_max_position_embeddings=64,
            partial_rotary_factor=0.75,
            rope_scaling={"short_factor": [1.0, 1.0, 1.05, 1.1, 1.2, 1.4], "long_factor": [1.1, 1.3, 1.9, 3.5, 4.5, 6.0], "type": "longrope"},
            sliding_window=262144,
            tie_word_embeddings=True,
        ),
        long_prompt=67,
        context=64,
        embedding_scale=0.35,
        gain=1.4,
        min_distinct=7,
        matters=[{"rope_scaling": None, "partial_rotary_factor": 0.75}, {"original_max_position_embeddings": 128}],
    ),
    Family(
        "gpt2",
        "learned positions, layer norms with biases, matrices stored [in, out]; tensor names as in the published file, with its masks",
        gpt2(),
        linear_is_input_first=True,
        context=72,
        renames=[("transformer.", "")],
        stale_buffers={"h.{}.attn.bias": causal_mask(torch.float32)},
        embedding_scale=0.4,
        gain=2.0,
    ),
    Family(
        "gpt2-prefixed",
        "tensor names as transformers writes them today; a feed-forward size of its own",
        gpt2(n_inner=96),
        linear_is_input_first=True,
        context=72,
        embedding_scale=0.4,
        gain=2.0,
    ),
    Family(
        "gpt-neox",
        "attention and feed-forward side by side, a quarter of each head rotated, q, k, v interleaved by head; masks as in published files",
        neox(),
        stale_buffers={
            "gpt_neox.layers.{}.attention.bias": causal_mask(torch.bool),
            "gpt_neox.layers.{}.attention.masked_bias": lambda config: torch.tensor(-1e9),
        },
        matters=[{"use_parallel_residual": False}, {"rotary_pct": 0.5}, {"hidden_act": "gelu_new"}],
    ),
    Family(
        "gpt-neox-serial",
        "attention before feed-forward, all of a head rotated",
        neox(use_parallel_residual=False, rotary_pct=1.0, intermediate_size=128, num_attention_heads=4),
        matters=[{"use_parallel_residual": True}],
    ),
    Family(
        "mixtral",
        "two of four experts, weighed by a softmax over the two",
        {key: value for key, value in llama(
            architectures=["MixtralForCausalLM"],
            intermediate_size=32,
            model_type="mixtral",
            num_experts_per_tok=2,
            num_local_experts=4,
            output_router_logits=False,
            router_aux_loss_coef=0.02,
            sliding_window=None,
         ).items() if key not in ("attention_bias", "mlp_bias", "pretraining_tp", "rope_scaling")},
        matters=[{"num_experts_per_tok": 1}],
    ),
    Family(
        "qwen3-moe",
        "three of eight small experts, their weights normalised to one",
        qwen(
            "Qwen3MoeForCausalLM",
            "qwen3_moe",
            attention_bias=False,
            decoder_sparse_step=1,
            head_dim=16,
            mlp_only_layers=[],
            moe_intermediate_size=16,
            norm_topk_prob=True,
            num_experts=8,
            num_experts_per_tok=3,
            output_router_logits=False,
            rope_scaling=None,
            router_aux_loss_coef=0.001,
            sliding_window=None,
        ),
        matters=[{"norm_topk_prob": False}, {"num_experts_per_tok": 2}],
    ),
    Family(
        "qwen3-moe-mixed",
        "weights of the experts not normalised; layers 0 and 2 are dense by decoder_sparse_step, layer 3 by mlp_only_layers",
        qwen(
            "Qwen3MoeForCausalLM",
            "qwen3_moe",
            attention_bias=False,
            decoder_sparse_step=2,
            head_dim=8,
            intermediate_size=32,
            mlp_only_layers=[3],
            moe_intermediate_size=32,
            norm_topk_prob=False,
            num_experts=4,
            num_experts_per_tok=2,
            num_hidden_layers=4,
            output_router_logits=False,
            rope_scaling=None,
            router_aux_loss_coef=0.001,
            sliding_window=None,
        ),
        matters=[{"norm_topk_prob": True}],
    ),
]

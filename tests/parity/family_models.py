"""Small random models of every supported family, as transformers makes them."""

import json
import random

import torch
import transformers

POSITIONS = 192

LINEAR = {"rope_type": "linear", "factor": 3.3}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 48}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 48}
YARN_IN_FULL = {"rope_type": "yarn", "factor": 2.5, "original_max_position_embeddings": 77,
                "beta_fast": 20.0, "beta_slow": 2.0, "truncate": False, "attention_factor": 1.3}
YARN_TWO_SCALES = {"rope_type": "yarn", "factor": 6.0, "original_max_position_embeddings": 32,
                   "mscale": 0.7, "mscale_all_dim": 0.4}

# Family, and what is set on top of random sizes.
CASES = {
    "gpt2": ("GPT2", {}),
    "gpt2 untied": ("GPT2", {"tie_word_embeddings": False, "n_inner": 50}),
    "gpt2 of odd heads": ("GPT2", {"n_embd": 33, "n_head": 3}),
    "llama": ("Llama", {}),
    "llama 2": ("Llama", {"num_attention_heads": 4, "num_key_value_heads": 4, "hidden_size": 32}),
    "llama 3": ("Llama", {"rope_theta": 500000.0, "tie_word_embeddings": False}),
    "llama 3.1": ("Llama", {"rope": LLAMA3, "rope_theta": 500000.0}),
    "llama 3.2": ("Llama", {"rope": {**LLAMA3, "factor": 32.0}, "tie_word_embeddings": True}),
    "llama linear": ("Llama", {"rope": LINEAR}),
    "llama yarn": ("Llama", {"rope": YARN}),
    "llama yarn in full": ("Llama", {"rope": YARN_IN_FULL}),
    "llama yarn, two scales": ("Llama", {"rope": YARN_TWO_SCALES}),
    "llama with biases": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "llama, head_dim of its own": ("Llama", {"head_dim": 10}),
    "smollm2": ("Llama", {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 54,
                          "tie_word_embeddings": True, "rope_theta": 100000.0}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "mistral, short window": ("Mistral", {"sliding_window": 5}),
    "mistral, long window": ("Mistral", {"sliding_window": 65, "head_dim": 6}),
    "mistral, idle window": ("Mistral", {"sliding_window": 150, "rope": LINEAR}),
    "qwen2": ("Qwen2", {}),
    "qwen2.5, yarn": ("Qwen2", {"rope": YARN, "tie_word_embeddings": True}),
    "qwen2, windows above": ("Qwen2", {"use_sliding_window": True, "sliding_window": 9,
                                       "max_window_layers": 1}),
    "qwen2, windows by name": ("Qwen2", {"use_sliding_window": True, "sliding_window": 30,
                                         "num_hidden_layers": 3,
                                         "layer_types": ["sliding_attention", "full_attention",
                                                         "sliding_attention"]}),
    "qwen3": ("Qwen3", {"head_dim": 24}),
    "qwen3 with biases": ("Qwen3", {"head_dim": 14, "attention_bias": True}),
    "qwen3, llama3 rope": ("Qwen3", {"head_dim": 8, "rope": LLAMA3, "tie_word_embeddings": True}),
    "qwen3, windows": ("Qwen3", {"head_dim": 16, "use_sliding_window": True, "sliding_window": 17,
                                 "max_window_layers": 0}),
}


def sizes(family, draw):
    if family == "GPT2":
        heads = draw.choice([2, 3, 4])
        return dict(n_embd=heads * draw.choice([6, 8, 16]), n_head=heads,
                    n_layer=draw.choice([2, 3]), n_positions=POSITIONS)
    kv_heads = draw.choice([1, 2])
    heads = kv_heads * draw.choice([2, 3, 4])
    return dict(hidden_size=heads * draw.choice([6, 8, 12]), num_attention_heads=heads,
                num_key_value_heads=kv_heads, num_hidden_layers=draw.choice([2, 3]),
                intermediate_size=draw.randrange(24, 80), rms_norm_eps=draw.choice([1e-5, 1e-6]),
                tie_word_embeddings=draw.random() < 0.5, max_position_embeddings=POSITIONS)


# One case of every model_type, for the reward models.
SCORERS = ["gpt2 untied", "llama 3.1", "mistral, short window", "qwen2.5, yarn", "qwen3"]


def build(name, scale=1.0, score=False):
    """The model of a case, or a reward model of its shape; matrices times `scale` make its choices
    clear."""
    family, changes = CASES[name]
    draw = random.Random(name)
    fields = {**sizes(family, draw), **changes, "vocab_size": draw.randrange(60, 140)}
    rope, theta = fields.pop("rope", {"rope_type": "default"}), fields.pop("rope_theta", 10000.0)
    if family != "GPT2":
        fields["rope_parameters"] = {**rope, "rope_theta": theta}
    # As many published models have it: the pad token is the end token.
    labels = dict(num_labels=1, pad_token_id=2) if score else {}
    config = getattr(transformers, family + "Config")(**fields, **labels, bos_token_id=1,
                                                      eos_token_id=2)
    kind = "LMHeadModel" if family == "GPT2" else "ForCausalLM"
    if score:
        kind = "ForSequenceClassification"
    torch.manual_seed(draw.randrange(2**31))
    model = getattr(transformers, family + kind)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
            if parameter.dim() > 1:
                parameter.mul_(scale)
    return model.eval()


def to_old_form(directory):
    """Rewrites config.json as transformers 4 wrote it."""
    path = directory / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters", None)
    if rope is None:
        return
    config["rope_theta"] = rope.pop("rope_theta")
    rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = None if rope["type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype", "float32")
    path.write_text(json.dumps(config))

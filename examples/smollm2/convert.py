"""Turns a llama.cpp GGUF file of a Llama-family model into a Hugging Face directory.

    .venv-parity/bin/python examples/smollm2/convert.py MODEL.gguf OUT_DIRECTORY

Writes config.json, model.safetensors (fp32: the dequantised numbers exactly), tokenizer.json,
tokenizer_config.json and generation_config.json. Reads architecture "llama" with a byte-level BPE
vocabulary and tensors of F32, F16, Q8_0, Q4_0 and Q4_1; anything else is refused by name. The
format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import json
import pathlib
import struct
import sys

import numpy as np
from safetensors.numpy import save_file

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
           12: "d"}
STRING, ARRAY = 8, 9
CONTROL_TOKEN, USER_TOKEN = 3, 4  # tokenizer.ggml.token_type
ALIGNMENT = 32  # where general.alignment says nothing

# Pre-tokenizers by the name in tokenizer.ggml.pre.
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
              "use_regex": True}
PRE_TOKENIZERS = {
    "gpt-2": BYTE_LEVEL,
    "smollm": {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True}, BYTE_LEVEL]},
}
LAYER_NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm",
               "output": "lm_head"}


def refuse(text):
    raise SystemExit(f"convert: {text}")


class Reader:
    """The header of a GGUF file: fields by name, tensors as (shape, type, offset)."""

    def __init__(self, blob):
        self.blob, self.at = blob, 0
        if bytes(blob[:4]) != b"GGUF":
            refuse("no GGUF file: it does not begin with \"GGUF\"")
        self.at = 4
        version, tensors, fields = self.take("I"), self.take("Q"), self.take("Q")
        if version not in (2, 3):
            refuse(f"GGUF version {version}; versions 2 and 3 are read")
        self.fields = {}
        for _ in range(fields):
            name = self.string()
            self.fields[name] = self.value(self.take("I"))
        self.tensors = {}
        for _ in range(tensors):
            name = self.string()
            shape = [self.take("Q") for _ in range(self.take("I"))]
            kind, offset = self.take("I"), self.take("Q")
            self.tensors[name] = (shape[::-1], kind, offset)
        step = self.fields.get("general.alignment", ALIGNMENT)
        self.data_begin = (self.at + step - 1) // step * step

    def take(self, code):
        size = struct.calcsize("<" + code)
        value, = struct.unpack("<" + code, self.blob[self.at:self.at + size])
        self.at += size
        return value

    def string(self):
        size = self.take("Q")
        self.at += size
        return bytes(self.blob[self.at - size:self.at]).decode("utf-8")

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, count = self.take("I"), self.take("Q")
            return [self.value(inner) for _ in range(count)]
        if kind not in SCALARS:
            refuse(f"a field of unknown type {kind}")
        return self.take(SCALARS[kind])

    def need(self, name):
        if name not in self.fields:
            refuse(f"the field {name} is missing")
        return self.fields[name]


def plain(dtype):
    return lambda raw: raw.view(dtype).astype(np.float32)


def q8_0(raw):
    """Blocks of 32: fp16 scale, int8 values."""
    blocks = raw.reshape(-1, 34)
    return blocks[:, :2].copy().view(np.float16).astype(np.float32) * blocks[:, 2:].view(np.int8)


def nibbles(bytes_n16):
    """32 values of 4 bits: the low halves, then the high ones."""
    return np.concatenate([bytes_n16 & 0x0F, bytes_n16 >> 4], axis=1).astype(np.float32)


def q4_0(raw):
    blocks = raw.reshape(-1, 18)
    return blocks[:, :2].copy().view(np.float16).astype(np.float32) * (nibbles(blocks[:, 2:]) - 8)


def q4_1(raw):
    """Blocks of 32: fp16 scale and minimum, 4-bit values."""
    blocks = raw.reshape(-1, 20)
    scale, least = (blocks[:, i:i + 2].copy().view(np.float16).astype(np.float32) for i in (0, 2))
    return scale * nibbles(blocks[:, 4:]) + least


# Type -> (name, values and bytes of a block, decoder).
TYPES = {0: ("F32", 1, 4, plain(np.float32)), 1: ("F16", 1, 2, plain(np.float16)),
         2: ("Q4_0", 32, 18, q4_0), 3: ("Q4_1", 32, 20, q4_1), 8: ("Q8_0", 32, 34, q8_0)}


def read_tensor(gguf, name):
    shape, kind, offset = gguf.tensors[name]
    if kind not in TYPES:
        known = ", ".join(t[0] for t in TYPES.values())
        refuse(f"tensor {name} has type {kind}; {known} are read")
    _, block_values, block_bytes, decode = TYPES[kind]
    values = int(np.prod(shape))
    size = values // block_values * block_bytes
    begin = gguf.data_begin + offset
    if values % block_values != 0 or begin + size > len(gguf.blob):
        refuse(f"tensor {name} of shape {shape} does not fit the file")
    return decode(gguf.blob[begin:begin + size]).reshape(shape)


def halves_from_pairs(weight, heads):
    """llama.cpp rotates neighbouring pairs, transformers the two halves of a head."""
    rows, width = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


def hugging_face_name(name):
    stem, _, suffix = name.rpartition(".")
    if stem.startswith("blk."):
        _, layer, inner = stem.split(".", 2)
        if inner in LAYER_NAMES:
            return f"model.layers.{layer}.{LAYER_NAMES[inner]}.{suffix}"
    elif stem in OUTER_NAMES:
        return f"{OUTER_NAMES[stem]}.{suffix}"
    return refuse(f"tensor {name} has no name in transformers' Llama")


def convert_tensors(gguf, config):
    tensors = {}
    for name in gguf.tensors:
        value = read_tensor(gguf, name)
        if name.endswith(".attn_q.weight"):
            value = halves_from_pairs(value, config["num_attention_heads"])
        elif name.endswith(".attn_k.weight"):
            value = halves_from_pairs(value, config["num_key_value_heads"])
        tensors[hugging_face_name(name)] = np.ascontiguousarray(value)
    return tensors


def shortest(value):
    """The decimal that an fp32 was written from."""
    return float(str(np.float32(value)))


def make_config(gguf):
    if gguf.need("general.architecture") != "llama":
        refuse(f"architecture {gguf.fields['general.architecture']}; llama is read")
    scaled = [n for n in gguf.fields if n.startswith("llama.rope.scaling")]
    if scaled or "rope_freqs.weight" in gguf.tensors:
        refuse("scaled rotary embeddings are not read")
    heads = gguf.need("llama.attention.head_count")
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "vocab_size": gguf.tensors["token_embd.weight"][0][0],
        "hidden_size": gguf.need("llama.embedding_length"),
        "intermediate_size": gguf.need("llama.feed_forward_length"),
        "num_hidden_layers": gguf.need("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": gguf.fields.get("llama.attention.head_count_kv", heads),
        "max_position_embeddings": gguf.need("llama.context_length"),
        "rms_norm_eps": shortest(gguf.need("llama.attention.layer_norm_rms_epsilon")),
        "rope_theta": shortest(gguf.fields.get("llama.rope.freq_base", 10000.0)),
        "tie_word_embeddings": "output.weight" not in gguf.tensors,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "bos_token_id": gguf.need("tokenizer.ggml.bos_token_id"),
        "eos_token_id": gguf.need("tokenizer.ggml.eos_token_id"),
        "pad_token_id": gguf.fields.get("tokenizer.ggml.padding_token_id"),
        "torch_dtype": "float32",
    }


def make_tokenizer(gguf):
    if gguf.need("tokenizer.ggml.model") != "gpt2":
        refuse(f"vocabulary {gguf.fields['tokenizer.ggml.model']}; gpt2 (byte-level BPE) is read")
    pre = gguf.need("tokenizer.ggml.pre")
    if pre not in PRE_TOKENIZERS:
        refuse(f"pre-tokenizer {pre}; {', '.join(PRE_TOKENIZERS)} are read")
    tokens, kinds = gguf.need("tokenizer.ggml.tokens"), gguf.need("tokenizer.ggml.token_type")
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": kind == CONTROL_TOKEN}
             for i, (token, kind) in enumerate(zip(tokens, kinds))
             if kind in (CONTROL_TOKEN, USER_TOKEN)]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "vocab": {token: i for i, token in enumerate(tokens)},
             "merges": gguf.need("tokenizer.ggml.merges")}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": None, "pre_tokenizer": PRE_TOKENIZERS[pre], "post_processor": None,
            "decoder": BYTE_LEVEL, "model": model}


def make_tokenizer_config(gguf, context):
    tokens = gguf.need("tokenizer.ggml.tokens")
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context,
             "clean_up_tokenization_spaces": False}
    for name, field in (("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"),
                        ("pad_token", "padding")):
        index = gguf.fields.get(f"tokenizer.ggml.{field}_token_id")
        if index is not None:
            named[name] = tokens[index]
    if "tokenizer.chat_template" in gguf.fields:
        named["chat_template"] = gguf.fields["tokenizer.chat_template"]
    return named


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    gguf = Reader(np.memmap(source, dtype=np.uint8, mode="r"))
    config = make_config(gguf)
    out.mkdir(parents=True, exist_ok=True)

    def write(name, value):
        (out / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n",
                                encoding="utf-8")

    write("tokenizer.json", make_tokenizer(gguf))
    write("tokenizer_config.json", make_tokenizer_config(gguf, config["max_position_embeddings"]))
    write("generation_config.json", {name: config[name] for name in
                                     ("bos_token_id", "eos_token_id", "pad_token_id")})
    save_file(convert_tensors(gguf, config), out / "model.safetensors", {"format": "pt"})
    write("config.json", config)  # last: a directory that has it is whole


if __name__ == "__main__":
    main()

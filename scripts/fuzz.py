#!/usr/bin/env python3
"""Fuzzes the readers of files that people bring, with libFuzzer: `make fuzz SECONDS=600`.

Each program starts from seeds made here and from what earlier runs have found (build/fuzz/corpus).
Prints a row for each; exit code 0 only when none has a finding. A finding stays in build/fuzz; the
program runs it again when it is given the file.
"""

import argparse
import json
import pathlib
import re
import struct
import subprocess
import sys

DTYPES = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8, "U8": 1, "BOOL": 1}


def header(*tensors, **more):
    """Tensors as (name, dtype, shape), one behind the other; and the number of data bytes."""
    entries, at = dict(more), 0
    for name, dtype, shape in tensors:
        size = DTYPES[dtype]
        for dimension in shape:
            size *= dimension
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return json.dumps(entries).encode(), at


def config_seeds():
    llama = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 64,
             "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
             "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
             "bos_token_id": 1, "eos_token_id": [2, 3], "attention_bias": False}
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    yield llama
    yield {**llama, "rope_scaling": scaling}
    yield {**llama, "rope_scaling": yarn, "model_type": "qwen2",
           "architectures": ["Qwen2ForCausalLM"]}
    yield {**llama, "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "head_dim": 16}
    yield {**llama, "model_type": "mistral", "architectures": ["MistralForCausalLM"],
           "sliding_window": 16}
    yield {**llama, "architectures": ["LlamaForSequenceClassification"], "num_labels": 1}
    yield {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 64,
           "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "n_inner": None,
           "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "attn_pdrop": 0.1}


def model_seeds():
    for config in config_seeds():
        yield b"\3" + json.dumps(config).encode()
    plain = header(("a", "F32", [2, 3]), ("b.weight", "BF16", [4]))
    others = header(("empty", "I64", [0, 7]), ("scalar", "F16", []), ("u", "U8", [3]),
                    ("t", "BOOL", [1]), __metadata__={"format": "pt"})
    overlapping = (plain[0].replace(b"[24, 32]", b"[20, 28]"), 28)
    for text, size in (plain, others, overlapping, header()):
        yield b"\0" + struct.pack("<Q", len(text)) + text + b"\1" * size
        yield b"\1" + text + b"\0" + str(size).encode()
    yield b"\0" + struct.pack("<Q", 1 << 60) + b"{}"
    index = json.dumps({"metadata": {"total_size": 36}, "weight_map": {
        "a": "a.safetensors", "b.weight": "a.safetensors", "c": "b.safetensors"}}).encode()
    last = header(("c", "F32", [1]))
    yield b"\2" + b"\0".join((index, plain[0], str(plain[1]).encode(), last[0], b"4"))


def tokenizer_json(**components):
    vocabulary = ["<unk>", "a", "b", "ab", "\u2581", "\u0120", "\u0120a", "<0x41>", "\uc548", "aa"]
    root = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                      "vocab": {token: id for id, token in enumerate(vocabulary)},
                      "merges": [["a", "b"], ["\u0120", "a"], ["a", "a"]]}}
    return b"\0" + json.dumps({**root, **components}, ensure_ascii=False).encode()


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, payload):
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def sentencepiece_model():
    pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("\u2581", 1), ("a", 1), ("b", 1), ("ab", 1)]
    model = b"".join(field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", -float(i)) +
                           field(3, kind)) for i, (text, kind) in enumerate(pieces))
    return b"\1" + model + field(2, field(3, 2)) + field(3, field(3, 1) + field(5, 1))


def tokenizer_seeds():
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": True}
    yield tokenizer_json()
    yield tokenizer_json(pre_tokenizer=byte_level, decoder=byte_level, post_processor=byte_level)
    yield tokenizer_json(
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
        decoder={"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        added_tokens=[{"id": 10, "content": "<s>", "single_word": True, "lstrip": True,
                       "rstrip": True, "normalized": False, "special": True}])
    yield tokenizer_json(
        pre_tokenizer={"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "(?i:'s|'t)|\\p{L}+|\\s+(?!\\S)|\\s+"},
             "behavior": "Isolated", "invert": False},
            {"type": "Digits", "individual_digits": True},
            {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first",
             "split": True}]},
        post_processor={"type": "TemplateProcessing",
                        "single": [{"SpecialToken": {"id": "a", "type_id": 0}},
                                   {"Sequence": {"id": "A", "type_id": 0}}],
                        "pair": [],
                        "special_tokens": {"a": {"id": "a", "ids": [1], "tokens": ["a"]}}})
    yield sentencepiece_model()


PROGRAMS = {"model_files": model_seeds, "tokenizer_files": tokenizer_seeds}


def words_of(seeds):
    """libFuzzer's dictionary: whatever the seeds hold in quotes."""
    words = {word for seed in seeds for word in re.findall(rb'"[A-Za-z_0-9<>]+"', seed)}
    return "".join('"' + word.decode().replace('"', '\\"') + '"\n' for word in sorted(words))


def fuzz(build, name, seconds):
    """Its row, and whether there was no finding."""
    corpus, seeds = build / "corpus" / name, build / "seeds" / name
    for directory in (corpus, seeds):
        directory.mkdir(parents=True, exist_ok=True)
    made = list(PROGRAMS[name]())
    for i, seed in enumerate(made):
        (seeds / str(i)).write_bytes(seed)
    (build / f"{name}.dict").write_text(words_of(made))
    log = build / f"{name}.log"
    with open(log, "wb") as output:
        code = subprocess.run(
            [build / f"fuzz_{name}", corpus, seeds, f"-max_total_time={seconds}", "-timeout=60",
             "-rss_limit_mb=4096", "-max_len=16384", f"-dict={build / name}.dict",
             f"-artifact_prefix={build}/{name}-", "-print_final_stats=1"],
            stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    text = log.read_text(errors="replace")
    runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
    covered = re.findall(r"cov: (\d+)", text)
    inputs = len(list(corpus.iterdir()))
    print(f"{name:16} {int(runs[1]) if runs else 0:12,} executions, {inputs:6} inputs, "
          f"{covered[-1] if covered else 0:>6} edges  "
          f"{'ok' if code == 0 else f'FOUND: {log}'}", flush=True)
    return code == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60, help="of each program")
    parser.add_argument("--only", nargs="*", choices=sorted(PROGRAMS))
    options = parser.parse_args()
    build = options.build.resolve() / "fuzz"
    results = [fuzz(build, name, options.seconds) for name in options.only or PROGRAMS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

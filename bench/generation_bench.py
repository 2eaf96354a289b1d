#!/usr/bin/env python3
"""Generation: the rollout engine beside Hugging Face generate, in interleaved pairs.

    .venv-parity/bin/python bench/generation_bench.py [--build build/release] [--pairs 5]

Llamas with random weights, the same type on both sides, prompts of 64 tokens, temperature 1, no end
token, two threads: the demo's size with 32 prompts and 128 new tokens in fp32, SmolLM2-135M's with
8 and 64 in bf16 (as it is published) and fp32. In fp32 a step at batch 8 reads 540 MB of weights on
both sides, and memory alone decides: its ratio is printed without a goal.
Prints a line of JSON for each; "ratio" is ours / theirs by median tokens per second.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import typing

from narrow_types import make_bf16_run

make_bf16_run()

import torch  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

PROMPT_TOKENS, THREADS = 64, 2
GOAL = 3.0


class Case(typing.NamedTuple):
    name: str
    prompts: int
    new_tokens: int
    dtype: str
    goal: float
    shape: dict


DEMO = dict(vocab_size=8192, hidden_size=256, intermediate_size=768, num_hidden_layers=6,
            num_attention_heads=4, num_key_value_heads=4)
SMOLLM2 = dict(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
               num_attention_heads=9, num_key_value_heads=3)
CASES = (Case("demo", 32, 128, "fp32", GOAL, DEMO),
         Case("SmolLM2-135M", 8, 64, "bf16", GOAL, SMOLLM2),
         Case("SmolLM2-135M", 8, 64, "fp32", 0.0, SMOLLM2))


def make_model(case):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        **case.shape, max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=1,
        eos_token_id=2, pad_token_id=0)).eval()
    model = model.to(torch.bfloat16 if case.dtype == "bf16" else torch.float32)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


def peer_seconds(model, prompts, new_tokens):
    begin = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=new_tokens,
            min_new_tokens=new_tokens, do_sample=True, top_k=0, top_p=1.0, temperature=1.0,
            use_cache=True)
    assert out.shape[1] == PROMPT_TOKENS + new_tokens
    return time.perf_counter() - begin


class Engine:
    """bench_generation as a child: one line in, one result out."""

    def __init__(self, binary, directory, case):
        arguments = [binary, directory, case.prompts, PROMPT_TOKENS, case.new_tokens, THREADS,
                     case.dtype]
        self.process = subprocess.Popen(
            [str(a) for a in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def compare(case, binary, pairs):
    model = make_model(case)
    prompts = torch.randint(3, model.config.vocab_size, (case.prompts, PROMPT_TOKENS))
    tokens = case.prompts * case.new_tokens
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        engine = Engine(binary, directory, case)
        engine.run()
        peer_seconds(model, prompts, case.new_tokens)
        ours, theirs = [], []
        for _ in range(pairs):
            result = engine.run()
            assert result["tokens"] == tokens
            ours.append(tokens / result["seconds"])
            theirs.append(tokens / peer_seconds(model, prompts, case.new_tokens))
        engine.close()
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(json.dumps(dict(
        bench="generation", name=f"generation, {case.name} {case.dtype}, batch {case.prompts}",
        prompts=case.prompts, prompt_tokens=PROMPT_TOKENS, new_tokens=case.new_tokens,
        threads=THREADS, dtype=case.dtype, kernels=result["kernels"],
        ours_tokens_per_s=round(statistics.median(ours)), ours=[round(x) for x in ours],
        peer_tokens_per_s=round(statistics.median(theirs)), peer=[round(x) for x in theirs],
        ratio=round(ratio, 2), goal=case.goal, ok=ratio >= case.goal)), flush=True)
    return ratio >= case.goal


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--pairs", type=int, default=5)
    flags = parser.parse_args()
    torch.set_num_threads(THREADS)
    binary = os.path.join(flags.build, "bench/bench_generation")
    return 0 if all([compare(case, binary, flags.pairs) for case in CASES]) else 1


if __name__ == "__main__":
    sys.exit(main())

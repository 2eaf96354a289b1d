#!/usr/bin/env python3
"""Generation: the rollout engine beside Hugging Face generate, in interleaved pairs.

    .venv-parity/bin/python bench/generation_bench.py [--build build/release] [--pairs 5]

Demo-size Llama (6 layers, width 256, 4 heads, feed-forward 768, vocabulary 8,192), random weights,
fp32 on both sides, 32 prompts of 64 tokens, 128 new tokens, temperature 1, no end token, two
threads. Prints one JSON line; "ratio" is ours / theirs by median tokens per second.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

PROMPTS, PROMPT_TOKENS, NEW_TOKENS, THREADS = 32, 64, 128, 2
GOAL = 3.0


def demo_model():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8192, hidden_size=256, intermediate_size=768, num_hidden_layers=6,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=1024,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    return LlamaForCausalLM(config).eval()


def peer_seconds(model, prompts):
    begin = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS, do_sample=True, top_k=0, top_p=1.0, temperature=1.0,
            use_cache=True)
    assert out.shape[1] == PROMPT_TOKENS + NEW_TOKENS
    return time.perf_counter() - begin


class Engine:
    """bench_generation as a child: one line in, one result out."""

    def __init__(self, binary, directory):
        arguments = [binary, directory, PROMPTS, PROMPT_TOKENS, NEW_TOKENS, THREADS]
        self.process = subprocess.Popen(
            [str(a) for a in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--pairs", type=int, default=5)
    flags = parser.parse_args()
    torch.set_num_threads(THREADS)
    model = demo_model()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    prompts = torch.randint(3, model.config.vocab_size, (PROMPTS, PROMPT_TOKENS))
    tokens = PROMPTS * NEW_TOKENS
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        engine = Engine(os.path.join(flags.build, "bench/bench_generation"), directory)
        engine.run()
        peer_seconds(model, prompts)
        ours, theirs = [], []
        for _ in range(flags.pairs):
            result = engine.run()
            assert result["tokens"] == tokens
            ours.append(tokens / result["seconds"])
            theirs.append(tokens / peer_seconds(model, prompts))
        engine.close()
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(json.dumps(dict(
        bench="generation", prompts=PROMPTS, prompt_tokens=PROMPT_TOKENS, new_tokens=NEW_TOKENS,
        threads=THREADS, dtype="fp32", kernels=result["kernels"],
        ours_tokens_per_s=round(statistics.median(ours)), ours=[round(x) for x in ours],
        peer_tokens_per_s=round(statistics.median(theirs)), peer=[round(x) for x in theirs],
        ratio=round(ratio, 2), goal=GOAL, ok=ratio >= GOAL)))
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

"""Training steps beside PyTorch eager: python bench/train_step.py --build build/release.

The peer is transformers' Llama with sdpa attention, its own loss, gradient clipping and fused
AdamW; bf16 is autocast. Same shapes, batch and threads. Two steps of ours and two of theirs
alternate until a case has had its time: at least 3 pairs and at most 12. Prints a line of JSON for
each case: the median tokens/s (of the faster step of two), and the median of the pairs' ratios.
"""

import argparse
import json
import statistics
import subprocess
import time

from narrow_types import make_bf16_run

make_bf16_run()

import torch  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

LEAST_PAIRS, MOST_PAIRS = 3, 12
STEPS = 2
GOAL = 1.0
SHAPES = {
    "demo": dict(vocab_size=8192, hidden_size=256, intermediate_size=768, num_hidden_layers=6,
                 num_attention_heads=4, num_key_value_heads=4),
    "recipe": dict(vocab_size=4096, hidden_size=128, intermediate_size=344, num_hidden_layers=4,
                   num_attention_heads=4, num_key_value_heads=4),
    "smollm2": dict(vocab_size=49152, hidden_size=576, intermediate_size=1536,
                    num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3),
}
# Model, compute type, rows, context; seconds for its pairs.
CASES = [(("demo", "fp32", 16, 256), 25), (("demo", "bf16", 16, 256), 25),
         (("recipe", "fp32", 16, 64), 8), (("recipe", "bf16", 16, 64), 8),
         (("smollm2", "fp32", 2, 256), 40), (("smollm2", "bf16", 2, 256), 30)]


class Peer:
    def __init__(self, shape, dtype, rows, context):
        config = LlamaConfig(**SHAPES[shape], max_position_embeddings=1024,
                             tie_word_embeddings=True)
        self.model = LlamaForCausalLM(config).train()
        self.model.config.use_cache = False
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)
        self.tokens = torch.randint(0, config.vocab_size, (rows, context))
        self.narrow = dtype == "bf16"

    def step(self):
        begin = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.narrow):
            loss = self.model(input_ids=self.tokens, labels=self.tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - begin

    def round(self):
        return self.tokens.numel() / min(self.step() for _ in range(STEPS))


class Ours:
    def __init__(self, program, case, threads):
        self.process = subprocess.Popen([program, *map(str, case), str(threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def round(self):
        self.process.stdin.write(f"{STEPS}\n")
        self.process.stdin.flush()
        result = json.loads(self.process.stdout.readline())
        return result["tokens"] / result["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(program, case, seconds, threads):
    ours, peer = Ours(program, case, threads), Peer(*case)
    ours.round(), peer.round()  # warm up
    pairs = []
    end = time.monotonic() + seconds
    while len(pairs) < LEAST_PAIRS or (len(pairs) < MOST_PAIRS and time.monotonic() < end):
        pairs.append((ours.round(), peer.round()))
    ours.close()
    shape, dtype, rows, context = case
    ratio = statistics.median(a / b for a, b in pairs)
    print(json.dumps({
        "bench": "train_step", "name": f"training step, {shape} {dtype} {rows}x{context}",
        "peer_name": f"PyTorch {torch.__version__} eager", "threads": threads,
        "pairs": len(pairs), "tokens_per_s": round(statistics.median(a for a, _ in pairs)),
        "peer_tokens_per_s": round(statistics.median(b for _, b in pairs)),
        "ratio": round(ratio, 3), "goal": GOAL}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--threads", type=int, default=2)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    for case, seconds in CASES:
        compare(f"{flags.build}/bench/bench_train_step", case, seconds, flags.threads)


if __name__ == "__main__":
    main()

"""Training steps beside PyTorch eager: python bench/train_step.py BENCH_TRAIN_STEP [threads].

The peer is transformers' Llama with sdpa attention, its own loss, gradient clipping and fused
AdamW; bf16 is autocast. Same shapes, batch and threads; rounds of both alternate in one run.
Prints a line of JSON for each case: tokens/s of the fastest step of each round, and the median
of the rounds' ratios.
"""

import json
import os
import statistics
import subprocess
import sys
import time

# Some virtual machines announce AMX without describing its tiles; oneDNN then dies in bfloat16.
PROBE = "import torch; a = torch.ones(64, 64).bfloat16(); (a @ a).sum().item()"
if subprocess.run([sys.executable, "-c", PROBE], capture_output=True).returncode != 0:
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_BF16"

import torch
from transformers import LlamaConfig, LlamaForCausalLM

PAIRS = 5
STEPS = 4
SHAPES = {
    "demo": dict(vocab_size=8192, hidden_size=256, intermediate_size=768, num_hidden_layers=6),
    "recipe": dict(vocab_size=4096, hidden_size=128, intermediate_size=344, num_hidden_layers=4),
}
CASES = [("demo", "fp32", 16, 256), ("demo", "bf16", 16, 256),
         ("recipe", "fp32", 16, 64), ("recipe", "bf16", 16, 64)]


class Peer:
    def __init__(self, shape, dtype, rows, context):
        config = LlamaConfig(**SHAPES[shape], num_attention_heads=4, num_key_value_heads=4,
                             max_position_embeddings=1024, tie_word_embeddings=True)
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


def compare(program, case, threads):
    ours, peer = Ours(program, case, threads), Peer(*case)
    ours.round(), peer.round()  # warm up
    pairs = [(ours.round(), peer.round()) for _ in range(PAIRS)]
    ours.close()
    shape, dtype, rows, context = case
    print(json.dumps({
        "bench": "train_step", "model": shape, "dtype": dtype, "rows": rows, "context": context,
        "threads": threads, "tokens_per_s": round(statistics.median(a for a, _ in pairs)),
        "pytorch_tokens_per_s": round(statistics.median(b for _, b in pairs)),
        "ratio": round(statistics.median(a / b for a, b in pairs), 3),
        "torch": torch.__version__}), flush=True)


def main():
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    torch.set_num_threads(threads)
    for case in CASES:
        compare(sys.argv[1], case, threads)


if __name__ == "__main__":
    main()

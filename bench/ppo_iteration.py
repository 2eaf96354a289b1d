"""One PPO iteration of real processes beside TRL's, in turns.

    python3 bench/ppo_iteration.py [--iterations 4] [--rounds 2]

64 prompts of 64 tokens, 64 new tokens each, no early stop; policy, reference, critic and reward
model of the demo size (6 layers, width 256, vocabulary 8,192); one pass of one minibatch; learner,
rollout and reward task with 2 threads each, taking turns on 2 cores. A round is a job of ours in
fp32, an iteration of TRL 1.12.0 (the last with PPO; fp32, one epoch, 2 threads), a job of ours in
bf16, and another of TRL's. The first and the last iteration of a job (which writes a checkpoint)
are dropped, and the first of TRL's. `scripts/setup trl` makes .venv-trl.
"""

import argparse
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from local_cluster import LocalCluster  # noqa: E402

GOALS = {"FLOAT32": 1.2, "BFLOAT16": 1.5}

PREPARE = """
name: prepare
stages:
  - name: tokenizer
    tokenizer:
      train: [{file: {uri: "root://data/rows.jsonl"}}]
      vocab_size: 260
      special_tokens: ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"]
      pad: "<|pad|>"
      end_of_text: "<|end|>"
  - name: policy
    roles: [{name: trainer, count: 1, threads: 2}]
    pretrain:
      model: &model {family: llama, layers: 6, hidden_size: 256, heads: 4, intermediate_size: 768,
                     context: 1024, vocab_size: 8192}
      data:
        tokenizer: {artifact: tokenizer/tokenizer}
        train: [{file: {uri: "root://data/rows.jsonl"}}]
        max_length: 64
        end_of_text: "<|end|>"
      optimizer: {lr: 1.0e-4}
      loop: {steps: 1, global_batch: 1}
  - name: reward
    roles: [{name: trainer, count: 1, threads: 2}]
    reward_model:
      init_from: {artifact: policy/model}
      data: &data
        tokenizer: {artifact: tokenizer/tokenizer}
        train: [{file: {uri: "root://data/rows.jsonl"}}]
        chat_template: &template
          name: custom
          roles: [{role: user, prefix: "<|user|>"}, {role: assistant, prefix: "<|assistant|>"}]
          end_of_turn: "<|end|>"
        max_length: 256
      group_size: 2
      normalization: {file: {uri: "root://data/rows.jsonl"}}
      optimizer: {lr: 1.0e-4}
      loop: {steps: 1, global_batch: 1}
"""

PPO = """
name: ppo-%(dtype)s
seed: 1
roles:
  - {name: learner, count: 1, threads: 2}
  - {name: rollout, count: 1, threads: 2}
  - {name: reward, count: 1, threads: 2}
ppo:
  policy: {uri: "%(prepare)s/policy/e1/model"}
  reward:
    components: [{name: rated, learned: {model: {uri: "%(prepare)s/reward/e1/model"}}}]
  data:
    tokenizer: {uri: "%(prepare)s/tokenizer/e1/tokenizer"}
    train: [{file: {uri: "root://data/rows.jsonl"}}]
    chat_template:
      name: custom
      roles: [{role: user, prefix: "<|user|>"}, {role: assistant, prefix: "<|assistant|>"}]
      end_of_turn: "<|end|>"
    max_length: 1024
  sampling: {temperature: 0.7, max_new_tokens: 64, ignore_eos: true}
  iterations: %(iterations)d
  prompts_per_iteration: 64
  minibatch: 64
  actor: {lr: 3.0e-6}
  critic_optimizer: {lr: 3.0e-6}
  checkpoint_every: %(iterations)d
  dtype: %(type)s
"""


def write_rows(directory):
    draw = random.Random(1)
    with open(directory / "rows.jsonl", "w") as rows:
        for _ in range(256):
            # A byte is a token; with the two tags of the template the prompt has 64.
            prompt = "".join(draw.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(62))
            rows.write(json.dumps({"prompt": prompt, "response": prompt[:40], "group": "all",
                                   "text": prompt, "score": draw.randint(0, 5)}) + "\n")


class Peer:
    """bench/ppo_peer.py: an iteration for each line it gets."""

    def __init__(self):
        environment = dict(os.environ, ONEDNN_MAX_CPU_ISA="AVX512_CORE_BF16", OMP_NUM_THREADS="2")
        self.process = subprocess.Popen(
            [ROOT / ".venv-trl" / "bin" / "python", ROOT / "bench" / "ppo_peer.py"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def iteration(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["seconds"]

    def stop(self):
        self.process.kill()
        self.process.wait()


def run_ours(cluster, prepare, dtype, iterations):
    """Seconds of the iterations that count."""
    job = cluster.run(PPO % {"dtype": dtype.lower(), "type": dtype, "prepare": prepare,
                             "iterations": iterations})
    logs = cluster.cli("logs", job)
    seconds = [float(s) for s in re.findall(r"iteration \d+/\d+: .*, ([\d.]+) s", logs)]
    return seconds[1:-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    seconds, ratios, theirs = ({dtype: [] for dtype in GOALS} for _ in range(3))
    cluster = LocalCluster(os.environ.get("TRAINYARD_BIN_DIR", "build/release/bin"), write_rows)
    peer = Peer()
    try:
        prepare = f"root://runs/{cluster.run(PREPARE)}"
        peer.iteration()
        for _ in range(arguments.rounds):
            for dtype in GOALS:
                seconds[dtype].append(
                    statistics.median(run_ours(cluster, prepare, dtype, arguments.iterations)))
                theirs[dtype].append(peer.iteration())
                ratios[dtype].append(theirs[dtype][-1] / seconds[dtype][-1])
                print(f"PPO iteration, {dtype}: {seconds[dtype][-1]:.2f} s, the peer "
                      f"{theirs[dtype][-1]:.2f} s", file=sys.stderr, flush=True)
    finally:
        peer.stop()
        cluster.stop()
    for dtype, goal in GOALS.items():
        print(json.dumps({"bench": "ppo_iteration", "name": f"PPO iteration, {dtype}",
                          "peer_name": "TRL 1.12.0 fp32", "seconds": seconds[dtype],
                          "peer_seconds": theirs[dtype],
                          "ratio": statistics.median(ratios[dtype]), "goal": goal}), flush=True)


if __name__ == "__main__":
    main()

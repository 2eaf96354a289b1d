"""One PPO iteration of real processes beside TRL's.

    python3 bench/ppo_iteration.py [--iterations 5]

64 prompts of 64 tokens, 64 new tokens each, no early stop; policy, reference, critic and reward
model of the demo size (6 layers, width 256, vocabulary 8,192); one pass of one minibatch; learner,
rollout and reward task with 2 threads each, taking turns on 2 cores. The peer's figure was measured
with TRL 1.12.0 (the last with PPO) on 2 cores of the same kind: 12.081 s in the median, fp32, one
epoch. The first and the last iteration (which writes a checkpoint) are dropped.
"""

import argparse
import json
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import tempfile
import time

TRL_SECONDS = 12.081
GOALS = {"FLOAT32": 1.2, "BFLOAT16": 1.5}
BIN = pathlib.Path(os.environ.get("TRAINYARD_BIN_DIR", "build/release/bin")).resolve()

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


def write_rows(path):
    draw = random.Random(1)
    with open(path, "w") as rows:
        for _ in range(256):
            # A byte is a token; with the two tags of the template the prompt has 64.
            prompt = "".join(draw.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(62))
            rows.write(json.dumps({"prompt": prompt, "response": prompt[:40], "group": "all",
                                   "text": prompt, "score": draw.randint(0, 5)}) + "\n")


class Cluster:
    def __init__(self, place):
        self.log = open(place / "up.log", "w")
        self.process = subprocess.Popen(
            [BIN / "trainyard", "up", "--slots", "8", "--dir", place / "state", "--listen",
             "127.0.0.1:0", "--root", f"data={place / 'data'}"],
            stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + 60
        self.address = None
        while self.address is None and time.monotonic() < deadline:
            found = re.search(r"127\.0\.0\.1:[1-9]\d*", (place / "up.log").read_text())
            self.address = found and found.group(0)
            time.sleep(0.05)

    def cli(self, *arguments):
        done = subprocess.run([BIN / "trainyard", "--coordinator", self.address, *arguments],
                              capture_output=True, text=True, timeout=900)
        if done.returncode != 0:
            raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def run(self, spec, place):
        (place / "spec.yaml").write_text(spec)
        name = re.search(r"(job|pipeline)-\w+", self.cli("submit", str(place / "spec.yaml")))
        self.cli("wait", name.group(0))
        return name.group(0)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.log.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trainyard-bench-ppo-") as name:
        place = pathlib.Path(name)
        (place / "data").mkdir()
        write_rows(place / "data" / "rows.jsonl")
        cluster = Cluster(place)
        try:
            prepare = f"root://runs/{cluster.run(PREPARE, place)}"
            for dtype, goal in GOALS.items():
                job = cluster.run(PPO % {"dtype": dtype.lower(), "type": dtype, "prepare": prepare,
                                         "iterations": arguments.iterations}, place)
                logs = cluster.cli("logs", job)
                seconds = [float(s) for s in re.findall(r"iteration \d+/\d+: .*, ([\d.]+) s", logs)]
                median = statistics.median(seconds[1:-1])
                print(json.dumps({"bench": "ppo_iteration", "name": f"PPO iteration, {dtype}",
                                  "peer_name": "TRL 1.12.0 fp32", "seconds": seconds,
                                  "median_seconds": median, "peer_seconds": TRL_SECONDS,
                                  "ratio": TRL_SECONDS / median, "goal": goal}), flush=True)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()

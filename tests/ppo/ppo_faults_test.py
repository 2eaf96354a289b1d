"""A PPO job of real processes whose tasks are killed and scaled: the same bits in the end.

A tiny policy and reward model are made by jobs of the cluster itself. Then the same PPO job runs
undisturbed, with one kill -9 per kind of task, scaled from one rollout to three and back, and on
two learner ranks. TRAINYARD_KILLS (default 1) sets the kills per kind; the seed is printed.
"""

import hashlib
import json
import os
import pathlib
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from local_cluster import LocalCluster, wait_for  # noqa: E402

KILLS = int(os.environ.get("TRAINYARD_KILLS", "1"))
SEED = int(os.environ.get("TRAINYARD_SEED", time.time_ns() % 100000))
ITERATIONS = 6

PREPARE = """
name: prepare
stages:
  - name: tokenizer
    tokenizer:
      train: [{file: {uri: "root://data/rows.jsonl"}}]
      vocab_size: 300
      special_tokens: ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"]
      pad: "<|pad|>"
      end_of_text: "<|end|>"
  - name: pretrain
    roles: [{name: trainer, count: 1, threads: 1}]
    pretrain:
      model: {family: llama, layers: 2, hidden_size: 64, heads: 2, intermediate_size: 128,
              context: 96}
      data:
        tokenizer: {artifact: tokenizer/tokenizer}
        train: [{file: {uri: "root://data/rows.jsonl"}}]
        max_length: 64
        end_of_text: "<|end|>"
      optimizer: {lr: 3.0e-3}
      loop: {steps: 10, global_batch: 8}
  - name: reward
    roles: [{name: trainer, count: 1, threads: 1}]
    reward_model:
      init_from: {artifact: pretrain/model}
      data: &data
        tokenizer: {artifact: tokenizer/tokenizer}
        train: [{file: {uri: "root://data/rated.jsonl"}}]
        chat_template:
          name: custom
          roles: [{role: user, prefix: "<|user|>"}, {role: assistant, prefix: "<|assistant|>"}]
          end_of_turn: "<|end|>"
        max_length: 96
      group_size: 4
      min_gap: 1.0
      normalization: {file: {uri: "root://data/rated.jsonl"}}
      optimizer: {lr: 1.0e-3}
      loop: {steps: 5, global_batch: 4}
"""

PPO = """
name: %(name)s
seed: 3
run_uri: root://runs/%(name)s
max_attempts: 5
roles:
  - {name: learner, count: %(learners)d, threads: 1}
  - {name: rollout, count: 1, threads: 1}
  - {name: reward, count: 1, threads: 1}
ppo:
  policy: {uri: "%(prepare)s/pretrain/e1/model"}
  reward:
    components: [{name: rated, learned: {model: {uri: "%(prepare)s/reward/e1/model"}}}]
  data:
    tokenizer: {uri: "%(prepare)s/tokenizer/e1/tokenizer"}
    train: [{file: {uri: "root://data/rated.jsonl"}}]
    chat_template:
      name: custom
      roles: [{role: user, prefix: "<|user|>"}, {role: assistant, prefix: "<|assistant|>"}]
      end_of_turn: "<|end|>"
    max_length: 96
  sampling: {temperature: 0.7, forbidden_tokens: ["<|pad|>", "<|user|>", "<|assistant|>"],
             min_new_tokens: 4, max_new_tokens: 48}
  iterations: %(iterations)d
  prompts_per_iteration: 24
  minibatch: 12
  passes: 2
  actor: {lr: 2.0e-4, schedule: constant, warmup_steps: 4}
  critic_optimizer: {lr: 5.0e-4, schedule: constant, warmup_steps: 4}
  beta: 0.3
  kl_target: 3.0
  kl_horizon: 1000
  no_eos: penalty
  checkpoint_every: 2
  stall_seconds: %(stall)g
"""

WORDS = "the a good bad great awful film book phone was is not very really loved hated".split()


def write_rows(directory):
    draw = random.Random(1)
    with open(directory / "rows.jsonl", "w") as rows, open(directory / "rated.jsonl", "w") as rated:
        for _ in range(300):
            words = [draw.choice(WORDS) for _ in range(draw.randint(8, 14))]
            score = sum(w in ("good", "great", "loved") for w in words)
            rows.write(json.dumps({"text": " ".join(words)}) + "\n")
            rated.write(json.dumps({"prompt": " ".join(words[:4]), "group": "all", "score": score,
                                    "response": " " + " ".join(words[4:])}) + "\n")


class PpoFaultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}, {KILLS} kills per kind of task", flush=True)
        cls.draw = random.Random(SEED)
        cls.cluster = LocalCluster(os.environ["TRAINYARD_BIN_DIR"], write_rows)
        cls.addClassCleanup(cls.cluster.stop)
        cls.runs = cls.cluster.runs
        cls.prepare = cls.cluster.run(PREPARE)
        cls.undisturbed = cls.run_job("undisturbed")

    @classmethod
    def drawn(cls, name, iteration):
        """Whether the rows of an iteration were drawn by some attempt."""
        for ledger in cls.runs.joinpath(name).glob("e*/ledger.jsonl"):
            for line in ledger.read_text().splitlines():
                if f'"iteration":{iteration}' in line and '"draw"' in line:
                    return True
        return False

    @classmethod
    def run_job(cls, name, learners=1, disturb=None, stall=0):
        job = cls.cluster.submit(PPO % {"name": name, "learners": learners,
                                        "iterations": ITERATIONS, "stall": stall,
                                        "prepare": f"root://runs/{cls.prepare}"})
        if disturb:
            disturb(job)
        cls.cluster.cli("wait", job)
        return cls.outcome(name)

    @classmethod
    def outcome(cls, name):
        run = cls.runs / name
        policy, = run.glob("e*/policy/model.safetensors")
        last = max(run.glob(f"e*/step-{ITERATIONS:08d}/manifest.json"))
        manifest = json.loads(last.read_text())
        ledger = manifest["sections"]["ledger"]["iterations"]
        files = {f["path"]: f["xxh3"] for f in manifest["files"]}
        epochs = len(list(run.glob("e*")))
        return {"policy": hashlib.sha256(policy.read_bytes()).hexdigest(), "ledger": ledger,
                "files": files, "epochs": epochs}

    def kill(self, name, binary):
        def disturb(job):
            iteration = self.draw.randrange(1, ITERATIONS - 1)
            wait_for(lambda: self.drawn(name, iteration), f"iteration {iteration} of {name}")
            time.sleep(self.draw.random() * 0.1)
            pids = self.cluster.task_processes(binary)
            if pids:
                os.kill(self.draw.choice(pids), signal.SIGKILL)
        return disturb

    def check(self, outcome, files=True):
        self.assertEqual(outcome["policy"], self.undisturbed["policy"])
        self.assertEqual(outcome["ledger"], self.undisturbed["ledger"])
        if files:  # actor, critic and both optimizers
            self.assertEqual(outcome["files"], self.undisturbed["files"])

    def test_ledger_has_every_row_exactly_once(self):
        row = 0
        for number, iteration in enumerate(self.undisturbed["ledger"]):
            self.assertEqual(iteration["iteration"], number)
            self.assertEqual(iteration["first_row"], row)
            row += iteration["rows"]
        self.assertEqual(row, 24 * ITERATIONS)

    def test_killed_tasks_change_no_bit(self):
        for binary in ("trainyard-rollout", "trainyard-reward", "trainyard-worker",
                       "trainyard-ppo"):
            for number in range(KILLS):
                name = f"kill-{binary[10:]}-{number}"
                with self.subTest(name):
                    outcome = self.run_job(name, disturb=self.kill(name, binary))
                    self.check(outcome)
                    if binary in ("trainyard-rollout", "trainyard-reward"):
                        self.assertEqual(outcome["epochs"], 1)  # the learner was not restarted

    def test_a_reward_task_that_never_answers_is_named_and_replaced(self):
        def disturb(job):
            wait_for(lambda: self.drawn("silent", 2), "iteration 2")
            for pid in self.cluster.task_processes("trainyard-reward"):
                os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: "without an answer yet: reward/0" in self.cluster.cli("events", job),
                     "the named cause")
        outcome = self.run_job("silent", disturb=disturb, stall=3)
        self.check(outcome)
        self.assertEqual(outcome["epochs"], 2)

    def test_scaling_changes_no_bit(self):
        def disturb(job):
            wait_for(lambda: self.drawn("scaled", 1), "iteration 1")
            self.cluster.cli("scale", job, "rollout=3")
            wait_for(lambda: self.drawn("scaled", ITERATIONS - 2), "the last but one")
            self.cluster.cli("scale", job, "rollout=1")
        self.check(self.run_job("scaled", disturb=disturb))

    def test_two_ranks_consume_the_same_rows(self):
        outcome = self.run_job("two-ranks", learners=2)
        rows = [(i["first_row"], i["rows"]) for i in outcome["ledger"]]
        self.assertEqual(rows, [(i["first_row"], i["rows"]) for i in self.undisturbed["ledger"]])
        # Sums over ranks round differently: the first iteration's answers are still the same.
        self.assertEqual(outcome["ledger"][0]["digest"], self.undisturbed["ledger"][0]["digest"])


if __name__ == "__main__":
    unittest.main()

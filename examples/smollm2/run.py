"""A published language model through the whole line, judged beside transformers: `make smollm2`.

    python3 examples/smollm2/run.py --build build/release [--out smollm2-out]

Fetches SmolLM2-135M-Instruct, chats with it, trains it by pipeline.yaml (SFT, reward model, PPO),
exports the results and lets transformers load and judge them. Exit code 0 only if every gate holds.
Ctrl-C stops everything. What is shown and why: examples/smollm2/README.md.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from cluster import (Cluster, export, export_report, follow, series, stage_jobs,  # noqa: E402
                     stage_seconds)
from gates import conclude, gate, print_table, run_to_exit  # noqa: E402

CACHE = ROOT / ".cache" / "smollm2"
PARITY_PYTHON = ROOT / ".venv-parity" / "bin" / "python"
QUESTIONS = ("What is the capital of France?", "Write one sentence about the sea.",
             "How many legs has a spider?")
ANSWER_TOKENS = 48


def prepare(out):
    if not PARITY_PYTHON.exists():
        raise SystemExit(f"{PARITY_PYTHON} is missing, which converts the model and runs "
                         "transformers: run scripts/setup parity")
    for name in ("demo", "smollm2"):
        subprocess.run([str(ROOT / "scripts" / "fetch-data"), name], check=True)
    data = CACHE / "data"
    gguf = next((CACHE / "raw").glob("*.gguf"))
    converter = HERE / "convert.py"
    written = data / "model" / "config.json"
    if not written.exists() or written.stat().st_mtime < converter.stat().st_mtime:
        print("== converting it to a Hugging Face directory", flush=True)
        subprocess.run([str(PARITY_PYTHON), str(converter), str(gguf), str(data / "model")],
                       check=True)
    subprocess.run([sys.executable, str(HERE / "prepare.py"),
                    str(ROOT / ".cache" / "demo" / "raw"), str(data)], check=True)
    shutil.rmtree(out / "cluster", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    return data


def chat(cluster, model):
    """Greedy answers of a model to QUESTIONS, in one conversation: rows of answers.jsonl."""
    done = subprocess.run(
        [cluster.cli, "--coordinator", cluster.address, "generate", model, "--chat", *QUESTIONS,
         "--temperature", "0", "--max-new-tokens", str(ANSWER_TOKENS), "-o", "json"],
        stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the chat with {model} failed (exit code {done.returncode})")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for question, row in zip(QUESTIONS, rows):
        print(f"> {question}\n{row['answers'][0]['text'].strip()}\n", flush=True)
    return [row["answers"][0]["token_ids"] for row in rows]


def judge_by_transformers(out, data):
    """What check.py measured on the exported directories."""
    request = {"published": str(data / "model"), "policy": str(out / "policy"),
               "reward": str(out / "reward"), "texts": str(data / "texts.jsonl"),
               "pairs": str(data / "pairs-held-out.jsonl"), "questions": QUESTIONS,
               "answer_tokens": ANSWER_TOKENS}
    done = subprocess.run([str(PARITY_PYTHON), str(HERE / "check.py")], stdout=subprocess.PIPE,
                          input=json.dumps(request), text=True, check=True)
    return json.loads(done.stdout)


def value_of(report, metric, model):
    return next(m["models"][model]["value"] for m in report["metrics"] if m["name"] == metric)


def same_answers(ours, theirs):
    return sum(a == b for a, b in zip(ours, theirs)) / len(theirs)


def make_gates(metrics, report, answers, theirs):
    sft = series(metrics["sft"], "eval_loss")
    rewards = series(metrics["ppo"], "reward")
    accuracy = series(metrics["reward"], "eval_pair_accuracy")[-1][1]
    rows = [
        gate("published: greedy answers equal to transformers'",
             same_answers(answers["published"], theirs["published"]["answers"]), at_least=1),
        gate("policy: greedy answers equal to transformers'",
             same_answers(answers["policy"], theirs["policy"]["answers"]), at_least=1),
        gate("SFT, held-out loss falls by", sft[0][1] - sft[-1][1], at_least=0.05),
        gate("reward model, held-out pairs right", accuracy, at_least=0.6),
        gate("reward model in transformers, padded batch: pairs right, difference",
             abs(accuracy - theirs["reward"]["pair_accuracy"]), at_most=1e-9),
        gate("PPO, iterations", len(rewards), at_least=3, at_most=3),
    ]
    for ours, name in (("published", "published"), ("ppo", "policy")):
        peer = theirs[name]["perplexity"]
        rows.append(gate(f"{name}: perplexity / transformers', distance from 1",
                         abs(value_of(report, "text_perplexity", ours) / peer - 1), at_most=1e-3))
    return rows


def train(cluster, out):
    """Metrics by stage, the verdict's report, seconds by stage."""
    pipeline_id = follow(cluster, cluster.json("submit", str(HERE / "pipeline.yaml"))["id"])
    pipeline = cluster.json("get", pipeline_id)
    jobs = stage_jobs(pipeline)
    metrics = {stage: cluster.json("metrics", jobs[stage]).get("points", [])
               for stage in ("sft", "reward", "ppo")}
    export(cluster, f"{jobs['ppo']}/policy", out / "policy")
    export(cluster, f"{jobs['reward']}/model", out / "reward")
    report = export_report(cluster, jobs["verdict"], out / "verdict")
    return f"{jobs['ppo']}/policy", metrics, report, stage_seconds(pipeline)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "smollm2-out")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    data = prepare(out)
    started = time.monotonic()
    with Cluster(arguments.build.resolve() / "bin", out / "cluster", data.resolve()) as cluster:
        answers = {"published": chat(cluster, "root://data/model")}
        policy, metrics, report, seconds = train(cluster, out)
        answers["policy"] = chat(cluster, policy)
    theirs = judge_by_transformers(out, data)
    gates = make_gates(metrics, report, answers, theirs)
    (out / "results.json").write_text(json.dumps(
        {"gates": gates, "seconds": seconds, "transformers": theirs}, indent=1))
    print_table(gates)
    print("\n" + "  ".join(f"{name} {s:.0f} s" for name, s in seconds.items()))
    print(f"\n{time.monotonic() - started:.0f} s; the policy for transformers: {out / 'policy'}")
    return conclude(gates)


if __name__ == "__main__":
    run_to_exit(main)

"""Runs the whole line on real text and judges it: `make demo`.

    python3 examples/demo/run.py --build build/release [--out demo-out] [--seed N] [--controls]

Starts a cluster with `trainyard up`, submits pipeline.yaml through the CLI, shows its progress,
then gathers metrics and results into a table of gates and OUT/report.html. Exit code 0 only if
every gate holds. Ctrl-C stops everything. --controls then also trains against the reward's sign and
by shuffled ratings, which must not raise what the demo raises.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

import controls
import report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from cluster import (Cluster, export_report, follow, series, stage_jobs,  # noqa: E402
                     stage_seconds)
from gates import conclude, gate, print_table, run_to_exit  # noqa: E402

STAGES = ("tokenizer", "pretrain", "sft", "reference", "reward", "ppo", "verdict")
SAMPLES_SHOWN = 12


def training_gates(metrics):
    sft = series(metrics["sft"], "eval_loss")
    reward = series(metrics["ppo"], "reward")
    return [
        gate("pretraining, held-out bits per byte",
             series(metrics["pretrain"], "eval_bits_per_byte")[-1][1], at_most=2.15),
        gate("SFT, held-out loss falls by", sft[0][1] - sft[-1][1], at_least=0.10),
        gate("reward model, test pairs at gap >= 1",
             series(metrics["reward"], "eval_pair_accuracy_gap_1")[-1][1], at_least=0.76),
        gate("reward model, test pairs at gap >= 2",
             series(metrics["reward"], "eval_pair_accuracy_gap_2")[-1][1], at_least=0.80),
        gate("PPO, mean reward of the last 5 iterations (SD)",
             sum(v for _, v in reward[-5:]) / 5, at_least=0.4),
    ]


def verdict_gates(verdict):
    return [{"name": f"{g['metric']} ({g['of']})", "value": g["value"], "low": g.get("ci_low"),
             "high": g.get("ci_high"), "bound": g["bound"], "ok": g["ok"]}
            for g in verdict["gates"]]


def charts(metrics):
    def chart(title, x, y, *lines):
        return {"title": title, "x": x, "y": y,
                "series": [{"name": name, "points": points} for name, points in lines]}
    return [
        chart("Pretraining: loss", "step", "nats/token",
              ("train", series(metrics["pretrain"], "loss")),
              ("held out", series(metrics["pretrain"], "eval_loss"))),
        chart("SFT: loss", "step", "nats/token", ("train", series(metrics["sft"], "loss")),
              ("held out", series(metrics["sft"], "eval_loss"))),
        chart("Reward model: loss", "step", "nats/pair",
              ("train", series(metrics["reward"], "loss"))),
        chart("PPO: reward", "iteration", "SD of the SFT model's",
              ("reward", series(metrics["ppo"], "reward"))),
        chart("PPO: KL to the SFT model", "iteration", "nats/answer",
              ("KL", series(metrics["ppo"], "kl"))),
        chart("PPO: answer length", "iteration", "tokens",
              ("length", series(metrics["ppo"], "answer_tokens"))),
    ]


def gather(cluster, pipeline_id, out, started):
    pipeline = cluster.json("get", pipeline_id)
    jobs = stage_jobs(pipeline)
    metrics = {stage: cluster.json("metrics", jobs[stage]).get("points", [])
               for stage in ("pretrain", "sft", "reward", "ppo")}
    verdict = export_report(cluster, jobs["verdict"], out / "verdict")
    samples = [{"prompt": s["prompt"].removeprefix("continue: "), "before": s["answers"]["sft"],
                "after": s["answers"]["ppo"]} for s in verdict["samples"][:SAMPLES_SHOWN]]
    return {
        "subtitle": f"{time.strftime('%Y-%m-%d %H:%M')} on {os.cpu_count()} cores "
                    f"({platform.machine()}); {time.monotonic() - started:.0f} s after the build",
        "gates": training_gates(metrics) + verdict_gates(verdict),
        "charts": charts(metrics), "samples": samples, "seconds": stage_seconds(pipeline),
        "controls": [],
    }


def run_controls(cluster, out):
    """The control table's rows."""
    pipeline_id = follow(cluster, cluster.json("submit", str(controls.PIPELINE))["id"])
    jobs = stage_jobs(cluster.json("get", pipeline_id))
    report_of_controls = export_report(cluster, jobs["judgement"], out / "controls")
    demo = json.loads((out / "verdict" / "report.json").read_text(encoding="utf-8"))
    return controls.gates(report_of_controls, demo, gate)


def prepare(out):
    data = ROOT / ".cache" / "demo" / "data"
    subprocess.run([str(ROOT / "scripts" / "fetch-data")], check=True)
    stamp = data / ".prepared"
    if not stamp.exists() or stamp.stat().st_mtime < (HERE / "prepare.py").stat().st_mtime:
        subprocess.run([sys.executable, str(HERE / "prepare.py"),
                        str(ROOT / ".cache" / "demo" / "raw"), str(data)], check=True)
        stamp.touch()
    cluster = out / "cluster"
    shutil.rmtree(cluster, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    return data, cluster


def run_pipeline(cluster, arguments):
    overrides = []
    if arguments.seed is not None:
        for index, stage in enumerate(STAGES):
            overrides += ["--set", f"stages[{index}].seed={arguments.seed}"]
            if stage in ("reference", "verdict"):
                kind = "generate" if stage == "reference" else "eval"
                overrides += ["--set", f"stages[{index}].{kind}.sampling.seed={arguments.seed}"]
    return follow(cluster, cluster.json("submit", str(HERE / "pipeline.yaml"), *overrides)["id"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "demo-out")
    parser.add_argument("--seed", type=int, help="seed of every stage (default: the pipeline's)")
    parser.add_argument("--controls", action="store_true",
                        help="then the controls: reward's sign flipped, ratings shuffled")
    arguments = parser.parse_args()
    started = time.monotonic()
    data, directory = prepare(arguments.out)
    with Cluster(arguments.build.resolve() / "bin", directory.resolve(), data.resolve()) as cluster:
        pipeline = run_pipeline(cluster, arguments)
        results = gather(cluster, pipeline, arguments.out, started)
        if arguments.controls:
            results["controls"] = run_controls(cluster, arguments.out)
    (arguments.out / "results.json").write_text(json.dumps(results, indent=1))
    (arguments.out / "report.html").write_text(report.render(results), encoding="utf-8")
    print_table(results["gates"])
    print("\n" + "  ".join(f"{name} {s:.0f} s" for name, s in results["seconds"].items()))
    if results["controls"]:
        print_table(results["controls"])
    print(f"\nreport: {arguments.out / 'report.html'}")
    return conclude(results["gates"] + results["controls"])


if __name__ == "__main__":
    run_to_exit(main)

"""Runs the whole line on real text and judges it: `make demo`.

    python3 examples/demo/run.py --build build/release [--out demo-out] [--seed N] [--controls]

Starts a cluster with `trainyard up`, submits pipeline.yaml through the CLI, shows its progress,
then gathers metrics and results into a table of gates and OUT/report.html. Exit code 0 only if
every gate holds. Ctrl-C stops everything. --controls then also trains against the reward's sign and
by shuffled ratings, which must not raise what the demo raises.
"""

import argparse
import ctypes
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

import controls
import report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STAGES = ("tokenizer", "pretrain", "sft", "reference", "reward", "ppo", "verdict")
SAMPLES_SHOWN = 12
PR_SET_PDEATHSIG = 1


def end_with_parent():
    """In a child: TERM to it when its parent is gone, however that ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Cluster:
    """`trainyard up` as a child process, and its CLI. Ends with the `with` block."""

    def __init__(self, binaries, directory, data):
        self.cli = str(binaries / "trainyard")
        self.runs = directory / "roots" / "runs"
        self.log = (directory.parent / "cluster.log").open("w")
        self.process = subprocess.Popen(
            [self.cli, "up", "--slots", "4", "--dir", str(directory), "--root", f"data={data}",
             "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True,
            preexec_fn=end_with_parent)
        try:
            self.address = self._address()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _address(self):
        for line in self.process.stdout:
            if line.startswith("coordinator "):
                return line.split()[1]
        raise SystemExit(f"trainyard up ended early: see {self.log.name}")

    def run(self, *arguments, stdout=None):
        return subprocess.run([self.cli, "--coordinator", self.address, *arguments],
                              stdout=stdout, check=False)

    def json(self, *arguments):
        done = subprocess.run([self.cli, "--coordinator", self.address, *arguments, "-o", "json"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"trainyard {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()


def series(points, name):
    return [[p.get("step", 0), p["values"][name]] for p in points if name in p.get("values", {})]


def gate(name, value, low=None, high=None, **bounds):
    """One row of the verdict table. `bounds`: at_least, at_most, low_above, high_below."""
    tests = {"at_least": (value, ">=", lambda v, b: v >= b),
             "at_most": (value, "<=", lambda v, b: v <= b),
             "low_above": (low, "interval >", lambda v, b: v is not None and v > b),
             "high_below": (high, "interval <", lambda v, b: v is not None and v < b)}
    ok, texts = True, []
    for key, bound in bounds.items():
        measured, sign, holds = tests[key]
        ok = ok and holds(measured, bound)
        texts.append(f"{sign} {bound:g}")
    return {"name": name, "value": value, "low": low, "high": high, "bound": ", ".join(texts),
            "ok": ok}


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


def stage_seconds(pipeline):
    return {job["stage"]: (job["ended_at_us"] - job["started_at_us"]) / 1e6
            for job in pipeline["jobs"]}


def export_report(cluster, job, directory):
    """An eval job's report."""
    shutil.rmtree(directory, ignore_errors=True)
    if cluster.run("export", f"{job}/report", str(directory), "--root",
                   f"runs={cluster.runs}", stdout=subprocess.DEVNULL).returncode != 0:
        raise SystemExit(f"the report of {job} could not be exported")
    return json.loads((directory / "report.json").read_text(encoding="utf-8"))


def stage_jobs(pipeline):
    return {job["stage"]: job["id"] for job in pipeline["jobs"]}


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


def print_table(gates):
    width = max(len(g["name"]) for g in gates)
    print(f"\n{'measure':{width}}  {'value':>9}  {'95 % interval':>18}  gate")
    for g in gates:
        interval = "" if g["low"] is None else f"[{g['low']:.3f}, {g['high']:.3f}]"
        print(f"{g['name']:{width}}  {g['value']:9.3f}  {interval:>18}  "
              f"{'holds' if g['ok'] else 'FAILS'}: {g['bound']}")


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


def follow(cluster, pipeline_id):
    """Shows its progress; returns the id when it succeeded."""
    code = cluster.run("watch", pipeline_id).returncode
    if code == 0:
        return pipeline_id
    for job in cluster.json("get", pipeline_id)["jobs"]:
        if job["state"] == "failed":
            cluster.run("describe", job["id"])
    raise SystemExit(f"the pipeline did not succeed (exit code {code})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "demo-out")
    parser.add_argument("--seed", type=int, help="seed of every stage (default: the pipeline's)")
    parser.add_argument("--controls", action="store_true",
                        help="then the controls: reward's sign flipped, ratings shuffled")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
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
    failed = [g["name"] for g in results["gates"] + results["controls"] if not g["ok"]]
    print(f"\nreport: {arguments.out / 'report.html'}")
    print(f"failed: {', '.join(failed)}" if failed else "every gate holds")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)

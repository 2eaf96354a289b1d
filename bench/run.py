"""Runs every bench beside its peer and prints one table: `make bench`.

    python3 bench/run.py --build build/release [--only NAME ...] [--out bench-out.json]

A figure is a ratio of ours to the peer's (above 1: ours is faster), or a limit divided by the time
measured. Exit code 1 when a figure misses its goal or a bench fails or takes longer than its time.
Machine and date are printed, for docs/benchmarks.md. Twelve minutes in all on two quiet cores.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".venv-parity" / "bin" / "python")


def figures_of_tokenizer(objects):
    found = objects[0]
    yield f"tokenizer, training ({found['peer']})", found["train"]["ratio"], 1.0
    for row in found["encode"]:
        worst = f"worst: {row['worst']['text']} {row['worst']['ratio']}"
        yield (f"encoding, {row['tokenizer']}, {row['threads']} thread(s) ({worst})",
               row["ratio"], 2.0)


def figures_of_ratio(objects):
    for o in objects:
        name = o.get("name", o["bench"])
        yield f"{name} ({o.get('peer_name', 'transformers generate')})", o["ratio"], o["goal"]


def figures_of_data_parallel(objects):
    last = objects[-1]
    yield (f"2 ranks x 1 thread / 1 rank x 2 threads, {last['model']}",
           last["ratio_median"], last["target"])


def figures_of_checkpoints(objects):
    ratio, large = objects
    yield "tokens/s with a checkpoint every 50 steps / without", ratio["ratio_median"], 0.985
    yield (f"limit / longest stall of a checkpoint, 124M: {large['longest_stall_seconds']:.3f} s",
           large["target"] / large["longest_stall_seconds"], 1.0)


def figures_of_publish(objects):
    last = objects[-1]
    yield (f"limit / publication of {last['model']} to {last['tasks']} rollouts: "
           f"{last['median_ms']:.0f} ms", last["goal_ms"] / last["median_ms"], 1.0)


def figures_of_loading(objects):
    last = objects[-1]
    yield (f"limit / slowest warm load of {last['model']}: {last['seconds']:.2f} s",
           last["goal_seconds"] / last["seconds"], 1.0)
    yield (f"limit / most memory of a load over the model's: {last['peak_over_model']:.2f}",
           last["goal_peak_over_model"] / last["peak_over_model"], 1.0)


def figures_of_scheduling(objects):
    last = objects[-1]
    yield (f"limit / p99 of a scheduling pass, {last['nodes']} nodes, {last['pending']} gangs: "
           f"{last['pass_p99_ms']:.0f} ms", last["goal_ms"] / last["pass_p99_ms"], 1.0)


class Bench(typing.NamedTuple):
    command: list  # a program or script with its arguments; {build}: the build's directory
    figures: typing.Callable  # of its JSON objects: name, value, goal
    limit_s: int  # it is killed after


BENCHES = {
    "train_step": Bench(["bench/train_step.py", "--build", "{build}"], figures_of_ratio, 300),
    "data_parallel": Bench(["{build}/bench/bench_data_parallel", "demo", "fp32"],
                           figures_of_data_parallel, 150),
    "generation": Bench(["bench/generation_bench.py", "--build", "{build}"], figures_of_ratio,
                        150),
    "ppo_iteration": Bench(["bench/ppo_iteration.py"], figures_of_ratio, 420),
    "publish": Bench(["{build}/bench/bench_publish"], figures_of_publish, 90),
    "tokenizer": Bench(["bench/tokenizer_bench.py", "--build", "{build}"], figures_of_tokenizer,
                       200),
    "loading": Bench(["{build}/bench/bench_loading"], figures_of_loading, 60),
    "checkpoint_stall": Bench(["{build}/bench/bench_checkpoint_stall"], figures_of_checkpoints,
                              150),
    "scheduling": Bench(["{build}/bench/bench_scheduling_pass"], figures_of_scheduling, 120),
}


def json_objects(text):
    """Every top-level JSON object in a program's output."""
    decoder, position = json.JSONDecoder(), text.find("{")
    while position >= 0:
        found, end = decoder.raw_decode(text, position)
        yield found
        position = text.find("{", end)


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def run(name, build):
    """The bench's JSON objects, its figures, and why they are not all (None: they are)."""
    bench = BENCHES[name]
    arguments = [part.format(build=build) for part in bench.command]
    if arguments[0].endswith(".py"):
        arguments.insert(0, PYTHON)
    environment = dict(os.environ, TRAINYARD_BIN_DIR=str(ROOT / build / "bin"))
    # A group of its own: what a bench started ends with it.
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               env=environment, start_new_session=True)
    failure = None
    try:
        out, _ = process.communicate(timeout=bench.limit_s)
    except subprocess.TimeoutExpired:
        failure = f"took longer than {bench.limit_s} s"
        process.send_signal(signal.SIGINT)
        try:
            out, _ = process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            out = ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    objects = list(json_objects(out))
    if failure is None and not objects:
        failure = f"no figures (exit code {process.returncode})"
    try:
        return objects, list(bench.figures(objects)), failure
    except (IndexError, KeyError, ValueError):
        return objects, [], failure or "its figures are not complete"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--only", nargs="*", choices=sorted(BENCHES))
    parser.add_argument("--out", type=pathlib.Path, help="also write every bench's JSON here")
    arguments = parser.parse_args()
    begin = time.monotonic()
    print(f"{time.strftime('%Y-%m-%d %H:%M')}  {cpu_model()}, {os.cpu_count()} cores", flush=True)
    missed, kept = [], {}
    for name in arguments.only or BENCHES:
        kept[name], rows, failure = run(name, arguments.build)
        if failure is not None:
            print(f"{name + ': ' + failure:100} MISSED", flush=True)
            missed.append(name)
        for text, value, goal in rows:
            verdict = "ok" if value >= goal else "MISSED"
            print(f"{text:74} {value:7.2f}  goal >= {goal:<5g} {verdict}", flush=True)
            if value < goal:
                missed.append(text)
    print(f"{len(missed)} missed, {time.monotonic() - begin:.0f} s", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(kept, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs every bench beside its peer and prints one table: `make bench`.

    python3 bench/run.py --build build/release [--only NAME ...] [--out bench-out.json]

A figure is a ratio of ours to the peer's (above 1: ours is faster), or a time with its limit. Exit
code 1 when a figure misses its goal. Machine and date are printed, for docs/benchmarks.md.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".venv-parity" / "bin" / "python")


def figures_of_tokenizer(objects):
    for name in ("train", "encode"):
        yield f"tokenizer, {name} (tokenizers)", objects[0][name]["ratio"], 1.0


def figures_of_train_step(objects):
    for o in objects:
        case = f"{o['model']} {o['dtype']} {o['rows']}x{o['context']}"
        yield (f"training step, {case} (PyTorch eager)",
               o["ratio"], 1.0)


def figures_of_ratio(objects):
    for o in objects:
        name = o.get("name", o["bench"])
        yield f"{name} ({o.get('peer_name', 'peer')})", o["ratio"], o["goal"]


def figures_of_data_parallel(objects):
    last = objects[-1]
    yield (f"2 ranks x 1 thread / 1 rank x 2 threads, {last['model']}",
           last["ratio_median"], last["target"])


def figures_of_checkpoints(objects):
    ratio, large = objects
    yield "tokens/s with a checkpoint every 50 steps / without", ratio["ratio_median"], 0.985
    yield ("limit / longest stall of a checkpoint, 124M parameters",
           large["target"] / large["longest_stall_seconds"], 1.0)


def figures_of_publish(objects):
    last = objects[-1]
    yield (f"limit / publication of {last['model']} to {last['tasks']} rollout tasks",
           last["goal_ms"] / last["median_ms"], 1.0)


# Name -> (script or program with arguments, what its JSON objects say). {build}: the build's
# directory.
BENCHES = {
    "tokenizer": (["bench/tokenizer_bench.py", "--build", "{build}"], figures_of_tokenizer),
    "train_step": (["bench/train_step.py", "{build}/bench/bench_train_step"],
                   figures_of_train_step),
    "generation": (["bench/generation_bench.py", "--build", "{build}"], figures_of_ratio),
    "ppo_iteration": (["bench/ppo_iteration.py"], figures_of_ratio),
    "publish": (["{build}/bench/bench_publish"], figures_of_publish),
    "data_parallel": (["{build}/bench/bench_data_parallel", "demo", "fp32"],
                      figures_of_data_parallel),
    "checkpoint_stall": (["{build}/bench/bench_checkpoint_stall"], figures_of_checkpoints),
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
    command, figures = BENCHES[name]
    arguments = [part.format(build=build) for part in command]
    if arguments[0].endswith(".py"):
        arguments.insert(0, PYTHON)
    environment = dict(os.environ, TRAINYARD_BIN_DIR=str(ROOT / build / "bin"))
    done = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    objects = list(json_objects(done.stdout))
    if not objects:
        raise SystemExit(f"{name}: no figures (exit code {done.returncode})")
    return objects, list(figures(objects))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--only", nargs="*", choices=sorted(BENCHES))
    parser.add_argument("--out", type=pathlib.Path, help="also write every bench's JSON here")
    arguments = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d %H:%M')}  {cpu_model()}, {os.cpu_count()} cores", flush=True)
    missed, kept = [], {}
    for name in arguments.only or BENCHES:
        kept[name], rows = run(name, arguments.build)
        for text, value, goal in rows:
            verdict = "ok" if value >= goal else "MISSED"
            print(f"{text:74} {value:7.2f}  goal >= {goal:<5g} {verdict}", flush=True)
            if value < goal:
                missed.append(text)
    if arguments.out:
        arguments.out.write_text(json.dumps(kept, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

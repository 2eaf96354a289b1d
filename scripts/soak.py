#!/usr/bin/env python3
"""The long counts: simulation seeds, kills of the coordinator, of agents and of tasks.

Prints one row for each; exit code 0 only when all passed. What failed leaves its log, whose first
lines say with which seed to run it again.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

SIMULATION_SEEDS = 2000
COORDINATOR_KILLS = 100
ROUNDS_OF_THE_OTHERS = 20
LINE_SEEDS = 20


def campaigns(tests):
    """(name, commands) in the order they run."""
    faults = [tests / "faults_test"]
    coordinator = "--gtest_filter=*KillsOfTheCoordinator*"
    yield (f"{SIMULATION_SEEDS} simulated clusters",
           [[tests / "simulation_test", f"--seeds={SIMULATION_SEEDS}"]])
    yield (f"{COORDINATOR_KILLS} kills of the coordinator",
           [faults + [coordinator, "--rounds", str(COORDINATOR_KILLS)]])
    yield (f"{ROUNDS_OF_THE_OTHERS} rounds of every other fault",
           [faults + [coordinator.replace("=", "=-"), "--rounds", str(ROUNDS_OF_THE_OTHERS)]])
    line = tests / "line_faults_test"
    if line.exists():
        first = int(time.time()) % 1_000_000
        yield (f"{LINE_SEEDS} kills in each kind of job",
               [[line, "--seed", str(first + i)] for i in range(LINE_SEEDS)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    build = parser.parse_args().build.resolve()
    environment = dict(os.environ, TRAINYARD_BIN_DIR=str(build / "bin"))
    failed = False
    for name, commands in campaigns(build / "tests"):
        begin = time.monotonic()
        log = build / f"soak-{name.replace(' ', '-')}.log"
        with open(log, "wb") as output:
            codes = [subprocess.run([str(part) for part in command], env=environment,
                                    stdout=output, stderr=subprocess.STDOUT, check=False).returncode
                     for command in commands]
        bad = any(codes)
        failed |= bad
        verdict = f"FAILED: {log}" if bad else "ok"
        print(f"{name:36} {time.monotonic() - begin:8.0f} s  {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

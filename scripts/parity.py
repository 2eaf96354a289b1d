#!/usr/bin/env python3
"""The long parity tests: `make parity`. The scripts that `make test` runs, with more text, more
tokenizers and other seeds, and then the whole ring.

Prints one row for each; exit code 0 only when all passed. What failed leaves its log.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MEGABYTES = 20
TOKENIZERS = 1000


def campaigns(build, seed):
    """(name, command, more of the environment) in the order they run."""
    python, tests = ROOT / ".venv-parity" / "bin" / "python", ROOT / "tests" / "tokenizer"
    yield (f"{MEGABYTES} MB of text by each published tokenizer",
           [python, tests / "tokenizer_parity_test.py"],
           {"TRAINYARD_PARITY_MEGABYTES": str(MEGABYTES)})
    yield (f"{TOKENIZERS} random tokenizers, seeds from {seed}",
           [python, tests / "random_tokenizers_parity_test.py"],
           {"TRAINYARD_TOKENIZERS": str(TOKENIZERS), "TRAINYARD_SEED": str(seed)})
    yield ("the ring of `make test`",
           ["ctest", "--test-dir", build, "-L", "^parity$", "--output-on-failure",
            "--no-tests=error"], {})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000,
                        help="of the random tokenizers (default: drawn)")
    options = parser.parse_args()
    build = options.build.resolve()
    environment = dict(os.environ, TRAINYARD_BIN_DIR=str(build / "bin"),
                       TRAINYARD_TEST_DIR=str(build / "tests"), OMP_NUM_THREADS="1")
    failed = False
    for number, (name, command, more) in enumerate(campaigns(build, options.seed)):
        begin = time.monotonic()
        log = build / f"parity-{number}.log"
        with open(log, "wb") as output:
            bad = subprocess.run([str(part) for part in command], cwd=ROOT, stdout=output,
                                 stderr=subprocess.STDOUT, env={**environment, **more},
                                 check=False).returncode != 0
        failed |= bad
        print(f"{name:46} {time.monotonic() - begin:6.0f} s  {f'FAILED: {log}' if bad else 'ok'}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Our tokenizer beside Hugging Face tokenizers, in interleaved pairs on one thread.

    .venv-parity/bin/python bench/tokenizer_bench.py [--build build/release] [--pairs 3]

The text is made of this machine's headers, python sources and documentation. Prints one JSON
object: seconds and MB/s of each side, and the ratios (above 1: ours is faster).
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402  (reads the environment when it is imported)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402

ROOTS = ("/usr/include", "/usr/lib/python3", "/usr/share/doc")
VOCABULARY = 8192


def machine_text(size_bytes):
    parts, total = [], 0
    for root in ROOTS:
        for path in sorted(pathlib.Path(root).rglob("*")):
            if path.suffix not in (".h", ".hpp", ".py", ".txt") and path.name != "copyright":
                continue
            if not path.is_file():
                continue
            parts.append(path.read_bytes().decode("utf-8", errors="ignore").replace("\r", ""))
            total += len(parts[-1].encode())
            if total >= size_bytes:
                return "".join(parts).encode()[:size_bytes].decode("utf-8", errors="ignore")
    raise SystemExit(f"this machine has only {total} bytes of text below {', '.join(ROOTS)}")


def train_theirs(lines):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    begin = time.perf_counter()
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer, time.perf_counter() - begin


def encode_theirs(tokenizer, lines):
    begin = time.perf_counter()
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch_fast(lines))
    return tokens, time.perf_counter() - begin


class Ours:
    def __init__(self, build, text_path):
        self.process = subprocess.Popen([f"{build}/bench/bench_tokenizer", text_path], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def summary(megabytes, ours, theirs):
    return {"ours_seconds": round(statistics.median(ours), 3),
            "theirs_seconds": round(statistics.median(theirs), 3),
            "ours_mb_per_second": round(megabytes / statistics.median(ours), 2),
            "theirs_mb_per_second": round(megabytes / statistics.median(theirs), 2),
            "ratio": round(statistics.median(t / o for o, t in zip(ours, theirs)), 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    text = machine_text(int(options.megabytes * 1e6))
    lines = [line + "\n" for line in text.split("\n")[:-1]] + [text.split("\n")[-1]]
    times = {"train": ([], []), "encode": ([], [])}
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "text"
        path.write_bytes(text.encode())
        ours = Ours(options.build, path)
        for _ in range(options.pairs):
            times["train"][0].append(ours.ask(f"train {VOCABULARY}")["seconds"])
            tokenizer, seconds = train_theirs(lines)
            times["train"][1].append(seconds)
        tokenizer.save(f"{scratch}/tokenizer.json")
        for _ in range(options.pairs):
            mine = ours.ask(f"encode {scratch}/tokenizer.json")
            times["encode"][0].append(mine["seconds"])
            tokens, seconds = encode_theirs(tokenizer, lines)
            times["encode"][1].append(seconds)
            if tokens != mine["tokens"]:
                raise SystemExit(f"{mine['tokens']} tokens, the peer gives {tokens}")
        ours.close()
    print(json.dumps({"bench": "tokenizer", "peer": f"tokenizers {tokenizers.__version__}",
                      "threads": 1, "megabytes": options.megabytes, "pairs": options.pairs,
                      **{name: summary(options.megabytes, *pair)
                         for name, pair in times.items()}}, indent=2))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Our tokenizer beside Hugging Face tokenizers, in turns: training on one thread; encoding on one
thread and on two, each side's own batch call over the lines of several texts, nothing remembered.

    .venv-parity/bin/python bench/tokenizer_bench.py [--build build/release] [--pairs 3]

The texts are this machine's documentation, its sources and its translations (Korean, Chinese,
Japanese, Cyrillic, Arabic, ...), and noise in which no piece comes twice. The tokenizers: GPT-2 and
Qwen3 (where ../shared has them), and others of each kind, trained here: Llama 3's pattern, Llama
2's byte fallback, Metaspace, digits one by one. Prints one JSON object: MB/s of each side and the
ratios (above 1: ours is faster); `worst` is the text with the least.
"""

import argparse
import base64
import gettext
import gzip
import json
import os
import pathlib
import random
import statistics
import string
import subprocess
import sys
import tempfile
import time

PEER_THREADS = sys.argv[2] if sys.argv[1:2] == ["--peer"] else "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false" if PEER_THREADS == "1" else "true"
os.environ["RAYON_NUM_THREADS"] = PEER_THREADS

import tokenizers  # noqa: E402  (reads the environment when it is imported)
from tokenizers import Regex, Tokenizer, decoders, models, normalizers  # noqa: E402
from tokenizers import pre_tokenizers, trainers  # noqa: E402

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data" / "tokenizers"
LANGUAGES = ("ko", "zh_CN", "ja", "ru", "uk", "ar", "he", "hi", "th", "el", "vi", "tr")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
VOCABULARY = 8192
GOALS = ("gpt2", "qwen3")  # measured `--pairs` times; the others once


def files_of(roots, suffixes, size_bytes):
    """The beginnings of files, so that no one of them is much of the text."""
    parts, total = [], 0
    for root in roots:
        for path in sorted(pathlib.Path(root).rglob("*")):
            if path.suffix not in suffixes and path.name not in suffixes or not path.is_file():
                continue
            parts.append(path.read_bytes()[:60_000].decode(errors="ignore").replace("\r", ""))
            total += len(parts[-1].encode())
            if total >= size_bytes:
                break
    return "".join(parts)


def translations(size_bytes):
    parts = []
    for language in LANGUAGES:
        texts, total = {}, 0  # a dict keeps the order and drops what comes twice
        for path in sorted(pathlib.Path("/usr/share/locale").glob(f"{language}/LC_MESSAGES/*.mo")):
            try:
                with open(path, "rb") as file:
                    catalog = gettext.GNUTranslations(file)._catalog
            except (OSError, UnicodeDecodeError, ValueError):
                continue
            for text in catalog.values():
                if isinstance(text, str) and not text.isascii() and text not in texts:
                    texts[text] = None
                    total += len(text.encode())
            if total > size_bytes / len(LANGUAGES):
                break
        parts.append("\n".join(texts).encode()[:size_bytes // len(LANGUAGES)])
    return b"\n".join(parts).decode(errors="ignore").replace("\r", "")


def noise(size_bytes):
    """Base64, letters and characters of all scripts, a line of each in turn."""
    draw = random.Random(20261121)
    scripts = [(0xAC00, 0xD7A4), (0x4E00, 0x9FA6), (0x410, 0x450), (0x5D0, 0x5EB), (0x904, 0x93A),
               (0x1F300, 0x1F650), (0xC0, 0x250)]
    lines, total = [], 0
    while total < size_bytes:
        first, last = draw.choice(scripts)
        words = ("".join(draw.choices(string.ascii_lowercase, k=draw.randrange(1, 14)))
                 for _ in range(10))
        lines += [base64.b64encode(draw.randbytes(57)).decode(), " ".join(words),
                  "".join(chr(draw.randrange(first, last)) for _ in range(30))]
        total += sum(len(line.encode()) for line in lines[-3:])
    return "\n".join(lines)


def texts_of_this_machine(size_bytes):
    sources = files_of(("/usr/include/c++", "/usr/lib/python3", "/usr/include"),
                       (".h", ".hpp", ".py"), size_bytes)
    english = files_of(("/usr/share/doc", "/usr/lib/python3", "/usr/share"),
                       (".txt", ".md", ".rst", "README", "copyright"), size_bytes)
    texts = {"english": english, "code": sources, "translations": translations(size_bytes),
             "noise": noise(size_bytes)}
    cut = {name: text.encode()[:size_bytes].decode(errors="ignore") for name, text in texts.items()}
    # A bare machine has no translations.
    return {name: text for name, text in cut.items() if len(text) > 100_000}


def lines_of(text):
    return [line + "\n" for line in text.split("\n")[:-1]] + [text.split("\n")[-1]]


class Side:
    """A program that answers a line with a line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def peer():
    """The other side of encoding: a tokenizer's path and a text's on a line."""
    for command in sys.stdin:
        tokenizer_path, text_path = command.split()
        tokenizer = Tokenizer.from_file(tokenizer_path)
        lines = lines_of(pathlib.Path(text_path).read_bytes().decode())
        begin = time.perf_counter()
        encodings = tokenizer.encode_batch_fast(lines, add_special_tokens=False)
        seconds = time.perf_counter() - begin
        print(json.dumps({"tokens": sum(len(encoding.ids) for encoding in encodings),
                          "seconds": seconds}), flush=True)


def train(lines, pre_tokenizer, **options):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, show_progress=False, **options)
    begin = time.perf_counter()
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer, time.perf_counter() - begin


def byte_level(use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def train_theirs(lines, pre_tokenizer=None):
    return train(lines, pre_tokenizer or byte_level(), min_frequency=2,
                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def save_with_byte_fallback(lines, scratch):
    """Llama 2's kind, which cuts nothing, and one that cuts at white space."""
    tokenizer, _ = train(lines, pre_tokenizers.Metaspace(), limit_alphabet=2000,
                         special_tokens=["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)])
    root = json.loads(tokenizer.to_str())
    root["added_tokens"] = []
    root["model"].update(byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    (scratch / "metaspace.json").write_text(json.dumps(root))
    root["pre_tokenizer"] = None
    root["normalizer"] = json.loads(normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]).__getstate__())
    (scratch / "byte_fallback.json").write_text(json.dumps(root))


def save_tokenizers(lines, scratch):
    """Files by name: those of GOALS first."""
    if (SHARED / "gpt2").exists():
        gpt2 = Tokenizer(models.BPE.from_file(str(SHARED / "gpt2" / "vocab.json"),
                                              str(SHARED / "gpt2" / "merges.txt")))
        gpt2.pre_tokenizer = byte_level()
        gpt2.save(str(scratch / "gpt2.json"))
    if (SHARED / "qwen3").exists():
        (scratch / "qwen3.json").write_bytes(
            gzip.decompress((SHARED / "qwen3" / "tokenizer.json.gz").read_bytes()))
    split = pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated")
    llama3 = pre_tokenizers.Sequence([split, byte_level(use_regex=False)])
    train_theirs(lines, llama3)[0].save(str(scratch / "llama3_pattern.json"))
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), byte_level()])
    train_theirs(lines, digits)[0].save(str(scratch / "digits.json"))
    save_with_byte_fallback(lines, scratch)
    names = (*GOALS, "llama3_pattern", "byte_fallback", "metaspace", "digits")
    return {name: scratch / f"{name}.json" for name in names
            if (scratch / f"{name}.json").exists()}


def time_training(ours, text, path, pairs):
    times = ([], [])
    for _ in range(pairs):
        times[0].append(ours.ask(f"train {VOCABULARY} {path}")["seconds"])
        times[1].append(train_theirs(lines_of(text))[1])
    return {"megabytes": len(text.encode()) / 1e6,
            "ours_seconds": round(statistics.median(times[0]), 3),
            "theirs_seconds": round(statistics.median(times[1]), 3),
            "ratio": round(statistics.median(t / o for o, t in zip(*times)), 2)}


def time_encoding(ours, theirs, threads, tokenizer, texts, pairs):
    """`texts`: size in MB by path."""
    rows = {}
    for path, megabytes in texts.items():
        pair_times = []
        for _ in range(pairs):
            mine = ours.ask(f"encode {threads} {tokenizer} {path}")
            their = theirs.ask(f"{tokenizer} {path}")
            if mine["tokens"] != their["tokens"]:
                raise SystemExit(f"{tokenizer.stem} on {path.stem}: {mine['tokens']} tokens, the "
                                 f"peer gives {their['tokens']}")
            pair_times.append((mine["seconds"], their["seconds"]))
        mine, their = (statistics.median(times) for times in zip(*pair_times))
        rows[path.stem] = {"megabytes": megabytes, "ours_seconds": mine, "theirs_seconds": their,
                           "ratio": round(statistics.median(t / o for o, t in pair_times), 2)}
    total = sum(texts.values())
    seconds = [sum(row[side] for row in rows.values())
               for side in ("ours_seconds", "theirs_seconds")]
    worst = min(rows, key=lambda name: rows[name]["ratio"])
    return {"tokenizer": tokenizer.stem, "threads": threads,
            "ours_mb_per_second": round(total / seconds[0], 2),
            "theirs_mb_per_second": round(total / seconds[1], 2),
            "ratio": round(seconds[1] / seconds[0], 2),
            "worst": {"text": worst, "ratio": rows[worst]["ratio"]},
            "mb_per_second_by_text": {
                name: [round(row["megabytes"] / row[side], 2)
                       for side in ("ours_seconds", "theirs_seconds")]
                for name, row in rows.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--megabytes", type=float, default=1, help="of each text")
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    result = {"bench": "tokenizer", "peer": f"tokenizers {tokenizers.__version__}",
              "pairs": options.pairs, "encode": []}
    with tempfile.TemporaryDirectory() as directory:
        scratch = pathlib.Path(directory)
        texts = {}
        for name, text in texts_of_this_machine(int(options.megabytes * 1e6)).items():
            path = scratch / f"{name}.txt"
            path.write_bytes(text.encode())
            texts[path] = len(text.encode()) / 1e6
        all_text = "\n".join(path.read_bytes().decode() for path in texts)
        (scratch / "all").write_bytes(all_text.encode())
        ours = Side(f"{options.build}/bench/bench_tokenizer")
        result["train"] = time_training(ours, all_text, scratch / "all", options.pairs)
        files = save_tokenizers(lines_of(all_text)[::4], scratch)
        for threads in (1, 2):
            theirs = Side(sys.executable, __file__, "--peer", str(threads))
            for name, file in files.items():
                result["encode"].append(time_encoding(ours, theirs, threads, file, texts,
                                                      options.pairs if name in GOALS else 1))
            theirs.close()
        ours.close()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer()
    else:
        main()

"""Rows of real reviews in the form that a chat model reads, for the jobs of pipeline.yaml.

    python3 examples/smollm2/prepare.py RAW_DIRECTORY OUT_DIRECTORY

RAW_DIRECTORY is that of `scripts/fetch-data demo`: sentences of film and product reviews that
people rated from -4 to 4. Every choice is deterministic.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "demo"))

from prepare import as_continuation, fnv1a64, read_paragraphs, read_snippets, write  # noqa: E402

SFT_TRAIN, SFT_HELD_OUT = 150, 40
PAIRS_TRAIN, PAIRS_HELD_OUT = 80, 20
PPO_PROMPTS = 24
TEXTS = 24
LONGEST_WORDS = 40
GOOD, BAD = 1.5, -1.5  # ratings of a pair's two sides lie beyond these


def mixed(rows, salt):
    """In an order that is the same everywhere and knows nothing of the rows."""
    return sorted(rows, key=lambda row: fnv1a64(f"{salt}:{row['text']}"))


def task(row):
    """A review's beginning as a request, and the rest of it."""
    cut = as_continuation(row)
    beginning = cut["prompt"].removeprefix("continue: ")
    return (f"Continue this {row['domain']} review: {beginning}", cut["response"].strip())


def sft_rows(snippets, split, count):
    films = [r for r in snippets if r["split"] == split and r["domain"] == "film"]
    return [dict(zip(("prompt", "response"), task(r))) for r in mixed(films, "sft")[:count]]


def pair_rows(snippets, split, count):
    """A good and a bad sentence under one request: which the people preferred is known."""
    rows = []
    for domain in ("film", "product"):
        here = [r for r in snippets if r["split"] == split and r["domain"] == domain]
        good = mixed([r for r in here if r["rating"] > GOOD], "good")
        bad = mixed([r for r in here if r["rating"] < BAD], "bad")
        rows += [{"prompt": f"Write one sentence of a {domain} review.", "chosen": g["text"],
                  "rejected": b["text"]} for g, b in zip(good[:count // 2], bad[:count // 2])]
    return rows


def main():
    raw, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    snippets = [r for r in read_snippets(raw) if len(r["text"].split(" ")) <= LONGEST_WORDS]
    write(out / "sft-train.jsonl", sft_rows(snippets, "train", SFT_TRAIN))
    write(out / "sft-held-out.jsonl", sft_rows(snippets, "test", SFT_HELD_OUT))
    write(out / "pairs-train.jsonl", pair_rows(snippets, "train", PAIRS_TRAIN))
    write(out / "pairs-held-out.jsonl", pair_rows(snippets, "test", PAIRS_HELD_OUT))
    write(out / "ppo-prompts.jsonl", sft_rows(snippets, "valid", PPO_PROMPTS))
    texts = mixed([{"text": text} for text in read_paragraphs(raw)], "text")
    write(out / "texts.jsonl", texts[:TEXTS])
    for name, count in (("sft-train", SFT_TRAIN), ("pairs-train", PAIRS_TRAIN),
                        ("ppo-prompts", PPO_PROMPTS)):
        found = len((out / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
        if found != count:
            raise SystemExit(f"{name}.jsonl has {found} rows, expected {count}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes the small data set that the specs of this directory read as root://data/...

    python3 examples/specs/sample_data.py DIRECTORY

A few hundred made-up sentences about films, rated by the words in them: enough for every kind of
job to run within seconds, not for a good model. The same files every time. What each format means:
docs/data.md.
"""

import json
import pathlib
import random
import sys

OPENINGS = ("the film", "this story", "the second half", "her first novel", "the long ending",
            "a small part of it", "the music", "their new play")
VERBS = ("is", "was", "seems", "feels", "turns out", "becomes")
GOOD = ("warm", "funny", "clever", "moving", "bright", "a quiet joy", "a fine surprise")
BAD = ("dull", "clumsy", "cold", "far too long", "a tired copy", "hard to like")
LINKS = ("and", "but also", "and at times", "yet")
ROWS = {"": 400, "-valid": 40}


def sentence(draw):
    """(opening, rest, rating from -4 to 4)."""
    words = [draw.choice(GOOD if draw.random() < 0.5 else BAD) for _ in range(2)]
    rating = sum(2 if word in GOOD else -2 for word in words)
    opening = f"{draw.choice(OPENINGS)} {draw.choice(VERBS)}"
    return opening, f" {words[0]} {draw.choice(LINKS)} {words[1]}.", rating


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for split, count in ROWS.items():
        draw = random.Random(f"sample{split}")
        sentences = [sentence(draw) for _ in range(count)]
        write(out / f"text{split}.jsonl", ({"text": a + b} for a, b, _ in sentences))
        write(out / f"sft{split}.jsonl",
              ({"prompt": f"continue: {a}", "response": b} for a, b, _ in sentences))
        write(out / f"rated{split}.jsonl",
              ({"prompt": f"continue: {a}", "response": b, "score": rating, "group": "film"}
               for a, b, rating in sentences))
        write(out / f"judged{split}.jsonl",
              ({"sentence": a + b, "choices": ["good", "mixed", "bad"],
                "verdict": "good" if rating > 0 else "bad" if rating < 0 else "mixed"}
               for a, b, rating in sentences))
    print(f"{out}: text, sft, rated and judged rows, {ROWS[''] + ROWS['-valid']} of each")


if __name__ == "__main__":
    main()

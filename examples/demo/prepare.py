"""Turns the fetched ratings and novels into the JSONL files that the demo's jobs read.

    python3 examples/demo/prepare.py RAW_DIRECTORY OUT_DIRECTORY

Every choice here is deterministic; the counts that must come out are checked at the end. What the
files mean: examples/demo/README.md.
"""

import gzip
import html
import json
import pathlib
import re
import struct
import sys

DOMAINS = (("film", "movieReviewSnippets"), ("product", "amazonReviewSnippets"),
           ("editorial", "nytEditorialSnippets"), ("tweet", "tweets"))
# What the published files give; another count means that cleaning or splitting went wrong.
EXPECTED = {
    "film": (8338, 495, 994), "product": (2745, 143, 248),
    "editorial": (4137, 149, 417), "tweet": (2810, 164, 359),
}
EXPECTED_PARAGRAPHS = 7094
QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
                        "\u2026": "..."})


def fnv1a64(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def clean(text, novel=False):
    text = html.unescape(html.unescape(text)).lower().translate(QUOTES)
    text = re.sub(r"https?://\S+", "", text)
    text = text.replace("''", '"').replace("``", '"')
    if novel:
        text = text.replace("_", "")
    text = re.sub(r"[\s\u00a0]+", " ", text).strip()
    return re.sub(r" ([.,!?;:%)\]])", r"\1", text)


def split_of(domain, key, document):
    name = document if domain in ("product", "editorial") else key
    bucket = fnv1a64(f"{domain}:{name}") % 100
    return "train" if bucket < 85 else "valid" if bucket < 90 else "test"


def read_snippets(raw):
    """Rows {domain, split, rating, text}, each text once, at least seven words."""
    seen, rows = set(), []
    for domain, name in DOMAINS:
        source = (raw / f"{name}_GroundTruth.txt").read_text(encoding="utf-8")
        for line in source.split("\n"):
            parts = line.rstrip("\r").split("\t", 2)
            if len(parts) < 3:
                continue
            identity, rating, text = parts
            text = clean(text)
            key = re.sub(r"[^a-z0-9]", "", text)
            if key in seen:
                continue
            seen.add(key)
            if len(text.split(" ")) < 7:
                continue
            rows.append({"domain": domain, "rating": float(rating), "text": text,
                         "split": split_of(domain, key, identity.rsplit("_", 1)[0])})
    return rows


def read_lines_of_rda(path):
    """The strings of an R data file of character vectors: CHARSXP records, in order."""
    blob = gzip.decompress(path.read_bytes())
    position = 0
    while True:
        position = blob.find(b"\x00\x04", position)
        if position < 0 or position + 8 > len(blob):
            return
        if blob[position + 3] == 9:
            length = struct.unpack(">i", blob[position + 4:position + 8])[0]
            if 0 <= length < 400 and position + 8 + length <= len(blob):
                yield blob[position + 8:position + 8 + length].decode("utf-8", "replace")
                position += 8 + length
                continue
        position += 1


def read_paragraphs(raw):
    kept, seen, paragraph, previous = [], set(), [], None

    def finish():
        text = clean(" ".join(paragraph), novel=True)
        if len(text.split(" ")) >= 12 and len(text) <= 4000 and text not in seen:
            seen.add(text)
            kept.append(text)
        paragraph.clear()

    for line in read_lines_of_rda(raw / "books.rda"):
        if line == previous and line != "":
            continue  # the title column repeats on every row
        previous = line
        if line.strip() == "":
            finish()
        else:
            paragraph.append(line)
    finish()
    return kept


def as_continuation(row):
    """The snippet cut after its first 4 to 6 words: what the model sees and what it must say."""
    words = row["text"].split(" ")
    first = min(4 + fnv1a64("cut:" + row["text"]) % 3, len(words) - 3)
    return {"prompt": "continue: " + " ".join(words[:first]),
            "response": " " + " ".join(words[first:])}


def with_shuffled_scores(rows):
    """The same rows, every score that of another row: a control (controls.yaml)."""
    shuffled = sorted(rows, key=lambda row: fnv1a64("shuffle:" + row["prompt"] + row["response"]))
    return [{**row, "score": other["score"]} for row, other in zip(rows, shuffled)]


def write(path, rows):
    with path.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def check_counts(snippets, paragraphs):
    counts = {domain: tuple(sum(r["domain"] == domain and r["split"] == split for r in snippets)
                            for split in ("train", "valid", "test")) for domain in EXPECTED}
    if counts != EXPECTED or len(paragraphs) != EXPECTED_PARAGRAPHS:
        raise SystemExit(f"unexpected counts: snippets {counts}, expected {EXPECTED}; "
                         f"paragraphs {len(paragraphs)}, expected {EXPECTED_PARAGRAPHS}")


def main():
    raw, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    snippets, paragraphs = read_snippets(raw), read_paragraphs(raw)
    check_counts(snippets, paragraphs)
    novels = {"train": [], "valid": []}
    for text in paragraphs:
        novels["train" if fnv1a64(text) % 100 < 97 else "valid"].append({"text": text})
    for split in ("train", "valid"):
        write(out / f"snippets-{split}.jsonl",
              ({"text": r["text"]} for r in snippets if r["split"] == split))
        write(out / f"novels-{split}.jsonl", novels[split])
    write(out / "novels-tokenizer.jsonl", novels["train"][:2000])
    for split in ("train", "valid", "test"):
        reviews = [r for r in snippets
                   if r["split"] == split and r["domain"] in ("film", "product")]
        rows = [{**as_continuation(r), "score": r["rating"], "group": r["domain"]}
                for r in reviews]
        write(out / f"reviews-{split}.jsonl", rows)
        if split == "train":
            write(out / "reviews-train-shuffled.jsonl", with_shuffled_scores(rows))
    for name in ("en-sentiment.xml", "polarity-lee1.csv"):
        (out / name).write_bytes((raw / name).read_bytes())


if __name__ == "__main__":
    main()

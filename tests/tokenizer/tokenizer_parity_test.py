"""Our tokenizer against Hugging Face tokenizers: the same ids, the same merges, the same files."""

import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TOOL = pathlib.Path(os.environ["TRAINYARD_TEST_DIR"]) / "tokenizer_parity_tool"
SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tokenizers"
GPT2 = SHARED / "gpt2"
SPECIALS = ["<|pad|>", "<|user|>", "<|end|>"]


def text_files(limit_bytes):
    """English and code of this machine, cut into documents of a few KB."""
    documents, total = [], 0
    for root in ("/usr/include", "/usr/share/doc", "/usr/lib/python3"):
        for path in sorted(pathlib.Path(root).rglob("*")):
            if path.suffix not in (".h", ".txt", ".py") and path.name != "copyright":
                continue
            if not path.is_file():
                continue
            text = path.read_bytes()[:20000].decode("utf-8", errors="replace")
            documents.append(text)
            total += len(text)
            if total > limit_bytes:
                return documents
    return documents


def generated(count, seed=1):
    """Korean, emoji, control characters, white space of all kinds, look-alikes of specials."""
    draw = random.Random(seed)
    pools = [
        lambda: "".join(chr(draw.randrange(0xAC00, 0xD7A4)) for _ in range(draw.randrange(1, 6))),
        lambda: chr(draw.randrange(0x1F300, 0x1F6FF)) + draw.choice(["", "\u200d", "\ufe0f", "🏽"]),
        lambda: chr(draw.randrange(0, 32)) + chr(draw.randrange(127, 160)),
        lambda: draw.choice([" ", "  ", "\n", "\t", "\r\n"]),
        lambda: draw.choice(["\u00a0", "\u3000", "\u2028", "\u180e"]),
        lambda: draw.choice(["<|endoftext|>", "<|end|>", "<|", "|>", "<|pad|>"]),
        lambda: draw.choice(["don't", "'LL", "we'll", "'s", "it''s", "I'm'd"]),
        lambda: str(draw.randrange(10 ** draw.randrange(1, 12))),
        lambda: chr(draw.randrange(0x21, 0xD7FF)),
        lambda: "".join(draw.choice("abcdefgh eiou") for _ in range(draw.randrange(1, 12))),
    ]
    return ["".join(draw.choice(pools)() for _ in range(draw.randrange(1, 60)))
            for _ in range(count)]


def pack(documents):
    encoded = [document.encode("utf-8") for document in documents]
    return b"".join(struct.pack("<I", len(data)) + data for data in encoded)


def unpack_ids(data):
    ids, at = [], 0
    while at < len(data):
        (count,) = struct.unpack_from("<I", data, at)
        ids.append(numpy.frombuffer(data, dtype="<i4", count=count, offset=at + 4).tolist())
        at += 4 + 4 * count
    return ids


class TokenizerParityTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def ours(self, verb, tokenizer, documents):
        (self.scratch / "documents").write_bytes(pack(documents))
        subprocess.run([TOOL, verb, tokenizer, self.scratch / "documents", self.scratch / "ids"],
                       check=True)
        return unpack_ids((self.scratch / "ids").read_bytes())

    def assert_same_ids(self, documents, ours, theirs):
        self.assertEqual(len(ours), len(documents))
        for document, our_ids, their_ids in zip(documents, ours, theirs):
            self.assertEqual(our_ids, their_ids, repr(document[:200]))

    def gpt2(self):
        if not GPT2.exists():
            self.skipTest(f"{GPT2} is not on this machine")
        tokenizer = Tokenizer(models.BPE.from_file(str(GPT2 / "vocab.json"),
                                                   str(GPT2 / "merges.txt")))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer

    def test_gpt2_gives_the_same_ids_on_text_of_all_kinds(self):
        theirs = self.gpt2()
        documents = text_files(3_000_000) + generated(5_000)
        self.assertGreater(sum(len(document.encode()) for document in documents), 3_000_000)
        self.assert_same_ids(documents, self.ours("encode", GPT2, documents),
                             [theirs.encode(document).ids for document in documents])

    def test_a_converted_gpt2_parses_its_special_token_as_hugging_face_does(self):
        self.gpt2()
        file = self.scratch / "tokenizer.json"
        subprocess.run([TOOL, "convert", GPT2, file], check=True)
        theirs = Tokenizer.from_file(str(file))
        self.assertEqual(theirs.token_to_id("<|endoftext|>"), 50256)
        documents = generated(3_000, seed=2)
        self.assert_same_ids(documents, self.ours("encode-added", file, documents),
                             [theirs.encode(document).ids for document in documents])

    def train_theirs(self, documents, size):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size, min_frequency=2, special_tokens=SPECIALS, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(documents, trainer)
        return tokenizer

    def test_training_learns_the_same_vocabulary_and_merges(self):
        documents = text_files(1_500_000) + generated(2_000, seed=3)
        (self.scratch / "text").write_bytes(pack(documents))
        file = self.scratch / "tokenizer.json"
        subprocess.run([TOOL, "train", "2000", self.scratch / "text", file, *SPECIALS], check=True)
        ours = json.loads(file.read_text())["model"]
        theirs = json.loads(self.train_theirs(documents, 2000).to_str())["model"]
        self.assertEqual(ours["vocab"], theirs["vocab"])
        their_merges = [merge if isinstance(merge, str) else " ".join(merge)
                        for merge in theirs["merges"]]
        self.assertEqual(ours["merges"], their_merges)

    def test_each_side_loads_the_file_of_the_other(self):
        documents = text_files(200_000) + generated(500, seed=4)
        theirs = self.train_theirs(documents, 800)
        file = self.scratch / "theirs.json"
        theirs.save(str(file))
        self.assert_same_ids(documents, self.ours("encode-added", file, documents),
                             [theirs.encode(document).ids for document in documents])
        copy = self.scratch / "ours.json"
        subprocess.run([TOOL, "convert", file, copy], check=True)
        again = Tokenizer.from_file(str(copy))
        self.assert_same_ids(documents, [again.encode(document).ids for document in documents],
                             [theirs.encode(document).ids for document in documents])
        fast = PreTrainedTokenizerFast(tokenizer_file=str(copy))
        text = "hello <|end|> wörld 안녕"
        self.assertEqual(fast.encode(text), theirs.encode(text).ids)
        self.assertEqual(fast.decode(fast.encode(text)), text)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))

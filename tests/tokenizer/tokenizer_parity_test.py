"""Our tokenizer against Hugging Face tokenizers: the same ids, the same merges, the same files.

TRAINYARD_PARITY_MEGABYTES is how much text each of the published tokenizers encodes (default 2).
"""

import gettext
import gzip
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

import hostile_text
import numpy
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TOOL = pathlib.Path(os.environ["TRAINYARD_TEST_DIR"]) / "tokenizer_parity_tool"
SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tokenizers"
GPT2 = SHARED / "gpt2"
QWEN3 = SHARED / "qwen3" / "tokenizer.json.gz"
MEGABYTES = float(os.environ.get("TRAINYARD_PARITY_MEGABYTES", "2"))
LANGUAGES = ("ko", "ja", "zh_CN", "ru", "ar", "he", "hi", "th", "vi", "el")
CLASSES = ([rf"\p{{{name}}}" for name in (
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "P", "S", "Z", "C", "Cf",
    "Alphabetic", "White_Space", "Han", "Hangul", "Hiragana", "Katakana", "Latin", "Greek",
    "Extended_Pictographic", "Emoji")] + [r"\w", r"\s", r"\d", "[[:alpha:]]", "[[:alnum:]]"])
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


def translations(limit_bytes):
    """What this machine's programs say in other languages, where their translations are here."""
    documents = []
    for language in LANGUAGES:
        total = 0
        for path in sorted(pathlib.Path("/usr/share/locale").glob(f"{language}/LC_MESSAGES/*.mo")):
            if total > limit_bytes / len(LANGUAGES):
                break
            try:
                with open(path, "rb") as file:
                    catalog = gettext.GNUTranslations(file)._catalog
            except (OSError, UnicodeDecodeError, ValueError):
                continue
            documents.append("\n".join(text for text in catalog.values() if isinstance(text, str)))
            total += len(documents[-1].encode())
    return documents


def pack(documents):
    encoded = [document if isinstance(document, bytes) else document.encode("utf-8")
               for document in documents]
    return b"".join(struct.pack("<I", len(data)) + data for data in encoded)


def pack_ids(rows):
    return b"".join(struct.pack("<I", len(row)) + numpy.array(row, dtype="<i4").tobytes()
                    for row in rows)


def unpack(data):
    texts, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4:at + 4 + size].decode("utf-8"))
        at += 4 + size
    return texts


def unpack_ids(data):
    ids, at = [], 0
    while at < len(data):
        (count,) = struct.unpack_from("<I", data, at)
        ids.append(numpy.frombuffer(data, dtype="<i4", count=count, offset=at + 4).tolist())
        at += 4 + 4 * count
    return ids


class ParityCase(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def ours(self, verb, tokenizer, documents):
        (self.scratch / "documents").write_bytes(pack(documents))
        subprocess.run([TOOL, verb, tokenizer, self.scratch / "documents", self.scratch / "ids"],
                       check=True)
        return unpack_ids((self.scratch / "ids").read_bytes())

    def our_texts(self, verb, tokenizer, ids):
        (self.scratch / "ids").write_bytes(pack_ids(ids))
        subprocess.run([TOOL, verb, tokenizer, self.scratch / "ids", self.scratch / "texts"],
                       check=True)
        return unpack((self.scratch / "texts").read_bytes())


class TokenizerParityTest(ParityCase):
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

    def qwen3(self):
        if not QWEN3.exists():
            self.skipTest(f"{QWEN3} is not on this machine")
        file = self.scratch / "qwen3.json"
        file.write_bytes(gzip.decompress(QWEN3.read_bytes()))
        return file

    def assert_same_on_all_kinds(self, tokenizer, theirs):
        """English and code, other languages, hostile text, and lines as long as files."""
        specials = [token.content for token in theirs.get_added_tokens_decoder().values()]
        documents = text_files(int(MEGABYTES * 0.4e6)) + translations(int(MEGABYTES * 0.2e6))
        seed = 0
        while sum(len(document.encode()) for document in documents) < MEGABYTES * 1e6:
            seed += 1
            documents += hostile_text.documents(1_000, seed, specials)
        draw = random.Random(7)
        documents += [draw.choice(documents)[:9] * 20_000, "가" * 100_000, "a" * 100_000,
                      " " * 300_000 + "x", "".join(documents[-1_000:]).replace("\n", " ")]
        ids = [theirs.encode(document, add_special_tokens=False).ids for document in documents]
        self.assert_same_ids(documents, self.ours("encode-added", tokenizer, documents), ids)
        texts = [theirs.decode(row, skip_special_tokens=False) for row in ids]
        self.assertEqual(self.our_texts("stream", tokenizer, ids), texts)

    def test_gpt2_gives_the_same_ids_on_text_of_all_kinds(self):
        theirs = self.gpt2()
        theirs.add_special_tokens(["<|endoftext|>"])
        self.assert_same_on_all_kinds(GPT2, theirs)

    def test_qwen3_gives_the_same_ids_on_text_of_all_kinds(self):
        file = self.qwen3()
        self.assert_same_on_all_kinds(file, Tokenizer.from_file(str(file)))

    def test_classes_of_patterns_hold_the_same_characters(self):
        """All of Unicode, of which each class is taken out. (What of a script PCRE2's older tables
        lack has no stand-in of its length in every script.)"""
        text = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
        documents = [text[at:at + 5_000] for at in range(0, 0x33000, 5_000)]
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate(alphabet)}, []))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(False, use_regex=False)
        file = self.scratch / "tokenizer.json"
        for name in CLASSES:
            with self.subTest(name):
                tokenizer.normalizer = normalizers.Replace(Regex(name), "")
                tokenizer.save(str(file))
                theirs = [encoding.ids for encoding in tokenizer.encode_batch_fast(documents)]
                self.assert_same_ids(documents, self.ours("encode-added", file, documents), theirs)

    def test_broken_bytes_give_the_ids_of_replacement_characters(self):
        draw = random.Random(11)
        documents = [hostile_text.broken_bytes(draw) for _ in range(2_000)]
        texts = [document.decode("utf-8", errors="replace") for document in documents]
        self.assertGreater(sum("\ufffd" in text for text in texts), 1_500)
        file = self.qwen3()
        gpt2 = self.gpt2()
        gpt2.add_special_tokens(["<|endoftext|>"])
        for tokenizer, theirs in ((GPT2, gpt2), (file, Tokenizer.from_file(str(file)))):
            self.assert_same_ids(documents, self.ours("encode-added", tokenizer, documents),
                                 [theirs.encode(text).ids for text in texts])

    def test_a_converted_gpt2_parses_its_special_token_as_hugging_face_does(self):
        self.gpt2()
        file = self.scratch / "tokenizer.json"
        subprocess.run([TOOL, "convert", GPT2, file], check=True)
        theirs = Tokenizer.from_file(str(file))
        self.assertEqual(theirs.token_to_id("<|endoftext|>"), 50256)
        documents = hostile_text.documents(3_000, 2)
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
        documents = text_files(1_500_000) + hostile_text.documents(2_000, 3)
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
        documents = text_files(200_000) + hostile_text.documents(500, 4)
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

"""Texts that a tokenizer may be wrong on, drawn by seed."""

import random
import unicodedata

WORDS = """
the quick brown fox don't it's we'LL I'M can'T über naïve café Straße ŒUVRE İstanbul ǅ ﬁn
안녕하세요 세계 日本語の文章 漢字 Привет мир שלום עולם مرحبا नमस्ते สวัสดี Ελληνικά
def foo(x): return x**2 if (x==1){x+=1;} #include <a.h> http://a.b/c?d=e&f <div class='a'>
""".split()
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " \n ", "\u00a0", "\u3000", "\u2028",
          "\u180e", "\u200b", "\x0b\x0c", "\x85", "        "]
SIGNS = ["...", "!?", "--", "_", "\"", "'", "\u2019s", "``", "$5", "%", "\\", "/", "@a", "=>",
         "\u2581", "\u2581\u2581", "\u0120", "\u010a", "\u00c3\u00a9", "<0x41>", "<0xE4>", "<unk>"]
LOOK_ALIKES = ["<|end|>", "<|end|", "|end|>", "<|END|>", "<|endoftext|>", "<|im_start|>", "<s>",
               "<S>", "</s>", "[MASK]", "[mask]", "mask", "<|end|><|end|>", "a<|end|>b", " <s> "]
MARKS = ["\u0301", "\u0323", "\u0300\u0323", "\u05b0", "\u0334", "\u1dfa", "\u0897", "\u20dd",
         "\ufe0f", "\u200d", "\u200c", "\u11a8", "\u1161", "\u3099"]
EMOJI = ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd",
         "\u2764\ufe0f", "\U0001f1f0\U0001f1f7", "\U0001fae8"]
FORMS = ["\u212b", "\u1e69", "\uac00", "\u1100\u1161\u11a8", "\ufb01", "\u00bd", "\u2460",
         "\u3392", "\uff21\uff42", "\u0958", "\u2126", "\u01c4", "\u00b2", "\u0132", "\u1f71"]


def character(draw):
    """Any character; the rarer half of them are those that few programs know."""
    while True:
        code = draw.choice([draw.randrange(0x20, 0x250), draw.randrange(0x250, 0x3000),
                            draw.randrange(0x3000, 0x10000), draw.randrange(0x10000, 0x20000),
                            draw.randrange(0x20000, 0x33000), draw.randrange(0x110000)])
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def piece(draw, specials):
    kind = draw.randrange(20)
    if kind < 5:
        return draw.choice(WORDS)
    if kind < 9:
        return draw.choice(SPACES)
    if kind == 9:
        return draw.choice(SIGNS)
    if kind == 10:
        return draw.choice(LOOK_ALIKES)
    if kind == 11 and specials:
        return draw.choice(specials)
    if kind == 12 and specials:
        token = draw.choice(specials)
        return draw.choice([token.upper(), token[1:], token[:-1], token + token, token.strip()])
    if kind == 13:
        return draw.choice("aeéo가") + "".join(draw.choices(MARKS, k=draw.randrange(1, 4)))
    if kind == 14:
        return draw.choice(EMOJI)
    if kind == 15:
        return draw.choice(FORMS)
    if kind == 16:
        return str(draw.randrange(10 ** draw.randrange(1, 14)))
    if kind == 17:
        return chr(draw.randrange(0, 32)) + chr(draw.randrange(127, 160))
    if kind == 18:
        return unicodedata.normalize(draw.choice(["NFC", "NFD", "NFKD"]), draw.choice(WORDS))
    return character(draw)


def document(draw, specials=(), pieces=None):
    pieces = draw.randrange(0, 40) if pieces is None else pieces
    return "".join(piece(draw, list(specials)) for _ in range(pieces))


def broken_bytes(draw):
    """Bytes that are nearly UTF-8."""
    data = bytearray(document(draw).encode())
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(data) + 1)
        if draw.randrange(2) and at < len(data):
            data[at] = draw.randrange(256)
        else:
            data[at:at] = bytes([draw.randrange(128, 256)])
    return bytes(data)


def documents(count, seed, specials=()):
    draw = random.Random(seed)
    return [document(draw, specials) for _ in range(count)]

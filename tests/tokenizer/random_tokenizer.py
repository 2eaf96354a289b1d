"""Tokenizers of Hugging Face's library with components drawn by seed, and tiny vocabularies."""

import json

import hostile_text
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import trainers

# Of published tokenizers, and with what else Oniguruma understands in its own way.
PATTERNS = [
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[一-龥぀-ゟ゠-ヿ]+", r"\p{N}{1,3}", r"\p{N}", r"\s?\p{L}+", r"\s+", r"\w+|[^\w\s]+", r"\d{2}?",
    r" ?[^(\s|[.,!?…。，、।۔،])]+", r"\b", r"x*", r"(?<=\d)(?=\D)", r"^.|.$", r"\h+",
    r"[[:alpha:]]+", r"(?<![A-Z])[A-Z]", r"\p{Han}|\p{Hangul}+", r"a|(?i)b|C", r"\n|\t",
    r"[\p{Lu}&]+", r"\p{^L}+",
]
STRINGS = [" ", "\n", "▁", "e", "the", ".", "''", "  "]


def shuffled_choice(draw, makers, most):
    return [draw.choice(makers)() for _ in range(draw.randrange(1, most + 1))]


# Where one of these puts text in before the first character, the library's ByteLevel takes that
# text twice for its prefix.
MAY_BE_EMPTY = {r"\b", r"x*", r"(?<=\d)(?=\D)"}


def pattern(draw):
    return Regex(draw.choice(PATTERNS)) if draw.randrange(3) else draw.choice(STRINGS)


def pattern_of_text(draw):
    regexes = [regex for regex in PATTERNS if regex not in MAY_BE_EMPTY]
    return Regex(draw.choice(regexes)) if draw.randrange(3) else draw.choice(STRINGS)


def normalizer(draw):
    makers = [normalizers.NFC, normalizers.NFD, normalizers.NFKC, normalizers.NFKD,
              normalizers.Lowercase, normalizers.ByteLevel,
              lambda: normalizers.Replace(pattern_of_text(draw),
                                          draw.choice(["▁", "", " ", "ab", "é"])),
              lambda: normalizers.Replace(" ", "▁"),
              lambda: normalizers.Prepend(draw.choice(["▁", " ", "xy"])),
              lambda: normalizers.Strip(left=draw.random() < .5, right=draw.random() < .5)]
    kind = draw.randrange(6)
    if kind < 2:
        return None
    if kind == 2:
        return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    if kind == 3:
        return normalizers.Sequence(shuffled_choice(draw, makers, 3))
    return draw.choice(makers)()


def metaspace(draw):
    return pre_tokenizers.Metaspace(
        replacement=draw.choice(["▁", "_"]), split=draw.random() < .7,
        prepend_scheme=draw.choice(["always", "first", "never"]))


def byte_level(draw):
    return pre_tokenizers.ByteLevel(add_prefix_space=draw.random() < .3,
                                    use_regex=draw.random() < .6)


def pre_tokenizer(draw):
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    makers = [lambda: byte_level(draw), lambda: metaspace(draw),
              lambda: pre_tokenizers.Digits(individual_digits=draw.random() < .5),
              pre_tokenizers.Whitespace, pre_tokenizers.WhitespaceSplit,
              lambda: pre_tokenizers.Split(pattern(draw), draw.choice(behaviors),
                                           invert=draw.random() < .3),
              lambda: pre_tokenizers.Split(pattern(draw), "isolated")]
    kind = draw.randrange(8)
    if kind == 0:
        return None
    if kind < 3:
        return draw.choice(makers)()
    if kind < 6:  # as most published ones: something, then bytes
        return pre_tokenizers.Sequence(shuffled_choice(draw, makers[2:], 2) + [byte_level(draw)])
    return pre_tokenizers.Sequence(shuffled_choice(draw, makers, 3))


def decoder(draw):
    makers = [decoders.ByteLevel, decoders.ByteFallback, decoders.Fuse,
              lambda: decoders.Replace(pattern(draw), draw.choice([" ", "", "x"])),
              lambda: decoders.Replace("▁", " "),
              lambda: decoders.Strip(draw.choice([" ", "▁", "a"]), draw.randrange(3), 0),
              lambda: decoders.Metaspace(prepend_scheme=draw.choice(["always", "first", "never"]))]
    kind = draw.randrange(6)
    if kind == 0:
        return None
    if kind == 1:
        return decoders.ByteLevel()
    if kind == 2:
        return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                  decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    if kind == 3:
        return draw.choice(makers)()
    return decoders.Sequence(shuffled_choice(draw, makers, 4))


def added_tokens(draw, normal):
    """Hugging Face's library takes any one of tokens with the same normal form, and finds an empty
    one everywhere: there are none."""
    contents = draw.sample(["<|end|>", "<|end|>x", "<s>", "</s>", "[MASK]", "mask", "  ", "\n\n",
                            "é", "▁", "Straße", "안녕", "e\u0301", "12", " a", "b ", "X", "x", "the"],
                           draw.randrange(0, 7))
    flag = lambda chance: draw.random() < chance  # noqa: E731
    tokens = [AddedToken(content, single_word=flag(.2), lstrip=flag(.2), rstrip=flag(.2),
                         normalized=flag(.4), special=flag(.5)) for content in contents]
    forms = [normal(token.content) for token in tokens]
    return [token for token, form in zip(tokens, forms)
            if not token.normalized or (form and forms.count(form) == 1)]


def template(draw, size):
    special = {"id": "<b>", "ids": [draw.randrange(size) for _ in range(draw.randrange(1, 3))]}
    special["tokens"] = ["t"] * len(special["ids"])
    text = {"Sequence": {"id": "A", "type_id": 0}}
    mark = {"SpecialToken": {"id": "<b>", "type_id": 0}}
    single = draw.choice([[mark, text], [text, mark], [mark, text, mark]])
    result = {"type": "TemplateProcessing", "single": single,
              "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
              "special_tokens": {"<b>": special}}
    if draw.randrange(2):
        byte_level_json = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
                           "use_regex": True}
        result = {"type": "Sequence", "processors": [byte_level_json, result]}
    return result


def or_none(call):
    """What the library gives; None where it panics."""
    try:
        return call()
    except BaseException as error:  # pylint: disable=broad-except
        if type(error).__name__ != "PanicException":
            raise
        return None


def trained(draw):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer(draw), pre_tokenizer(draw)
    alphabet = pre_tokenizers.ByteLevel.alphabet() if draw.randrange(2) else []
    trainer = trainers.BpeTrainer(vocab_size=draw.randrange(60, 700), show_progress=False,
                                  initial_alphabet=alphabet, min_frequency=1,
                                  max_token_length=draw.choice([None, 8]))
    texts = [hostile_text.document(draw, pieces=30) for _ in range(30)]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def make(draw):
    """The JSON of a tokenizer that Hugging Face's library loads."""
    tokenizer = None
    while tokenizer is None:  # some patterns are too much for its trainer
        tokenizer = or_none(lambda: trained(draw))
    tokenizer.decoder = decoder(draw)
    root = json.loads(tokenizer.to_str())
    model = root["model"]
    # Without some of its characters the vocabulary knows fewer texts.
    used = {side for merge in model["merges"] for side in merge}
    used |= {left + right for left, right in model["merges"]}
    for token in [token for token in model["vocab"] if token not in used]:
        if draw.random() < .1:
            del model["vocab"][token]
    extra = ["<unk>"] if draw.randrange(2) else []
    model["unk_token"] = extra[0] if extra else None
    if draw.randrange(2):
        model["byte_fallback"] = True
        missing = draw.randrange(2) and draw.randrange(256)
        extra += [f"<0x{byte:02X}>" for byte in range(256) if byte != missing]
    model["vocab"] = {token: index for index, token in enumerate([*extra, *model["vocab"]])}
    model["fuse_unk"] = draw.random() < .5
    model["ignore_merges"] = draw.random() < .3
    if draw.randrange(2):
        model["merges"] = [" ".join(merge) for merge in model["merges"]
                           if not any(" " in side for side in merge)]
    if draw.randrange(2):
        root["post_processor"] = template(draw, max(1, len(model["vocab"])))
    tokenizer = Tokenizer.from_str(json.dumps(root))
    normal = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    tokenizer.add_tokens(added_tokens(draw, normal))
    return tokenizer.to_str()

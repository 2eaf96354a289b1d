"""Decoding beside transformers, token for token in fp32: greedy and beams with penalties,
biases, masks and lengths, for random small models of every family; and the sampler's distributions
against transformers' logits processors.

On a real model: decoding_parity_test.py --model DIR --prompts FILE, a prompt a line (or JSONL with
"prompt"); [--new-tokens N]."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import torch
import transformers

from family_models import CASES, build

DRIVER = os.path.join(os.environ["TRAINYARD_TEST_DIR"], "rollout_parity_driver")
NEW_TOKENS = 16
PROMPT_LENGTHS = (1, 9, 33)

HEURISTIC, FIRST, NEVER = (("heuristic", False), ("first", True), ("never", "never"))


def beams(width, penalty=1.0, early=HEURISTIC, **more):
    return {"beams": (width, penalty, early), **more}


# What is asked of both sides; "end", "bias", ... are numbers of tokens, made ids by the model.
SETTINGS = {
    "greedy": {},
    "repetition penalty": {"repetition": 1.4, "ends": 1},
    "repetition reward": {"repetition": 0.8},
    "min tokens": {"min_tokens": 7, "ends": 3},
    "bias": {"biased": 4, "ends": 1},
    "bad words": {"forbidden": 5, "ends": 1},
    "allowed tokens": {"allowed": 12, "repetition": 1.3},
    "all of these": {"repetition": 1.2, "biased": 3, "forbidden": 4, "min_tokens": 5, "ends": 2},
    "beams of 2": beams(2, ends=1),
    "beams of 3, long": beams(3, 2.0, ends=2),
    "beams of 4, short": beams(4, -1.0, ends=2),
    "beams of 5, no penalty": beams(5, 0.0, ends=1),
    "beams of 3, first": beams(3, 1.0, FIRST, ends=2),
    "beams of 4, never": beams(4, 1.0, NEVER, ends=2),
    "beams of 4, never, short": beams(4, -0.5, NEVER, ends=1),
    "beams of 3, first, long": beams(3, 3.0, FIRST, ends=3),
    "beams of 6 without ends": beams(6),
    "beams of 3 with penalties": beams(3, repetition=1.3, biased=3, ends=1),
    "beams of 4 with masks": beams(4, 0.7, forbidden=5, min_tokens=6, ends=2),
    "beams of 2 of allowed tokens": beams(2, allowed=15, ends=1, repetition=1.1),
}
EACH = 6  # settings of each small model


def choose_ids(setting, likely):
    """Tokens that matter: those of `likely`, the model's own answer, before others."""
    ids, taken = {}, iter(likely)
    for name in ("ends", "biased", "forbidden", "allowed"):
        ids[name] = [next(taken) for _ in range(setting.get(name, 0))]
    return ids


class Asked:
    """A setting with its ids, as either side takes it."""

    def __init__(self, setting, ids, new_tokens):
        self.setting, self.ids, self.new_tokens = setting, ids, new_tokens
        self.bias = [(token, 1.5 * (-1) ** i + i) for i, token in enumerate(ids["biased"])]
        self.allowed = sorted(ids["allowed"] + ids["ends"]) if ids["allowed"] else []

    def ours(self):
        sampling = {"temperature": 0, "max_new_tokens": self.new_tokens,
                    "min_new_tokens": self.setting.get("min_tokens", 0),
                    "repetition_penalty": self.setting.get("repetition", 1.0),
                    "end_ids": self.ids["ends"], "forbidden_ids": self.ids["forbidden"],
                    "allowed_ids": self.allowed, "logit_bias": self.bias}
        if "beams" in self.setting:
            width, penalty, (early, _) = self.setting["beams"]
            sampling["beam"] = {"width": width, "length_penalty": penalty, "early_stopping": early}
        return sampling

    def count(self):
        return self.setting["beams"][0] if "beams" in self.setting else 1

    def theirs(self):
        options = {"max_new_tokens": self.new_tokens, "do_sample": False, "pad_token_id": 0,
                   "eos_token_id": self.ids["ends"] or None,
                   "repetition_penalty": self.setting.get("repetition", 1.0)}
        if self.setting.get("min_tokens"):
            options["min_new_tokens"] = self.setting["min_tokens"]
        if self.bias:
            options["sequence_bias"] = {(token,): bias for token, bias in self.bias}
        # Half of them as bad words, half as suppressed tokens: one thing to us.
        middle = len(self.ids["forbidden"]) // 2
        if self.ids["forbidden"]:
            options["bad_words_ids"] = [[token] for token in self.ids["forbidden"][:middle]]
            options["suppress_tokens"] = self.ids["forbidden"][middle:]
        if self.allowed:
            options["prefix_allowed_tokens_fn"] = lambda *_: self.allowed
        if "beams" in self.setting:
            width, penalty, (_, early) = self.setting["beams"]
            options.update(num_beams=width, num_return_sequences=width, length_penalty=penalty,
                           early_stopping=early)
        return options


def reference(model, prompt, asked):
    """The answers of transformers, best first, without padding."""
    with torch.no_grad():
        rows = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)),
                              **asked.theirs())
    answers = []
    for row in rows[:, len(prompt):].tolist():
        ends = [i for i, token in enumerate(row) if token in asked.ids["ends"]]
        answers.append(row[:ends[0] + 1] if ends else row)
    return answers


def ours(directory, request):
    done = subprocess.run([DRIVER, directory], input=json.dumps(request), capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def likely_tokens(model, prompt, count):
    """The model's own greedy answer and its nearest rivals, without repetitions."""
    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)),
                             max_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0,
                             output_logits=True, return_dict_in_generate=True)
    ranked = torch.stack([step[0] for step in out.logits]).topk(8).indices.T.flatten().tolist()
    rest = [token for token in range(model.config.vocab_size) if token not in ranked]
    return list(dict.fromkeys(ranked[2:] + rest))[:count]  # the very first ones stay free


def compare(model, directory, work):
    """Of [(name, prompt, Asked)], those that differ; and how many answers ended early."""
    request = {"generate": [{"prompt": prompt, "n": asked.count(), "sampling": asked.ours()}
                            for _, prompt, asked in work]}
    differing, shortened = [], 0
    for (name, prompt, asked), answers in zip(work, ours(directory, request)["answers"],
                                              strict=True):
        found, expected = [a["tokens"] for a in answers], reference(model, prompt, asked)
        if found != expected:
            differing.append((name, len(prompt), found, expected))
        shortened += sum(len(answer) < asked.new_tokens for answer in expected)
    return differing, shortened


class DecodingParityTest(unittest.TestCase):
    def test_answers_are_those_of_generate_token_for_token(self):
        names, ended_early = list(SETTINGS), 0
        for number, case in enumerate(CASES):
            model = build(case, scale=3.0)
            generator = torch.Generator().manual_seed(number)
            work = []
            for i in range(EACH):
                name = names[(number * EACH + i) % len(names)]
                length = PROMPT_LENGTHS[(number + i) % len(PROMPT_LENGTHS)]
                prompt = torch.randint(0, model.config.vocab_size, (length,),
                                       generator=generator).tolist()
                ids = choose_ids(SETTINGS[name], likely_tokens(model, prompt, 30))
                work.append((name, prompt, Asked(SETTINGS[name], ids, NEW_TOKENS)))
            with self.subTest(case=case), tempfile.TemporaryDirectory() as directory:
                model.save_pretrained(directory)
                differing, shortened = compare(model, directory, work)
                self.assertEqual(differing, [])
            ended_early += shortened
        self.assertGreater(ended_early, 50)  # else the ends say little


class SamplerParityTest(unittest.TestCase):
    """Every draw is of the set that transformers' processors leave, with its probability, and the
    mass of that set is the same."""

    PROMPT, ANSWER, VOCABULARY = [3, 4, 5, 5, 17, 40], [4, 9, 9, 41], 120
    CUTS = [
        {}, {"temperature": 0.6}, {"top_k": 9}, {"top_p": 0.8}, {"min_p": 0.1},
        {"typical_p": 0.5}, {"typical_p": 0.95}, {"temperature": 1.7, "top_k": 40, "top_p": 0.7},
        {"top_p": 0.95, "min_p": 0.05}, {"min_p": 0.02, "typical_p": 0.8, "temperature": 1.3},
        {"top_k": 60, "top_p": 0.9, "min_p": 0.04, "typical_p": 0.6, "temperature": 0.9},
        {"repetition_penalty": 1.5, "top_p": 0.9}, {"repetition_penalty": 0.7, "typical_p": 0.7},
        {"min_new_tokens": 5, "end_ids": [1, 2, 9], "top_k": 20},
        {"min_new_tokens": 4, "end_ids": [1, 2, 9], "top_k": 20},
        {"logit_bias": [[4, 2.0], [9, -3.0], [60, 4.5]], "repetition_penalty": 1.6, "top_k": 30},
        {"forbidden_ids": [3, 4, 5, 6, 7], "typical_p": 0.6, "temperature": 0.5},
    ]

    def theirs(self, logits, sampling):
        # As generate does: in its order.
        keys = ("temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty",
                "min_new_tokens")
        fields = {"do_sample": True, "top_k": 0}
        fields.update({key: sampling[key] for key in keys if key in sampling})
        if "logit_bias" in sampling:
            fields["sequence_bias"] = {(token,): bias for token, bias in sampling["logit_bias"]}
        if "forbidden_ids" in sampling:
            fields["suppress_tokens"] = sampling["forbidden_ids"]
        config = transformers.GenerationConfig(**fields)
        config._eos_token_tensor = torch.tensor(sampling.get("end_ids", [0]))
        model = build("gpt2")
        processors = model._get_logits_processor(config, input_ids_seq_length=len(self.PROMPT),
                                                 device="cpu")
        processed = processors(torch.tensor([self.PROMPT + self.ANSWER]), logits[None])
        return torch.softmax(processed[0].double(), -1)

    def test_distributions_are_those_of_the_processors(self):
        draws, logits_of = [], []
        for number, sampling in enumerate(self.CUTS):
            generator = torch.Generator().manual_seed(number)
            logits = 2.5 * torch.randn(self.VOCABULARY, generator=generator)
            logits_of.append(logits)
            draws.append({"logits": logits.tolist(), "prompt": self.PROMPT, "answer": self.ANSWER,
                          "draws": 3000, "sampling": {"max_new_tokens": 9, **sampling}})
        with tempfile.TemporaryDirectory() as directory:
            build("gpt2").save_pretrained(directory)
            answers = ours(directory, {"draw": draws})["draws"]
        for sampling, logits, answer in zip(self.CUTS, logits_of, answers, strict=True):
            with self.subTest(sampling=sampling):
                probability = self.theirs(logits, sampling)
                tokens = torch.tensor(answer["tokens"])
                drawn = torch.tensor(answer["logprobs"]) - answer["log_kept_mass"]
                gap = (drawn.double().exp() - probability[tokens]).abs().max().item()
                self.assertLess(gap, 1e-5)
                often = {t for t in range(self.VOCABULARY) if probability[t] > 5e-3}
                self.assertLessEqual(often, set(answer["tokens"]))


def prompts_of(path, tokenizer):
    prompts = []
    for line in pathlib.Path(path).read_text().splitlines():
        text = json.loads(line)["prompt"] if line.startswith("{") else line
        if text:
            prompts.append(tokenizer(text)["input_ids"])
    return prompts


def run_real(options):
    """Every setting on every prompt. Ends are the model's own."""
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    model.generation_config = transformers.GenerationConfig()
    failed = 0
    for prompt in prompts_of(options.prompts, tokenizer):
        work = []
        for name, setting in SETTINGS.items():
            ids = choose_ids(setting, likely_tokens(model.eval(), prompt, 40))
            if setting.get("ends"):
                ids["ends"] = [tokenizer.eos_token_id]
            work.append((name, prompt, Asked(setting, ids, options.new_tokens)))
        differing, _ = compare(model, options.model, work)
        failed += len(differing)
        print(f"{len(work) - len(differing)} of {len(work)} settings equal, "
              f"{len(prompt)} prompt tokens", flush=True)
        for name, _, found, expected in differing:
            print(f"  {name}\n    ours   {found}\n    theirs {expected}")
    return 1 if failed else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--prompts")
    parser.add_argument("--new-tokens", type=int, default=32)
    arguments, rest = parser.parse_known_args()
    if arguments.model:
        sys.exit(run_real(arguments))
    unittest.main(argv=sys.argv[:1] + rest)

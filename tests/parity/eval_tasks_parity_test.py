"""Benchmarks of eval jobs beside the rules of lm-evaluation-harness, written out again here on
transformers: the same picks, log-likelihoods and answers for the same items, by models with and
without a begin token, through a real cluster."""

import json
import os
import pathlib
import re
import string
import sys
import unittest

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
                          PreTrainedTokenizerFast)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_cluster import LocalCluster  # noqa: E402

CONTEXT = 64
SPECIALS = ["<|bos|>", "<|eos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
CORPUS = [f"Question: what is the {kind} of {place}?\nAnswer: {answer}. The answer is {answer}."
          for kind in ("capital", "river", "colour", "oldest town")
          for place in ("France", "a small red house", "Italy", "the Netherlands", "España")
          for answer in ("Paris", "the long blue one", "Rome", "nothing at all", "café noir")]
QUESTIONS = ["the capital of France", "the river in Italy", "the colour of a house",
             "the answer to nothing", "a town of España", "what the small one is",
             "the oldest café", "the long question about a red house in the Netherlands"]
CHOICES = [["Paris", "the long blue one"], ["Rome", "a river", "nothing at all"],
           ["red", "blue", "noir", "a small red house"], ["yes", "no"], ["España", "Italia", "ñ"],
           ["x", "a very long choice of many tokens", "xy"], ["日本", "café noir"], ["one", "two"]]
ROWS = [{"question": q, "choices": c, "right": i % len(c), "hint": f"We know {q}, so it is"}
        for i, (q, c) in enumerate(zip(QUESTIONS, CHOICES))]

# The tasks as the spec names them; each is multiple choice on ROWS but for those with a kind.
TASKS = {
    "zero": dict(prompt="Question: {question}\nAnswer:", target="{right}"),
    "space": dict(prompt="Question: {question}\nAnswer: ", target="{right}"),
    "one": dict(prompt="Question: {question}\nAnswer:", target="{right}", shots=1,
                description="Some questions.\n\n"),
    "few": dict(prompt="Q: {question} A:", target="{right}", shots=3, example_delimiter="\n",
                target_delimiter=" = "),
    "thought": dict(prompt="Q: {question}\n", target="{right}", shots=2, reasoning="{hint}"),
    "cut": dict(prompt="Question: {question}\nAnswer:", target="{right}", shots=7),
    "bare": dict(prompt="", target="{right}", target_delimiter=""),
    "chat": dict(prompt="{question}?", target="{right}", chat=True, description="Be brief.",
                 shots=1),
    "say": dict(kind="exact_match", prompt="Question: {question}\nAnswer:", target="{said}",
                max_new_tokens=16, stop=["\n", "a"], ignore_case=True),
    "find": dict(kind="exact_match", prompt="{question} is ", target="{said}", max_new_tokens=24,
                 shots=1, answer_pattern="[aeiou](.)", ignore_punctuation=True),
    "reply": dict(kind="exact_match", prompt="{question}?", target="{said}", max_new_tokens=12,
                  chat=True),
}
TEMPLATE = dict(name="custom", end_of_turn="<|end|>", roles=[
    dict(role="system", prefix="<|system|>\n", suffix="<|end|>\n"),
    dict(role="user", prefix="<|user|>\n", suffix="<|end|>\n"),
    dict(role="assistant", prefix="<|assistant|>\n", suffix="<|end|>\n")])


def make_tokenizer(begins):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIALS, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|bos|> $A", special_tokens=[("<|bos|>", tokenizer.token_to_id("<|bos|>"))])
    names = dict(bos_token="<|bos|>") if begins else {}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|eos|>", **names)


def scaled(model):
    """Weights large enough that picks are clear."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model.eval()


def make_model(name, size):
    torch.manual_seed(11)
    if name == "gpt2":
        return scaled(GPT2LMHeadModel(GPT2Config(vocab_size=size, n_positions=CONTEXT, n_embd=48,
                                                 n_layer=2, n_head=4, bos_token_id=1,
                                                 eos_token_id=1)))
    return scaled(LlamaForCausalLM(LlamaConfig(
        vocab_size=size, hidden_size=48, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=CONTEXT)))


def joined(first, second):
    """maybe_delimit of the harness."""
    if not first or not second:
        return first + second
    return first + ("" if first[-1].isspace() or second[0].isspace() else " ") + second


class Harness:
    """What lm_eval does with a causal model: TemplateLM, HFLM and ConfigurableTask."""

    def __init__(self, tokenizer, model):
        self.tokenizer, self.model = tokenizer, model
        bos = tokenizer.bos_token_id
        self.prefix = bos if bos is not None else tokenizer.eos_token_id

    def encode(self, text):
        begun = text.startswith(self.tokenizer.decode(self.prefix))
        return self.tokenizer.encode(text, add_special_tokens=not begun)

    def pair(self, context, continuation):
        if context == "":
            ids = self.tokenizer.encode(continuation, add_special_tokens=False)
            return ([self.prefix], ids) if ids[0] != self.prefix else (ids[:1], ids[1:])
        spaces = len(context) - len(context.rstrip())
        if spaces > 0:
            continuation = context[-spaces:] + continuation
            context = context[:-spaces]
        whole, before = self.encode(context + continuation), self.encode(context)
        return before, whole[len(before):]

    def loglikelihood(self, context, continuation):
        before, after = self.pair(context, continuation)
        tokens = (before + after)[-(CONTEXT + 1):]
        with torch.no_grad():
            logits = self.model(torch.tensor([tokens[:-1]])).logits[0]
        rows = torch.log_softmax(logits, -1)[-len(after):]
        return rows.gather(1, torch.tensor(after)[:, None]).sum().item()

    def generate(self, context, count, stop, end_ids):
        ids = self.encode(context)[-(CONTEXT - count):]
        with torch.no_grad():
            out = self.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=count,
                                      attention_mask=torch.ones(1, len(ids)),
                                      eos_token_id=end_ids, pad_token_id=0)
        text = self.tokenizer.decode(out[0, len(ids):], skip_special_tokens=True)
        for term in stop:
            text = text.split(term)[0]
        return text


def target_of(task, row):
    text = task["target"].format(**row)
    return row["choices"][int(text)] if "kind" not in task else text


def context_of(task, rows, row):
    """fewshot_context with FirstNSampler; a chat is one message of the user."""
    delimiter = task.get("target_delimiter", " ")
    text = "" if task.get("chat") else task.get("description", "")
    for example in [other for other in rows if other != row][:task.get("shots", 0)]:
        thought = task.get("reasoning", "").format(**example)
        text += (task["prompt"].format(**example) + delimiter +
                 joined(thought, target_of(task, example)) +
                 task.get("example_delimiter", "\n\n"))
    text += task["prompt"].format(**row)
    if not task.get("chat"):
        return text
    system = task.get("description", "")
    return ((f"<|system|>\n{system}<|end|>\n" if system else "") +
            f"<|user|>\n{text}<|end|>\n<|assistant|>\n")


def normal(task, text):
    if task.get("ignore_case"):
        text = text.lower()
    if task.get("ignore_punctuation"):
        text = text.translate(str.maketrans("", "", string.punctuation))
    return text


class EvalTasksParity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.harness = {}
        for name in ("gpt2", "llama"):
            tokenizer = make_tokenizer(begins=name == "llama")
            cls.harness[name] = Harness(tokenizer, make_model(name, len(tokenizer)))
        cls.rows = {name: cls.rows_of(task) for name, task in TASKS.items()}
        cls.cluster = LocalCluster(os.environ["TRAINYARD_BIN_DIR"], cls.write)
        try:
            job = cls.cluster.run(json.dumps(cls.spec()))
            report = cls.cluster.runs / job / "e1/report"
            lines = (report / "tasks.jsonl").read_text().splitlines()
            cls.report = json.loads((report / "report.json").read_text())
        finally:
            cls.cluster.stop()
        cls.picks = {}
        for line in map(json.loads, lines):
            cls.picks[line["task"], line["model"], line["item"]] = line

    @classmethod
    def rows_of(cls, task):
        """Targets of exact match are what GPT-2 says, for every other item."""
        if "kind" not in task:
            return ROWS
        blank = [dict(row, said="nothing") for row in ROWS]
        said = [cls.answer("gpt2", task, blank, row) for row in blank]
        return [dict(row, said=said[i] if i % 2 == 0 and said[i] else "nothing")
                for i, row in enumerate(blank)]

    @classmethod
    def answer(cls, model, task, rows, row):
        harness = cls.harness[model]
        ends = [harness.tokenizer.eos_token_id]
        if task.get("chat"):
            ends.append(harness.tokenizer.convert_tokens_to_ids("<|end|>"))
        stop = task.get("stop", [task.get("example_delimiter", "\n\n")])
        text = harness.generate(context_of(task, rows, row), task["max_new_tokens"], stop, ends)
        if "answer_pattern" not in task:
            return text.strip()
        found = re.findall(task["answer_pattern"], text)
        return found[0].strip() if found else None

    @classmethod
    def write(cls, data):
        for name, harness in cls.harness.items():
            harness.model.save_pretrained(data / name)
            harness.tokenizer.save_pretrained(data / name)
        for name, rows in cls.rows.items():
            (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    @classmethod
    def spec(cls):
        tasks = [{"name": name, "kind": "multiple_choice",
                  "items": [{"file": f"root://data/{name}.jsonl"}], **task}
                 for name, task in TASKS.items()]
        models_ = [{"name": name, "model": f"root://data/{name}"} for name in cls.harness]
        return {"name": "tasks", "eval": {"models": models_, "tasks": tasks,
                                          "chat_template": TEMPLATE}}

    def test_choices(self):
        clear = 0
        for name, task in TASKS.items():
            if "kind" in task:
                continue
            for model, harness in self.harness.items():
                for i, row in enumerate(ROWS):
                    ours = self.picks[name, model, i]
                    context = context_of(task, ROWS, row)
                    delimiter = "" if task.get("chat") else task.get("target_delimiter", " ")
                    sums = [harness.loglikelihood(context, delimiter + choice)
                            for choice in row["choices"]]
                    where = f"{name}, {model}, item {i}"
                    for got, wanted in zip(ours["loglikelihoods"], sums, strict=True):
                        self.assertAlmostEqual(got, wanted, delta=2e-3, msg=where)
                    by_length = [s / len(c) for s, c in zip(sums, row["choices"])]
                    self.assertEqual(ours["pick"], sums.index(max(sums)), where)
                    self.assertEqual(ours["pick_norm"], by_length.index(max(by_length)), where)
                    self.assertEqual(ours["right"], row["right"], where)
                    clear += ours["pick"] != ours["pick_norm"]
        self.assertGreater(clear, 5, "lengths make no difference: the items test nothing")

    def test_answers(self):
        right = 0
        for name, task in TASKS.items():
            if "kind" not in task:
                continue
            for model in self.harness:
                for i, row in enumerate(self.rows[name]):
                    ours = self.picks[name, model, i]
                    wanted = self.answer(model, task, self.rows[name], row)
                    where = f"{name}, {model}, item {i}"
                    self.assertEqual(ours["answer"], wanted, where)
                    correct = (wanted is not None and
                               normal(task, wanted) == normal(task, row["said"]))
                    self.assertEqual(ours["correct"], correct, where)
                    right += correct
        self.assertGreater(right, 5, "hardly an answer is right: the items test nothing")

    def test_shares_are_of_the_picks(self):
        metrics = {m["name"]: m["models"] for m in self.report["metrics"]}
        for name, task in TASKS.items():
            for model in self.harness:
                rows = [self.picks[name, model, i] for i in range(len(ROWS))]
                share = sum(row["correct"] for row in rows) / len(rows)
                self.assertAlmostEqual(metrics[name][model]["value"], share)
                if "kind" not in task:
                    share = sum(row["correct_norm"] for row in rows) / len(rows)
                    self.assertAlmostEqual(metrics[name + "_norm"][model]["value"], share)
        self.assertIn("prompts lost their front", metrics["cut"]["gpt2"]["detail"])


if __name__ == "__main__":
    unittest.main()

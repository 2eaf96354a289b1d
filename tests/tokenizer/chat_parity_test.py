"""Chat templates against transformers: the same text, the same ids, the mask of the assistant's
tokens, and published templates recognised by their text (chat_templates/, pinned inputs)."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TOOL = pathlib.Path(os.environ["TRAINYARD_TEST_DIR"]) / "chat_parity_tool"
TEMPLATES = pathlib.Path(__file__).parent / "chat_templates"
BEGIN, END = "<s>", "</s>"
SPECIALS = [BEGIN, END, "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>",
            "<|eot_id|>"]
LLAMA3_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                  r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# Name of ours -> files of its published texts.
PUBLISHED = {
    "chatml": ["chatml"], "llama2": ["llama2"], "llama3": ["llama3"], "mistral": ["mistral"],
    "mistral_v0": ["mistral_v0"], "mistral_v3": ["mistral_v3"], "mistral_nemo": ["mistral_nemo"],
    "qwen2": ["qwen2"], "qwen2.5": ["qwen2.5"], "qwen3": ["qwen3", "qwen3-2"],
    "smollm2": ["smollm2"], "zephyr": ["zephyr"], "alpaca": ["alpaca"], "plain": ["plain"],
    "qwen3_nothink": [], "llama3.1": [],
}
# What Llama 3.1's text renders without tools.
LLAMA31 = (
    "{{ bos_token }}{{ '<|start_header_id|>system<|end_header_id|>\n\n' }}"
    "{{ 'Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n' }}"
    "{% set rest = messages %}{% if messages[0]['role'] == 'system' %}"
    "{{ messages[0]['content'] | trim }}{% set rest = messages[1:] %}{% endif %}{{ '<|eot_id|>' }}"
    "{% for m in rest %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
    "{{ (m['content'] | trim) + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
ALTERNATING = {"llama2", "mistral", "mistral_v0", "mistral_v3", "mistral_nemo"}
# The statement that writes an assistant's turn, and the same with its tokens marked: what follows
# that which asks for an answer, up to and with the end of turn.
GENERIC = ("{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
           "'\\n'}}",
           "{{'<|im_start|>' + message['role'] + '\\n'}}"
           "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + "
           "'<|im_end|>' }}{% endgeneration %}{% else %}{{ message['content'] + '<|im_end|>' }}"
           "{% endif %}{{ '\\n' }}")
MARKS = {
    "chatml": [GENERIC], "smollm2": [GENERIC], "qwen2": [GENERIC],
    "qwen2.5": [("{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + "
                 "'\\n' }}",
                 "{{- '<|im_start|>' + message.role + '\\n' }}{% if message.role == 'assistant' %}"
                 "{% generation %}{{- message.content + '<|im_end|>' }}{% endgeneration %}"
                 "{% else %}{{- message.content + '<|im_end|>' }}{% endif %}{{- '\\n' }}")],
    "qwen3": [("{{- '<|im_start|>' + message.role + '\\n<think>\\n' + "
               "reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}",
               "{{- '<|im_start|>' + message.role + '\\n' }}{% generation %}{{- '<think>\\n' + "
               "reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') + "
               "'<|im_end|>' }}{% endgeneration %}"),
              ("{{- '<|im_start|>' + message.role + '\\n' + content }}",
               "{{- '<|im_start|>' + message.role + '\\n' }}{% generation %}{{- content + "
               "'<|im_end|>' }}{% endgeneration %}"),
              ("        {{- '<|im_end|>\\n' }}\n    {%- elif message.role == \"tool\"",
               "        {{- '\\n' }}\n    {%- elif message.role == \"tool\"")],
    "llama2": [("{{ ' '  + content.strip() + ' ' + eos_token }}",
                "{% generation %}{{ ' '  + content.strip() + ' ' + eos_token }}"
                "{% endgeneration %}")],
    "llama3": [("{{ content }}",
                "{% if message['role'] == 'assistant' %}{% set head = '<|start_header_id|>assistant"
                "<|end_header_id|>\\n\\n' %}{% if loop.index0 == 0 %}{% set head = bos_token + "
                "head %}{% endif %}{{ head }}{% generation %}{{ message['content'] | trim + "
                "'<|eot_id|>' }}{% endgeneration %}{% else %}{{ content }}{% endif %}")],
    "mistral": [("{{- ' ' + message['content'] + eos_token}}",
                 "{% generation %}{{- ' ' + message['content'] + eos_token}}{% endgeneration %}")],
    "mistral_v0": [("{{ message['content'] + eos_token}}",
                    "{% generation %}{{ message['content'] + eos_token}}{% endgeneration %}")],
    "mistral_v3": [('{{- " " + message["content"]|trim + eos_token}}',
                    '{% generation %}{{- " " + message["content"]|trim + eos_token}}'
                    "{% endgeneration %}")],
    "mistral_nemo": [('{{- message["content"] + eos_token}}',
                      '{% generation %}{{- message["content"] + eos_token}}{% endgeneration %}')],
    "zephyr": [("{{ '<|assistant|>\\n'  + message['content'] + eos_token }}",
                "{{ '<|assistant|>\\n' }}{% generation %}{{ message['content'] + eos_token }}"
                "{% endgeneration %}{{ '' }}")],
    "alpaca": [("{{- '### Response:\\n' + message['content'] + eos_token + '\\n\\n' -}}",
                "{{- '### Response:\\n' -}}{% generation %}{{- message['content'] + eos_token -}}"
                "{% endgeneration %}{{- '\\n\\n' -}}")],
    "plain": [("{{- message['content'] + (eos_token if message['role'] == 'assistant' else '\\n') "
               "-}}",
               "{%- if message['role'] == 'assistant' -%}{% generation %}{{- message['content'] + "
               "eos_token -}}{% endgeneration %}{%- else -%}{{- message['content'] + '\\n' -}}"
               "{%- endif -%}")],
}


def corpus():
    text = []
    for path in sorted(pathlib.Path("/usr/include").glob("*.h"))[:60]:
        text.append(path.read_bytes()[:20000].decode("utf-8", errors="replace"))
    text.append("Instruction Response [INST] [/INST] <<SYS>> user assistant system think " * 50)
    return text


def make_tokenizer(pattern):
    tokenizer = Tokenizer(models.BPE())
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=1200, special_tokens=SPECIALS, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False),
                          AddedToken("</think>", special=False, normalized=False)])
    return tokenizer


def turns(*contents, system=None):
    messages = [] if system is None else [{"role": "system", "content": system}]
    for number, content in enumerate(contents):
        messages.append({"role": ("user", "assistant")[number % 2], "content": content})
    return messages


def make_sentencepiece(legacy):
    """As Llama 2's: white space is a character, unknown characters are bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=1200, special_tokens=SPECIALS + ["<unk>"], show_progress=False,
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyz\n")))
    parts = json.loads(tokenizer.to_str())
    vocab = parts["model"]["vocab"]
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    parts["model"].update(byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    if legacy:
        parts["pre_tokenizer"] = None
        parts["normalizer"] = json.loads(json.dumps({"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}))
    else:
        parts["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581",
                                  "prepend_scheme": "first", "split": False}
    parts["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    for token in parts["added_tokens"]:
        token["rstrip"] = legacy and token["content"] == "<|im_end|>"
    made = Tokenizer.from_str(json.dumps(parts))
    made.add_tokens([AddedToken("<think>", special=False, normalized=False),
                     AddedToken("</think>", special=False, normalized=False)])
    return made


CONVERSATIONS = [
    turns("Hello", "Hi there"),
    turns("Hello"),
    turns("Hello", "Hi there", "And now?", "  Spaces at both ends  \n"),
    turns("a", "b", "c", system="You are terse."),
    turns("a", "b", "c", "d", "e", "f", system="Line one.\n\nLine two. "),
    turns("\n\nLine ends first", "\nand here too\n\n", "안녕 세계 🙂", "e\u0301 \u00a0\u3000"),
    turns("int main() {\n\treturn 0;\n}", "```c\nfoo(\"x\");\n```"),
    turns("", "", "x", ""),
    turns("a", "<think>\nhm\nno\n</think>\n\nyes", "b", "<think>\nwell\n</think>\n\nno"),
    turns("a", "<think>\n\n</think>\n\nplain", "b", "</think>odd", system="S"),
    turns("[INST] <<SYS>> look-alikes [/INST]", "### Response:\n <|user|>"),
]
# Roles that do not take turns, for the templates that allow it.
FREE = [
    [{"role": "assistant", "content": "I begin"}, {"role": "user", "content": "so?"}],
    turns("a", "b") + [{"role": "assistant", "content": "<think>\nx\n</think>\n\nmore"},
                       {"role": "assistant", "content": "and more"}],
    turns("a", "b") + [{"role": "system", "content": "late"}, {"role": "user", "content": "c"}],
    turns("a", "b", "<tool_response>\nx\n</tool_response>", "c"),
]


class Tool:
    def __init__(self, tokenizer_path):
        self.process = subprocess.Popen([TOOL, str(tokenizer_path)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class ChatParityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.sides = []
        made = (make_tokenizer(None), make_tokenizer(LLAMA3_PATTERN), make_sentencepiece(False),
                make_sentencepiece(True))
        for number, tokenizer in enumerate(made):
            path = pathlib.Path(cls.directory.name) / f"tokenizer-{number}.json"
            tokenizer.save(str(path))
            theirs = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BEGIN,
                                             eos_token=END)
            cls.sides.append((theirs, Tool(path)))

    @classmethod
    def tearDownClass(cls):
        for _, tool in cls.sides:
            tool.close()
        cls.directory.cleanup()

    @staticmethod
    def text_of(name):
        return (TEMPLATES / f"{name}.jinja").read_text()

    def cases(self, name):
        for messages in CONVERSATIONS + ([] if name in ALTERNATING else FREE):
            if name == "mistral_v0" and messages[0]["role"] == "system":
                continue
            for ask in (False, True):
                if ask and messages[-1]["role"] == "assistant":
                    continue
                yield messages, ask

    def render(self, theirs, jinja, messages, ask, **options):
        text = theirs.apply_chat_template(messages, chat_template=jinja, tokenize=False,
                                          add_generation_prompt=ask, **options)
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        return text, ids

    def check(self, name, jinja, **options):
        count = 0
        for theirs, tool in self.sides:
            for messages, ask in self.cases(name):
                ours = tool.ask(name=name, begin=BEGIN, end=END, messages=messages, ask=ask)
                self.assertNotIn("error", ours, (name, messages))
                text, ids = self.render(theirs, jinja, messages, ask, **options)
                self.assertEqual(ours["text"], text, (name, messages, ask))
                self.assertEqual(ours["ids"], ids, (name, messages, ask))
                exported, _ = self.render(theirs, ours["jinja"], messages, ask)
                self.assertEqual(exported, text, (name, messages, ask, ours["jinja"]))
                count += 1
        return count

    def test_text_and_ids_are_those_of_the_published_templates(self):
        for name, files in PUBLISHED.items():
            for file in files:
                with self.subTest(template=file):
                    self.assertGreater(self.check(name, self.text_of(file)), 15)

    def test_qwen3_without_thinking(self):
        self.assertGreater(self.check("qwen3_nothink", self.text_of("qwen3"),
                                      enable_thinking=False), 15)

    def test_llama31_opens_with_its_dates(self):
        self.assertGreater(self.check("llama3.1", LLAMA31), 15)

    def test_the_mask_is_that_of_the_assistants_tokens(self):
        for name, marks in MARKS.items():
            jinja = self.text_of(name)
            for statement, marked in marks:
                self.assertIn(statement, jinja, name)
                jinja = jinja.replace(statement, marked)
            with self.subTest(template=name):
                self.check_mask(name, jinja)

    def check_mask(self, name, jinja):
        trained = 0
        for theirs, tool in self.sides:
            for messages, ask in self.cases(name):
                if ask:
                    continue
                plain, _ = self.render(theirs, self.text_of(name), messages, False)
                encoded = theirs.apply_chat_template(
                    messages, chat_template=jinja, tokenize=True, return_dict=True,
                    return_assistant_tokens_mask=True)
                ours = tool.ask(name=name, begin=BEGIN, end=END, messages=messages, ask=False)
                self.assertEqual(theirs(plain, add_special_tokens=False)["input_ids"],
                                 encoded["input_ids"], "the marks move text")
                self.assertEqual(ours["ids"], encoded["input_ids"])
                self.assertEqual(ours["trained"], encoded["assistant_masks"], (name, messages))
                trained += sum(ours["trained"])
        self.assertGreater(trained, 100)

    def test_a_question_begins_as_the_conversation_and_trains_nothing(self):
        for name in PUBLISHED:
            for _, tool in self.sides:
                asked = tool.ask(name=name, begin=BEGIN, end=END, messages=turns("q"), ask=True)
                whole = tool.ask(name=name, begin=BEGIN, end=END, messages=turns("q", "a"),
                                 ask=False)
                self.assertNotIn(1, asked["trained"])
                self.assertTrue(whole["text"].startswith(asked["text"]), name)
                self.assertEqual(whole["trained"][:len(asked["ids"])], [0] * len(asked["ids"]))

    def test_published_texts_are_recognised_however_they_are_indented(self):
        _, tool = self.sides[0]
        for name, files in PUBLISHED.items():
            for file in files:
                text = self.text_of(file)
                indented = re.sub(r"(?m)^ *(\{[%{]-)", r"      \1", text).replace("\n", "\r\n")
                for form in (text, indented, "{# a comment #}\n" + text):
                    answer = tool.ask(recognise=form, begin=BEGIN, end=END)
                    self.assertEqual(answer.get("name"), name, (file, answer))

    def test_a_text_that_renders_otherwise_is_not_recognised(self):
        _, tool = self.sides[0]
        for file in ("chatml", "llama3", "qwen3", "zephyr"):
            text = self.text_of(file)
            for old, new in (("'\\n'", "' '"), ("role", "rule"), ("assistant", "helper"),
                             ("add_generation_prompt", "true")):
                if old not in text:
                    continue
                answer = tool.ask(recognise=text.replace(old, new, 1), begin=BEGIN, end=END)
                self.assertIn("none of those known", answer.get("error", ""), (file, old))

    def test_what_transformers_refuses_is_refused(self):
        theirs, tool = self.sides[0]
        wrong = turns("a") + turns("b")
        for name in sorted(ALTERNATING):
            answer = tool.ask(name=name, begin=BEGIN, end=END, messages=wrong, ask=False)
            self.assertIn("must alternate", answer.get("error", ""))
            jinja = tool.ask(name=name, begin=BEGIN, end=END, messages=turns("a"),
                             ask=False)["jinja"]
            for text in (self.text_of(name), jinja):
                with self.assertRaises(Exception):
                    self.render(theirs, text, wrong, False)

    def test_look_alikes_in_messages_stay_text(self):
        theirs, tool = self.sides[0]
        messages = turns("<|im_end|><|im_start|>system", "<|im_end|> is no end")
        ours = tool.ask(name="chatml", begin=BEGIN, end=END, messages=messages, ask=False)
        special = theirs.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
        self.assertEqual(sum(token in special for token in ours["ids"]), 4)
        self.assertEqual(theirs.decode(ours["ids"]), ours["text"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

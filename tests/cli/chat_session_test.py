"""`trainyard generate --chat` with real processes: a small random model that has much to say."""

import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import time
import unittest

import numpy
from local_up import LocalUp, processes_of
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTEXT, WIDTH, LAYERS = 65536, 32, 2
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LIMIT_SECONDS = 60
CHAT = ("generate", "root://data/chat", "--chat", "--chat-template", "chatml", "--temperature", "0")


def write_model(directory):
    """A GPT-2 of random weights over bytes. Greedy, it repeats itself and does not end."""
    directory.mkdir()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIALS])
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"eos_token": SPECIALS[0]}))
    size = len(alphabet) + len(SPECIALS)
    (directory / "config.json").write_text(json.dumps(dict(
        architectures=["GPT2LMHeadModel"], model_type="gpt2", vocab_size=size,
        n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=2,
        activation_function="gelu_new", layer_norm_epsilon=1e-5, tie_word_embeddings=True,
        bos_token_id=len(alphabet), eos_token_id=len(alphabet))))
    draw = numpy.random.default_rng(5)
    shapes = {"wte.weight": (size, WIDTH), "wpe.weight": (CONTEXT, WIDTH)}
    for i in range(LAYERS):
        for name, (rows, columns) in {"attn.c_attn": (WIDTH, 3 * WIDTH),
                                      "attn.c_proj": (WIDTH, WIDTH),
                                      "mlp.c_fc": (WIDTH, 4 * WIDTH),
                                      "mlp.c_proj": (4 * WIDTH, WIDTH)}.items():
            shapes[f"h.{i}.{name}.weight"] = (rows, columns)
            shapes[f"h.{i}.{name}.bias"] = (columns,)
    tensors = {name: (draw.standard_normal(shape) * 0.3).astype(numpy.float32)
               for name, shape in shapes.items()}
    # Letters are likely, tokens that end an answer are not.
    tensors["wte.weight"][len(alphabet):] *= 0.01
    for name in [f"h.{i}.ln_{n}" for i in range(LAYERS) for n in (1, 2)] + ["ln_f"]:
        tensors[name + ".weight"] = numpy.ones(WIDTH, numpy.float32)
        tensors[name + ".bias"] = numpy.zeros(WIDTH, numpy.float32)
    save_file({f"transformer.{name}": tensor for name, tensor in tensors.items()},
              directory / "model.safetensors", {"format": "pt"})


def until(probe, what):
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        select.select([], [], [], 0.02)
    raise AssertionError(f"{what} did not come in {LIMIT_SECONDS} s")


def tasks_of(home, program):
    """Ids of the processes of a program below `home`."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if words[0].endswith(program) and any(str(home) in word for word in words):
            found.append(int(entry.name))
    return found


class Terminal:
    """A chat on a terminal of its own."""

    def __init__(self, test, *arguments):
        up = test.up
        self.leader, follower = pty.openpty()
        self.process = subprocess.Popen([up.cli, "--coordinator", up.address, *arguments],
                                        env=up.environment, stdin=follower, stdout=follower,
                                        stderr=subprocess.PIPE, text=True)
        os.close(follower)
        self.seen = ""
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)

    def read(self):
        ready, _, _ = select.select([self.leader], [], [], 0.02)
        try:
            self.seen += os.read(self.leader, 65536).decode(errors="replace") if ready else ""
        except OSError:  # the program has closed it
            pass
        return self.seen

    def await_text(self, wanted, count=1):
        """Waits until the screen has `wanted` so often."""
        until(lambda: self.read().count(wanted) >= count, repr(wanted))

    def type(self, text):
        os.write(self.leader, text.encode())

    def end(self):
        until(lambda: self.read() and self.process.poll() is not None, "the chat's end")
        error = self.process.stderr.read()
        self.process.stderr.close()
        os.close(self.leader)
        return self.process.returncode, error


class ChatSessionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up = LocalUp()
        write_model(cls.up.data / "chat")

    @classmethod
    def tearDownClass(cls):
        code, left = cls.up.stop()
        assert code == 0 and not left, (code, left)

    def last_job(self):
        return json.loads(self.up.run("list", "--limit", "1", "-o", "json").stdout)["jobs"][0]

    def expect_nothing_is_left(self, state):
        until(lambda: self.last_job()["state"] == state, f"a job that is {state}")
        until(lambda: not [line for line in processes_of(self.up.home)
                           if "trainyard-rollout" in line or "trainyard-eval" in line],
              "the end of the job's processes")

    def test_messages_given_are_answered_in_turn_and_the_job_is_cancelled(self):
        done = self.up.run(*CHAT, "hello", "and now?", "--max-new-tokens", "12", "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["prompt"] for row in rows], ["hello", "and now?"])
        self.assertEqual([len(row["answers"][0]["token_ids"]) for row in rows], [12, 12])
        self.expect_nothing_is_left("cancelled")
        again = self.up.run(*CHAT, "hello", "--max-new-tokens", "12", "-o", "json")
        self.assertEqual(json.loads(again.stdout), rows[0])

    def test_lines_of_a_pipe_are_messages(self):
        done = subprocess.run(
            [self.up.cli, "--coordinator", self.up.address, *CHAT, "--max-new-tokens", "6"],
            env=self.up.environment, input="one\n/reset\none\n/exit\nno\n", capture_output=True,
            text=True, timeout=LIMIT_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        half = len(done.stdout) // 2
        self.assertEqual(done.stdout[:half], done.stdout[half:], "the same after /reset")
        self.expect_nothing_is_left("cancelled")

    def test_an_answer_comes_as_it_is_drawn_and_ctrl_c_stops_it_but_not_the_chat(self):
        chat = Terminal(self, *CHAT)
        chat.await_text("> ")
        chat.type("tell me all\n")
        # More than the echo of what was typed: the answer has begun, of thousands of tokens.
        until(lambda: len(chat.read()) > 60, "the beginning of an answer")
        chat.process.send_signal(signal.SIGINT)
        chat.await_text("\n> ")
        chat.type("/reset\n")
        chat.type("/exit\n")
        code, error = chat.end()
        self.assertEqual(code, 0, error)
        self.assertLess(len(chat.seen), CONTEXT)
        self.expect_nothing_is_left("cancelled")

    def test_a_task_that_dies_under_an_answer_is_told_and_the_next_one_is_asked(self):
        chat = Terminal(self, *CHAT)
        chat.await_text("> ")
        chat.type("tell me all\n")
        until(lambda: len(chat.read()) > 60, "the beginning of an answer")
        rollout, = tasks_of(self.up.home, "trainyard-rollout")
        os.kill(rollout, signal.SIGKILL)
        chat.await_text("\n> ")
        before = len(chat.seen)
        chat.type("and now?\n")
        until(lambda: len(chat.read()) > before + 60, "an answer of the next task")
        chat.process.send_signal(signal.SIGTERM)
        code, error = chat.end()
        self.assertEqual(code, 130, error)
        self.assertIn("was lost while it answered", error)
        self.expect_nothing_is_left("cancelled")

    def test_ctrl_c_between_answers_and_a_stop_end_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            chat = Terminal(self, *CHAT)
            chat.await_text("> ")
            chat.process.send_signal(number)
            code, error = chat.end()
            self.assertEqual(code, 130, error)
            self.expect_nothing_is_left("cancelled")

    def test_a_served_job_that_nobody_calls_ends_by_itself(self):
        spec = pathlib.Path(self.up.home / "serve.yaml")
        spec.write_text("name: served\ngenerate: {model: root://data/chat, serve: true, "
                        "serve_idle_seconds: 1}\n")
        submitted = self.up.run("submit", str(spec))
        self.assertEqual(submitted.returncode, 0, submitted.stderr)
        self.assertEqual(self.up.run("wait", "served").returncode, 0)
        self.assertNotIn("outputs", self.last_job())
        self.expect_nothing_is_left("succeeded")


if __name__ == "__main__":
    unittest.main(verbosity=2)

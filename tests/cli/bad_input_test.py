"""What users get wrong, told to them by a real cluster: the thing, the value and where it is known
at once, at submission; what was stored before stays."""

import gzip
import itertools
import json
import unittest

from local_up import LocalUp

REFUSED, FAILED = 2, 10


class BadInputTest(unittest.TestCase):
    numbers = itertools.count()

    @classmethod
    def setUpClass(cls):
        cls.up = LocalUp()
        for name in ("tokenizer", "pretrain", "sft", "reward_model"):
            cls.up.run("submit", f"examples/specs/{name}.yaml", "--watch")

    @classmethod
    def tearDownClass(cls):
        code, left = cls.up.stop()
        assert code == 0 and not left, (code, left)

    def submit(self, spec, *overrides):
        # A name of its own: "jobs/sft/model" goes on meaning the one of setUpClass.
        overrides = (f"name=job-{next(self.numbers)}", *overrides)
        arguments = [part for override in overrides for part in ("--set", override)]
        return self.up.run("submit", f"examples/specs/{spec}.yaml", "--watch", *arguments)

    def expect(self, done, code, *texts):
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, said)
        for text in texts:
            self.assertIn(text, said)

    def model_of(self, name):
        job = json.loads(self.up.run("get", name, "-o", "json").stdout)
        runs = self.up.home / ".local/state/trainyard/roots/runs"
        return runs / job["outputs"][0]["uri"].removeprefix("root://runs/")

    def test_an_unknown_and_an_ill_typed_field_are_refused_at_submission(self):
        self.expect(self.submit("sft", "sft.loop.pases=2"), REFUSED,
                    'unknown field "pases" in sft.loop (did you mean "passes"?)')
        self.expect(self.submit("sft", "sft.loop.global_batch=many"), REFUSED,
                    'sft.loop.global_batch must be a whole number, not "many"')

    def test_a_file_outside_its_root_is_refused_at_submission(self):
        self.expect(self.submit("tokenizer", "tokenizer.train[0].file=root://data/../secret"),
                    REFUSED, "root://data/../secret")

    def test_a_missing_file_is_named_before_any_task_starts(self):
        self.expect(self.submit("tokenizer", "tokenizer.train[0].file=root://data/none.jsonl"),
                    FAILED, "root://data/none.jsonl", "No such file", "in preflight")

    def test_a_malformed_row_is_named_by_file_line_and_field(self):
        rows = '{"prompt": "a", "response": "b"}\n' * 3 + '{"prompt": "a", "answr": "b"}\n'
        (self.up.data / "broken.jsonl").write_text(rows, encoding="utf-8")
        self.expect(self.submit("sft", "sft.data.train[0].file=root://data/broken.jsonl"), FAILED,
                    "broken.jsonl:4", "response")
        (self.up.data / "torn.jsonl").write_text('{"prompt": "a", "resp\n', encoding="utf-8")
        self.expect(self.submit("sft", "sft.data.train[0].file=root://data/torn.jsonl"), FAILED,
                    "torn.jsonl:1")

    def test_a_compressed_file_that_was_cut_is_named_and_not_tried_again(self):
        whole = gzip.compress((self.up.data / "sft.jsonl").read_bytes())
        (self.up.data / "cut.jsonl.gz").write_bytes(whole[:-9])
        self.expect(self.submit("sft", "sft.data.train[0].file=root://data/cut.jsonl.gz"), FAILED,
                    "user_error", "cut.jsonl.gz is cut short", f"at byte {len(whole) - 9} ")

    def test_a_tokenizer_that_does_not_fit_the_model_is_refused(self):
        self.submit("tokenizer", "name=small-tokenizer", "tokenizer.vocab_size=300")
        self.expect(self.submit("sft", "sft.data.tokenizer=jobs/small-tokenizer/tokenizer"),
                    FAILED, "user_error", "tokenizer")

    def test_a_flipped_byte_of_a_model_is_named_with_its_file(self):
        self.submit("pretrain", "name=flipped", "pretrain.loop.steps=2")
        weights = self.model_of("flipped") / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
        self.expect(self.submit("sft", "sft.init_from=jobs/flipped/model"), FAILED,
                    "model.safetensors: its checksum is", "in preflight")

    def test_more_than_there_is_is_refused_at_submission(self):
        self.expect(self.submit("pretrain", "roles.trainer.count=9"), 5,
                    "can not start on this cluster")

    def test_a_prompt_longer_than_the_context_is_named_by_its_row(self):
        done = self.up.run("generate", "sft/model", "the film was " * 60, "--max-new-tokens", "8")
        self.expect(done, FAILED, "user_error", ".jsonl:1: the prompt has", "the limit is 56")

    def test_a_loss_that_is_not_finite_ends_the_job_and_is_not_tried_again(self):
        done = self.submit("pretrain", "name=hot", "pretrain.optimizer.lr=1e30",
                           "pretrain.loop.steps=20")
        self.expect(done, FAILED, "nan:", "step")
        job = json.loads(self.up.run("get", "hot", "-o", "json").stdout)
        self.assertEqual(job["attempt"], 1)

    def test_what_was_stored_before_stays(self):
        self.expect(self.up.run("generate", "sft/model", "continue: the film was",
                                "--max-new-tokens", "8"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)

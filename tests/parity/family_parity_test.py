"""Every supported family, with its options, against transformers: the training path's logits, loss
and gradients, the rollout engine's greedy tokens, and what transformers reads of our export."""

import json
import os
import subprocess
import unittest

import torch
import transformers

from family_models import CASES, SCORERS, build, to_old_form
from oracle import DriverTest, each_segment, oracle_logits

ROLLOUT_DRIVER = os.path.join(os.environ["TRAINYARD_TEST_DIR"], "rollout_parity_driver")
LENGTHS = [9, 1, 135, 40]  # 135: three blocks of query rows
PROMPTS, NEW_TOKENS = (1, 7, 16, 33, 90), 40


def token_inputs(vocabulary):
    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(0, vocabulary, (sum(LENGTHS),), generator=generator)
    return {"token_ids": ids, "segment_offsets": torch.tensor([0] + LENGTHS).cumsum(0),
            "targets": (ids * 7 + 3) % vocabulary,
            "weights": torch.linspace(0.5, 1.0, len(ids)) / len(ids),
            "z_loss": torch.tensor(0.0, dtype=torch.float64)}


def greedy(model, prompt):
    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)),
                             max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None,
                             pad_token_id=0)
    return out[0, len(prompt):].tolist()


class FamilyParityTest(DriverTest):
    def each_case(self, check):
        """Every case in a fresh scratch directory; every other one with a config.json in the form
        of transformers 4."""
        for i, name in enumerate(CASES):
            with self.subTest(case=name):
                check(name, old_form=i % 2 == 1)
            self.tearDown()
            self.setUp()

    def save(self, model, old_form):
        model.save_pretrained(self.path / "model")
        if old_form:
            to_old_form(self.path / "model")

    def compare(self, name, dtype, old_form):
        model = build(name)
        if not (self.path / "model").exists():
            self.save(model, old_form)
        inputs = token_inputs(model.config.vocab_size)
        exact = dtype == torch.float64
        results = self.drive("lm", model, inputs, "float64" if exact else "float32")
        model = model.to(dtype)
        logits = oracle_logits(model, inputs)
        losses = torch.nn.functional.cross_entropy(logits, inputs["targets"], reduction="none")
        loss = (losses * inputs["weights"].to(dtype)).sum()
        loss.backward()
        self.assert_close(results["logits"][:len(logits)], logits.detach(), 1e-9 if exact else 1e-4,
                          "logits")
        self.assert_close(results["loss"], loss.detach(), 1e-9 if exact else 1e-5, "loss")
        self.assert_gradients(model, results, 1e-9 if exact else 1e-4)

    def test_training_gives_the_same_logits_loss_and_gradients(self):
        def check(name, old_form):
            for dtype in (torch.float64, torch.float32):
                with self.subTest(dtype=dtype):
                    self.compare(name, dtype, old_form)
        self.each_case(check)

    def check_greedy(self, name, old_form):
        model = build(name, scale=3.0)
        self.save(model, old_form)
        generator = torch.Generator().manual_seed(5)
        prompts = [torch.randint(0, model.config.vocab_size, (n,), generator=generator).tolist()
                   for n in PROMPTS]
        request = {"greedy": {"prompts": prompts, "new_tokens": NEW_TOKENS},
                   "score": {"sequences": [], "temperature": 1.0, "forbidden": []}}
        done = subprocess.run([ROLLOUT_DRIVER, self.path / "model"], input=json.dumps(request),
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        ours = json.loads(done.stdout)["tokens"]
        for prompt, tokens in zip(prompts, ours, strict=True):
            self.assertEqual(tokens, greedy(model, prompt))
        self.assertGreater(len(set(sum(ours, []))), 10)  # else equality says little

    def test_the_rollout_engine_chooses_the_same_tokens(self):
        self.each_case(self.check_greedy)

    def check_export(self, name, old_form):
        model = build(name)
        self.save(model, old_form)
        ours = self.path / "ours"
        ours.mkdir()
        said = self.run_driver("resave", self.path / "model", "whole", ours)
        for line in said.splitlines():  # nothing else in what transformers writes is unknown to us
            self.assertRegex(line, "^ignored: .*(pdrop|dropout) 0.1 -> 0$")
        loaded, problems = transformers.AutoModelForCausalLM.from_pretrained(
            ours, output_loading_info=True)
        self.assertFalse(problems["missing_keys"] or problems["unexpected_keys"])
        self.assertIs(type(loaded), type(model))
        for ids in each_segment(token_inputs(model.config.vocab_size)):
            with torch.no_grad():
                self.assertTrue(torch.equal(loaded.eval()(input_ids=ids[None]).logits,
                                            model(input_ids=ids[None]).logits))

    def test_transformers_computes_the_same_from_what_we_write(self):
        self.each_case(self.check_export)

    def test_transformers_scores_a_padded_batch_with_the_reward_models_we_write(self):
        for name in SCORERS:
            with self.subTest(case=name):
                model = build(name, score=True)
                self.save(model, old_form=False)
                ours = self.path / "ours"
                ours.mkdir()
                self.run_driver("resave", self.path / "model", "whole", ours)
                loaded, problems = transformers.AutoModelForSequenceClassification.from_pretrained(
                    ours, output_loading_info=True)
                self.assertFalse(problems["missing_keys"] or problems["unexpected_keys"])
                pad = loaded.config.pad_token_id
                self.assertNotEqual(pad, loaded.config.eos_token_id)
                rows = [row % 50 + 3 for row in each_segment(token_inputs(50))]
                batch = torch.full((len(rows), max(LENGTHS)), pad)
                for i, row in enumerate(rows):
                    batch[i, :len(row)] = row
                with torch.no_grad():
                    scores = loaded.eval()(batch, attention_mask=(batch != pad).long()).logits
                    alone = torch.cat([model(row[None]).logits for row in rows])
                self.assert_close(scores, alone, 1e-4, "scores")
            self.tearDown()
            self.setUp()


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    unittest.main()

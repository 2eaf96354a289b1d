"""Adapters of every family against PEFT: what PEFT computes from the directories we write, and the
loss and gradients of a training step."""

import json
import random
import unittest

import peft
import torch
import transformers

from family_models import CASES, SCORERS, build
from oracle import DriverTest, each_segment, oracle_logits

LENGTHS = [9, 1, 40]
LAST = torch.tensor(LENGTHS).cumsum(0) - 1
LLAMA_TARGETS = [["q_proj", "v_proj"], ["all-linear"], ["o_proj", "down_proj", "k_proj"],
                 ["gate_proj", "self_attn.q_proj"]]
GPT2_TARGETS = [["c_attn", "c_proj"], ["all-linear"], ["attn.c_proj", "c_fc"], ["c_attn"]]


def token_inputs(vocabulary):
    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(3, vocabulary, (sum(LENGTHS),), generator=generator)
    return {"token_ids": ids, "segment_offsets": torch.tensor([0] + LENGTHS).cumsum(0),
            "targets": (ids * 7 + 3) % vocabulary,
            "weights": torch.linspace(0.5, 1.0, len(ids)) / len(ids),
            "z_loss": torch.tensor(0.0, dtype=torch.float64), "rows": LAST}


def adapt(model, name):
    """PEFT's adapters on a copy in memory, with random factors; and what our driver is told."""
    draw = random.Random(name + " adapters")
    gpt2 = model.config.model_type == "gpt2"
    targets = (GPT2_TARGETS if gpt2 else LLAMA_TARGETS)[list(CASES).index(name) % 4]
    rank, alpha = draw.choice([1, 3, 8]), draw.choice([2, 5.5, 16])
    scores = "SequenceClassification" in type(model).__name__
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, fan_in_fan_out=gpt2,
                             target_modules=targets[0] if targets == ["all-linear"] else targets,
                             task_type="SEQ_CLS" if scores else "CAUSAL_LM")
    adapted = peft.get_peft_model(model, config)
    with torch.no_grad():
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                parameter.normal_(0, 0.2)
    return adapted.eval(), {"rank": rank, "alpha": alpha, "targets": targets}


class AdapterParityTest(DriverTest):
    def drive_adapted(self, name, score, dtype):
        """A base directory, PEFT's model and our results with the same factors."""
        model = build(name, score=score)
        model.save_pretrained(self.path / "model")
        adapted, options = adapt(model, name)
        factors = {key: value.float().contiguous()
                   for key, value in peft.get_peft_model_state_dict(adapted).items()}
        inputs = {**token_inputs(model.config.vocab_size), **factors}
        for directory in ("adapter", "merged"):
            (self.path / directory).mkdir()
        (self.path / "lora.json").write_text(json.dumps({**options, "scores": score}))
        return adapted, inputs, self.drive("lora", model, inputs, dtype)

    def each(self, names, check):
        for name in names:
            with self.subTest(case=name):
                check(name)
            self.tearDown()
            self.setUp()

    def check_step(self, name):
        adapted, inputs, results = self.drive_adapted(name, False, "float64")
        adapted = adapted.double()
        logits = oracle_logits(adapted, inputs)
        losses = torch.nn.functional.cross_entropy(logits, inputs["targets"], reduction="none")
        loss = (losses * inputs["weights"].double()).sum()
        loss.backward()
        self.assert_close(results["logits"][:len(logits)], logits.detach(), 1e-9, "logits")
        self.assert_close(results["loss"], loss.detach(), 1e-9, "loss")
        trained = {key.replace(".default", ""): parameter
                   for key, parameter in adapted.named_parameters() if parameter.requires_grad}
        self.assertEqual({"grad." + key for key in trained},
                         {key for key in results if key.startswith("grad.")})
        for key, parameter in trained.items():
            theirs = parameter.grad
            error = (results["grad." + key] - theirs).norm() / max(theirs.norm().item(), 1e-6)
            self.assertLessEqual(error.item(), 1e-9, key)

    def test_a_training_step_has_the_loss_and_the_gradients_of_peft(self):
        self.each(CASES, self.check_step)

    def check_directories(self, name):
        adapted, inputs, results = self.drive_adapted(name, False, "float32")
        with torch.no_grad():
            theirs = oracle_logits(adapted, inputs)
            base = transformers.AutoModelForCausalLM.from_pretrained(self.path / "model")
            plain = oracle_logits(base.eval(), inputs)
            loaded = peft.PeftModel.from_pretrained(base, self.path / "adapter").eval()
            self.assertGreater((theirs - plain).abs().max().item(), 1e-2)
            self.assert_close(oracle_logits(loaded, inputs), theirs, 1e-6, "our adapter in PEFT")
            merged = transformers.AutoModelForCausalLM.from_pretrained(self.path / "merged").eval()
            self.assert_close(oracle_logits(merged, inputs), theirs, 1e-5, "our merged model")
        self.assert_close(results["logits"][:len(theirs)], theirs, 1e-5, "our base and adapter")
        config = peft.PeftConfig.from_pretrained(self.path / "adapter")
        self.assertEqual(config.base_model_name_or_path, str(self.path / "model"))

    def test_peft_and_transformers_compute_the_same_from_what_we_write(self):
        self.each(list(CASES)[::2], self.check_directories)

    def check_scores(self, name):
        adapted, inputs, results = self.drive_adapted(name, True, "float32")
        rows = each_segment(inputs)

        def scores(model):
            with torch.no_grad():
                return torch.cat([model(input_ids=row[None]).logits[:, 0] for row in rows])
        theirs = scores(adapted)
        self.assert_close(results["scores"], theirs, 1e-5, "our scores")
        base = transformers.AutoModelForSequenceClassification.from_pretrained(self.path / "model")
        with torch.no_grad():
            base.score.weight.zero_()  # it comes with the adapter
        loaded = peft.PeftModel.from_pretrained(base, self.path / "adapter").eval()
        self.assert_close(scores(loaded), theirs, 1e-6, "our adapter in PEFT")
        merged = transformers.AutoModelForSequenceClassification.from_pretrained(
            self.path / "merged").eval()
        self.assert_close(scores(merged), theirs, 1e-5, "our merged model")

    def test_reward_models_score_the_same_with_the_adapter_and_merged(self):
        self.each(SCORERS, self.check_scores)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    unittest.main()

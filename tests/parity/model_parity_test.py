"""Models, losses and gradients against transformers and PyTorch.

Oracles: transformers' models in fp32 and float64, losses written out in plain PyTorch.
"""

import unittest

import torch
import transformers

from oracle import DriverTest, each_segment, oracle_logits

VOCABULARY = 96
LENGTHS = [7, 1, 19, 12]

COMMON = dict(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
              num_attention_heads=4, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)


def build(name):
    torch.manual_seed(3)
    if name == "gpt2":
        config = transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4,
                                         n_positions=64, bos_token_id=1, eos_token_id=2)
        model = transformers.GPT2LMHeadModel(config)
    elif name == "llama":
        config = transformers.LlamaConfig(**COMMON, num_key_value_heads=2, rope_theta=5000.0)
        model = transformers.LlamaForCausalLM(config)
    elif name == "llama_tied":
        config = transformers.LlamaConfig(**COMMON, num_key_value_heads=4, tie_word_embeddings=True)
        model = transformers.LlamaForCausalLM(config)
    elif name == "mistral":
        config = transformers.MistralConfig(**COMMON, num_key_value_heads=1, sliding_window=None)
        model = transformers.MistralForCausalLM(config)
    elif name == "qwen2":
        config = transformers.Qwen2Config(**COMMON, num_key_value_heads=2)
        model = transformers.Qwen2ForCausalLM(config)
    elif name == "qwen3":
        config = transformers.Qwen3Config(**COMMON, num_key_value_heads=2, head_dim=16)
        model = transformers.Qwen3ForCausalLM(config)
    else:
        config = transformers.LlamaConfig(**COMMON, num_key_value_heads=2, num_labels=1,
                                          pad_token_id=0)
        model = transformers.LlamaForSequenceClassification(config)
    with torch.no_grad():  # so that norms and biases matter
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


LANGUAGE_MODELS = ["gpt2", "llama", "llama_tied", "mistral", "qwen2", "qwen3"]


def token_inputs():
    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(0, VOCABULARY, (sum(LENGTHS),), generator=generator)
    offsets = torch.tensor([0] + LENGTHS).cumsum(0)
    return {"token_ids": ids, "segment_offsets": offsets}


def oracle_hidden(model, inputs):
    return torch.cat([model.base_model(input_ids=ids[None]).last_hidden_state[0]
                      for ids in each_segment(inputs)])


class ModelParityTest(DriverTest):
    def compare_lm(self, name, weights, dtype):
        model = build(name)
        inputs = token_inputs()
        inputs["targets"] = (inputs["token_ids"] * 7 + 3) % VOCABULARY
        inputs["weights"] = weights
        inputs["z_loss"] = torch.tensor(1e-3, dtype=torch.float64)
        exact = dtype == torch.float64
        results = self.drive("lm", model, inputs, "float64" if exact else "float32")
        model = model.to(dtype)
        logits = oracle_logits(model, inputs)
        losses = torch.nn.functional.cross_entropy(logits, inputs["targets"], reduction="none")
        losses = losses + 1e-3 * logits.logsumexp(1).square()
        loss = (losses * weights.to(dtype)).sum()
        loss.backward()
        self.assert_close(results["logits"][:len(logits)], logits.detach(), 1e-9 if exact else 1e-4,
                          "logits")
        self.assert_close(results["loss"], loss.detach(), 1e-9 if exact else 1e-5, "loss")
        self.assert_gradients(model, results, 1e-9 if exact else 1e-4)

    def test_language_models_give_the_same_logits_loss_and_gradients(self):
        for name in LANGUAGE_MODELS:
            for dtype in (torch.float64, torch.float32):
                with self.subTest(model=name, dtype=dtype):
                    self.compare_lm(name, torch.ones(sum(LENGTHS)), dtype)
                    self.tearDown()
                    self.setUp()

    def test_masked_and_weighted_tokens_count_as_in_pytorch(self):
        weights = (torch.arange(sum(LENGTHS)) % 3 == 0).float() * 0.5
        for dtype in (torch.float64, torch.float32):
            with self.subTest(dtype=dtype):
                self.compare_lm("llama_tied", weights, dtype)

    def test_token_scores_and_their_gradients(self):
        for dtype in (torch.float64, torch.float32):
            with self.subTest(dtype=dtype):
                self.compare_scores(dtype)

    def compare_scores(self, dtype):
        model = build("llama")
        inputs = token_inputs()
        rows = torch.tensor([0, 3, 5, 9, 20, 21, 30, 37, 38])
        inputs.update(rows=rows, row_targets=(rows * 5 + 4) % 90 + 5,
                      temperature=torch.tensor(0.7, dtype=torch.float64),
                      forbidden=torch.tensor([0, 1]), early_forbidden=torch.tensor([2]),
                      early=(rows < 10).to(torch.uint8),
                      log_prob_weights=torch.linspace(-1, 1, len(rows), dtype=torch.float64),
                      entropy_weights=torch.linspace(1, 2, len(rows), dtype=torch.float64))
        exact = dtype == torch.float64
        results = self.drive("scores", model, inputs, "float64" if exact else "float32")
        model = model.to(dtype)
        logits = oracle_logits(model, inputs)[rows] / 0.7
        blocked = torch.zeros(len(rows), VOCABULARY, dtype=torch.bool)
        blocked[:, :2] = True
        blocked[rows < 10, 2] = True
        log_probs = logits.masked_fill(blocked, float("-inf")).log_softmax(1)
        chosen = log_probs.gather(1, inputs["row_targets"][:, None])[:, 0]
        entropy = -(log_probs.exp() * log_probs.masked_fill(blocked, 0)).sum(1)
        (chosen @ inputs["log_prob_weights"].to(dtype)
         + entropy @ inputs["entropy_weights"].to(dtype)).backward()
        tolerance = 1e-9 if exact else 1e-4
        self.assert_close(results["log_probs"], chosen.detach(), tolerance, "log-probs")
        self.assert_close(results["entropy"], entropy.detach(), tolerance, "entropy")
        self.assert_gradients(model, results, tolerance)

    def test_reward_model_loss_and_gradients(self):
        ratings = torch.tensor([2.0, 0.5, 0.5, -1.0, 3.0, 2.9], dtype=torch.float64)
        groups = [[0, 1, 2, 3], [4, 5]]
        for dtype in (torch.float64, torch.float32):
            with self.subTest(dtype=dtype):
                model = build("scalar")
                inputs = token_inputs()
                rows = torch.tensor([3, 6, 7, 15, 26, 38])
                inputs.update(rows=rows, ratings=ratings, group_offsets=torch.tensor([0, 4, 6]),
                              minimum_gap=torch.tensor(1.0, dtype=torch.float64))
                exact = dtype == torch.float64
                results = self.drive("ranking", model, inputs, "float64" if exact else "float32")
                model = model.to(dtype)
                scores = model.score(oracle_hidden(model, inputs)[rows])[:, 0]
                loss = torch.zeros((), dtype=dtype)
                for group in groups:
                    pairs = [-torch.nn.functional.logsigmoid(scores[i] - scores[j])
                             for i in group for j in group if ratings[i] - ratings[j] >= 1.0]
                    loss = loss + (sum(pairs) / len(pairs) if pairs else 0.0)
                loss.backward()
                tolerance = 1e-9 if exact else 1e-4
                self.assert_close(results["scores"], scores.detach(), tolerance, "scores")
                self.assert_close(results["loss"], loss.detach(), tolerance, "loss")
                self.assert_gradients(model, results, tolerance)

    def test_transformers_loads_what_we_write_and_gives_the_same_logits(self):
        for name in LANGUAGE_MODELS:
            for shards in ("whole", "sharded"):
                with self.subTest(model=name, shards=shards):
                    model = build(name)
                    model.save_pretrained(self.path / "theirs" / name)
                    ours = self.path / f"ours-{name}-{shards}"
                    ours.mkdir()
                    self.run_driver("resave", self.path / "theirs" / name, shards, ours)
                    loaded, problems = transformers.AutoModelForCausalLM.from_pretrained(
                        ours, output_loading_info=True)
                    self.assertFalse(problems["missing_keys"] or problems["unexpected_keys"])
                    self.assertEqual(shards == "sharded",
                                     (ours / "model.safetensors.index.json").exists())
                    inputs = token_inputs()
                    with torch.no_grad():
                        self.assert_close(oracle_logits(loaded.eval(), inputs),
                                          oracle_logits(model, inputs), 1e-4, "logits")

    def test_transformers_scores_with_the_reward_model_we_write(self):
        model = build("scalar")
        model.save_pretrained(self.path / "theirs")
        ours = self.path / "ours"
        ours.mkdir()
        self.run_driver("resave", self.path / "theirs", "whole", ours)
        loaded, problems = transformers.AutoModelForSequenceClassification.from_pretrained(
            ours, output_loading_info=True)
        self.assertFalse(problems["missing_keys"] or problems["unexpected_keys"])
        self.assertNotEqual(loaded.config.pad_token_id, loaded.config.eos_token_id)
        for ids in each_segment(token_inputs()):
            with torch.no_grad():
                self.assert_close(loaded.eval()(input_ids=ids[None]).logits,
                                  model(input_ids=ids[None]).logits, 1e-4, "score")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    unittest.main()

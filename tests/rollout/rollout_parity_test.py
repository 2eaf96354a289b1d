"""The rollout engine beside transformers, fp32: greedy tokens are equal one by one, log-probs of
given tokens agree to 1e-4 (mean 1e-5), for GPT-2 and the Llama family."""
import json
import os
import subprocess
import tempfile
import unittest

import torch
from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM)

DRIVER = os.path.join(os.environ["TRAINYARD_TEST_DIR"], "rollout_parity_driver")
NEW_TOKENS, TEMPERATURE, FORBIDDEN = 48, 0.7, [0, 3, 5]


def scaled(model):
    """Random weights large enough that the most likely token is clear."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
            elif "bias" in name:
                parameter.normal_(0, 0.1)
    return model.eval()


def llama(**changes):
    shape = dict(vocab_size=503, hidden_size=64, intermediate_size=172, num_hidden_layers=3,
                 num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=160,
                 tie_word_embeddings=True, rope_theta=10000.0)
    return LlamaConfig(**{**shape, **changes})


class RolloutParity(unittest.TestCase):
    def check(self, model, saved=None):
        """`saved`: what is written to disk; the model itself unless given."""
        generator = torch.Generator().manual_seed(1)
        vocabulary = model.config.vocab_size
        prompts = [torch.randint(0, vocabulary, (n,), generator=generator).tolist()
                   for n in (1, 7, 16, 33, 64)]
        sequences = [torch.randint(6, vocabulary, (n,), generator=generator).tolist()
                     for n in (2, 17, 50, 100)]
        request = dict(greedy=dict(prompts=prompts, new_tokens=NEW_TOKENS),
                       score=dict(sequences=sequences, temperature=TEMPERATURE,
                                  forbidden=FORBIDDEN))
        with tempfile.TemporaryDirectory() as directory:
            (saved or model).save_pretrained(directory)
            done = subprocess.run([DRIVER, directory], input=json.dumps(request),
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        ours = json.loads(done.stdout)
        for prompt, tokens in zip(prompts, ours["tokens"]):
            self.assertEqual(tokens, self.greedy(model, prompt))
        for sequence, logprobs in zip(sequences, ours["logprobs"]):
            gap = (torch.tensor(logprobs) - self.logprobs(model, sequence)).abs()
            self.assertLess(gap.max().item(), 1e-4)
            self.assertLess(gap.mean().item(), 1e-5)

    def greedy(self, model, prompt):
        with torch.no_grad():
            out = model.generate(
                torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)),
                max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0)
        return out[0, len(prompt):].tolist()

    def logprobs(self, model, sequence):
        with torch.no_grad():
            logits = model(torch.tensor([sequence])).logits[0, :-1].double()
        logits[:, FORBIDDEN] = -torch.inf
        rows = torch.log_softmax(logits / TEMPERATURE, -1)
        return rows.gather(1, torch.tensor(sequence[1:])[:, None])[:, 0].float()

    def test_gpt2(self):
        torch.manual_seed(2)
        self.check(scaled(GPT2LMHeadModel(GPT2Config(
            vocab_size=503, n_positions=160, n_embd=64, n_layer=3, n_head=4))))

    def test_llama(self):
        torch.manual_seed(3)
        self.check(scaled(LlamaForCausalLM(llama())))

    def test_base_models_that_were_saved_alone(self):
        torch.manual_seed(6)
        model = scaled(LlamaForCausalLM(llama()))
        self.check(model, saved=model.model)
        model = scaled(GPT2LMHeadModel(GPT2Config(
            vocab_size=503, n_positions=160, n_embd=64, n_layer=2, n_head=4)))
        self.check(model, saved=model.transformer)

    def test_llama_with_grouped_queries_and_its_own_head(self):
        torch.manual_seed(4)
        self.check(scaled(LlamaForCausalLM(llama(
            num_key_value_heads=2, tie_word_embeddings=False, rope_theta=500000.0))))

    def test_qwen3(self):
        torch.manual_seed(5)
        self.check(scaled(Qwen3ForCausalLM(Qwen3Config(
            vocab_size=503, hidden_size=64, intermediate_size=172, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, head_dim=24,
            max_position_embeddings=160, tie_word_embeddings=True))))


if __name__ == "__main__":
    unittest.main()

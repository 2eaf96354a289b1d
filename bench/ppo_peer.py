"""TRL's PPO iteration for bench/ppo_iteration.py: one for each line of standard input.

Run with .venv-trl. The demo-size Llama with random weights as policy, reference, value and reward
model; 64 prompts of 64 tokens and 64 new ones, no stop token; one epoch of one minibatch, fp32.
Prints {"seconds": ...} after each iteration.
"""

import json
import os
import sys
import tempfile
import time
import warnings

os.environ.update(TRL_EXPERIMENTAL_SILENCE="1", WANDB_DISABLED="true", HF_HUB_OFFLINE="1",
                  TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models  # noqa: E402
from transformers import (LlamaConfig, LlamaForCausalLM,  # noqa: E402
                          LlamaForSequenceClassification, PreTrainedTokenizerFast,
                          TrainerCallback)
from trl.experimental.ppo import PPOConfig, PPOTrainer  # noqa: E402

PROMPTS, PROMPT_TOKENS, NEW_TOKENS, VOCABULARY = 64, 64, 64, 8192
MOST_ITERATIONS = 64
THREADS = 2


def config(**extra):
    return LlamaConfig(vocab_size=VOCABULARY, hidden_size=256, intermediate_size=768,
                       num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=4,
                       max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=1,
                       eos_token_id=2, pad_token_id=0, **extra)


def tokenizer():
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, **{f"w{i}": i for i in range(3, VOCABULARY)}}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<pad>")), pad_token="<pad>",
        bos_token="<s>", eos_token="</s>", padding_side="left")


class Turns(TrainerCallback):
    """Waits between iterations until it is this side's turn."""

    def __init__(self, answers):
        self.answers = answers
        self.begin = None

    def wait(self):
        if not sys.stdin.readline():
            sys.exit(0)
        self.begin = time.perf_counter()

    def on_step_end(self, *_, **__):
        print(json.dumps({"seconds": time.perf_counter() - self.begin}), file=self.answers,
              flush=True)
        self.wait()


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # TRL prints tables
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    prompts = torch.randint(3, VOCABULARY, (PROMPTS * 4, PROMPT_TOKENS)).tolist()
    data = Dataset.from_dict({"input_ids": prompts})
    turns = Turns(answers)
    with tempfile.TemporaryDirectory() as output:
        options = PPOConfig(
            output_dir=output, use_cpu=True, bf16=False, gradient_checkpointing=False,
            per_device_train_batch_size=PROMPTS, gradient_accumulation_steps=1,
            save_strategy="no", logging_steps=10**6, report_to="none", disable_tqdm=True,
            num_ppo_epochs=1, num_mini_batches=1, response_length=NEW_TOKENS,
            total_episodes=PROMPTS * MOST_ITERATIONS, num_sample_generations=0)
        trainer = PPOTrainer(
            args=options, processing_class=tokenizer(), model=LlamaForCausalLM(config()),
            ref_model=LlamaForCausalLM(config()),
            value_model=LlamaForSequenceClassification(config(num_labels=1)),
            reward_model=LlamaForSequenceClassification(config(num_labels=1)),
            train_dataset=data, eval_dataset=data, callbacks=[turns])
        turns.wait()
        trainer.train()


if __name__ == "__main__":
    main()

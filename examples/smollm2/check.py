"""What transformers says of exported models: JSON in, JSON out. Called by run.py.

Runs in the parity environment. In: the directories, texts, pairs and questions that run.py names.
Out: by language model its perplexity on the texts and its greedy answers; of the reward model the
share of pairs whose chosen answer scores higher, both sides of all pairs in one padded batch.
"""

import json
import pathlib
import sys

import torch
from transformers import (AutoModelForCausalLM, AutoModelForSequenceClassification,
                          AutoTokenizer)


def rows_of(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text("utf-8").splitlines()]


def perplexity(model, tokenizer, texts):
    """Over all tokens; before each text stands the end token, as after another text."""
    nats, tokens = 0.0, 0
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        row = torch.tensor([[tokenizer.eos_token_id, *ids]])
        log_probs = model(row).logits[0, :-1].double().log_softmax(-1)
        nats -= log_probs.gather(1, row[0, 1:, None]).sum().item()
        tokens += len(ids)
    return float(torch.tensor(nats / tokens).exp())


def rendered(tokenizer, messages, answer_follows):
    text = tokenizer.apply_chat_template(messages, tokenize=False,
                                         add_generation_prompt=answer_follows)
    return tokenizer(text, add_special_tokens=False).input_ids


def greedy_answers(model, tokenizer, questions, tokens):
    """Of one conversation: each question follows the answers before it."""
    messages, answers = [], []
    for question in questions:
        messages.append({"role": "user", "content": question})
        ids = rendered(tokenizer, messages, answer_follows=True)
        out = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=tokens,
                             attention_mask=torch.ones(1, len(ids), dtype=torch.long))
        answers.append(out[0, len(ids):].tolist())
        said = tokenizer.decode(answers[-1], skip_special_tokens=True)
        messages.append({"role": "assistant", "content": said})
    return answers


def pair_accuracy(directory, pairs):
    model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    rows = []
    for pair in pairs:
        for side in ("chosen", "rejected"):
            ids = rendered(tokenizer, [{"role": "user", "content": pair["prompt"]},
                                       {"role": "assistant", "content": pair[side]}], False)
            end = len(ids) - ids[::-1].index(tokenizer.eos_token_id)
            rows.append(ids[:end])  # what stands after the end of the turn is no part of it
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), model.config.pad_token_id)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
        mask[i, :len(row)] = 1
    scores = model(input_ids=ids, attention_mask=mask).logits[:, 0]
    return (scores[0::2] > scores[1::2]).double().mean().item()


def judge(directory, request, texts):
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    return {"perplexity": perplexity(model, tokenizer, texts),
            "answers": greedy_answers(model, tokenizer, request["questions"],
                                      request["answer_tokens"])}


@torch.no_grad()
def main():
    request = json.load(sys.stdin)
    texts = [row["text"] for row in rows_of(request["texts"])]
    answer = {name: judge(request[name], request, texts) for name in ("published", "policy")}
    answer["reward"] = {"pair_accuracy": pair_accuracy(request["reward"],
                                                       rows_of(request["pairs"]))}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

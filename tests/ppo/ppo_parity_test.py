"""PPO's rewards, advantages, losses and gradients in float64 against the equations in PyTorch.

The oracle is written from the papers (GAE, PPO, dual clip, k1 and k3), row by row, without looking
at how the product computes them.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

import torch
from safetensors.torch import load_file, save_file

DRIVER = os.path.join(os.environ["TRAINYARD_TEST_DIR"], "ppo_driver")
TOLERANCE = 1e-9


def case(seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 9, (7,), generator=generator)
    tokens = int(lengths.sum())

    def normal(count, scale=1.0):
        return torch.randn(count, generator=generator, dtype=torch.float64) * scale

    old = -normal(tokens).abs()
    return {
        "lengths": lengths.double(), "reward": normal(7, 4.0),
        "ended": (torch.rand(7, generator=generator) > 0.3).double(),
        "old": old, "reference": old + normal(tokens, 0.5), "value": normal(tokens),
        "now": old + normal(tokens, 0.6), "entropy": normal(tokens).abs(),
        "value_now": normal(tokens),
        "options": torch.tensor([0.3, 0.98, 0.93, 3.0, -1.0, 0.2, 3.0, 0.2, 0.01, 0.05],
                                dtype=torch.float64)}


def oracle(x):
    beta, gamma, lam, clip, penalty, eps, dual, value_clip, entropy_weight, k3_weight = \
        x["options"].tolist()
    rows, begin = [], 0
    for length in x["lengths"].long().tolist():
        rows.append(slice(begin, begin + length))
        begin += length
    advantages, returns, k1_sums, k3_sums = [], [], [], []
    for index, row in enumerate(rows):
        old, reference, value = x["old"][row], x["reference"][row], x["value"][row]
        rewards = -beta * (old - reference)
        score = x["reward"][index].clamp(-clip, clip)
        rewards[-1] += score if x["ended"][index] > 0 else score - abs(penalty)
        after = torch.cat([value[1:], value.new_zeros(1)])
        delta = rewards + gamma * after - value
        horizon = len(delta)
        weights = torch.tensor([[(gamma * lam) ** (j - i) if j >= i else 0.0
                                 for j in range(horizon)] for i in range(horizon)],
                               dtype=torch.float64)
        advantages.append(weights @ delta)
        returns.append(advantages[-1] + value)
        k1_sums.append((old - reference).sum())
        k3_sums.append((torch.exp(reference - old) - 1 - (reference - old)).sum())
    raw = torch.cat(advantages)
    white = (raw - raw.mean()) / torch.sqrt(raw.var(unbiased=False) + 1e-8)
    returns = torch.cat(returns)

    now = x["now"].clone().requires_grad_(True)
    entropy = x["entropy"].clone().requires_grad_(True)
    value_now = x["value_now"].clone().requires_grad_(True)
    ratio = torch.exp((now - x["old"]).clamp(-20, 20))
    loss = torch.maximum(-white * ratio, -white * ratio.clamp(1 - eps, 1 + eps))
    loss = torch.where(white < 0, torch.minimum(loss, -dual * white), loss)
    k1 = now - x["reference"]
    policy = (loss - entropy_weight * entropy
              + k3_weight * (torch.exp(-k1) - 1 + k1)).sum()
    clipped = torch.minimum(torch.maximum(value_now, x["value"] - value_clip),
                            x["value"] + value_clip)
    critic = 0.5 * torch.maximum((value_now - returns) ** 2, (clipped - returns) ** 2).sum()
    policy_gradient, entropy_gradient = torch.autograd.grad(policy, [now, entropy])
    value_gradient, = torch.autograd.grad(critic, [value_now])
    return {"advantages": white, "returns": returns,
            "kl": torch.stack([torch.stack(k1_sums).mean(), torch.stack(k3_sums).mean()]),
            "policy_loss": policy.detach().view(1), "value_loss": critic.detach().view(1),
            "policy_gradient": policy_gradient, "entropy_gradient": entropy_gradient,
            "value_gradient": value_gradient}


class PpoParityTest(unittest.TestCase):
    def test_targets_losses_and_gradients(self):
        for seed in range(5):
            inputs = case(seed)
            with tempfile.TemporaryDirectory() as directory:
                source = pathlib.Path(directory, "in.safetensors")
                result = pathlib.Path(directory, "out.safetensors")
                save_file(inputs, source)
                subprocess.run([DRIVER, source, result], check=True, timeout=60)
                outputs = load_file(result)
            for name, expected in oracle(inputs).items():
                # A relative tie of max() at the clip's edge would be luck: the draws avoid it.
                difference = (outputs[name] - expected).abs().max().item()
                scale = max(1.0, expected.abs().max().item())
                self.assertLessEqual(difference, TOLERANCE * scale, f"{name}, seed {seed}")


if __name__ == "__main__":
    unittest.main()

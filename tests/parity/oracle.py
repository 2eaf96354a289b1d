"""What the parity tests of models share: transformers' models segment by segment, and model_driver.

transformers' RMSNorm is patched to stay in float64.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

from safetensors.torch import load_file, save_file
import torch
from transformers.models.llama import modeling_llama
from transformers.models.mistral import modeling_mistral
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3

DRIVER = os.path.join(os.environ["TRAINYARD_TEST_DIR"], "model_driver")


def keep_float64(self, hidden):
    variance = hidden.pow(2).mean(-1, keepdim=True)
    return self.weight * (hidden * torch.rsqrt(variance + self.variance_epsilon))


for module, cls in ((modeling_llama, "LlamaRMSNorm"), (modeling_mistral, "MistralRMSNorm"),
                    (modeling_qwen2, "Qwen2RMSNorm"), (modeling_qwen3, "Qwen3RMSNorm")):
    getattr(module, cls).forward = keep_float64


def each_segment(inputs):
    offsets = inputs["segment_offsets"].tolist()
    return [inputs["token_ids"][a:b] for a, b in zip(offsets, offsets[1:])]


def oracle_logits(model, inputs):
    """Every segment by itself, one after another: [rows, V]."""
    return torch.cat([model(input_ids=ids[None]).logits[0] for ids in each_segment(inputs)])


class DriverTest(unittest.TestCase):
    """Runs model_driver in a scratch directory and compares what it wrote."""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.scratch.name)

    def tearDown(self):
        self.scratch.cleanup()

    def drive(self, mode, model, inputs, dtype):
        directory = self.path / "model"
        if not directory.exists():
            model.float().save_pretrained(directory)
        save_file(inputs, self.path / "in.safetensors")
        output = self.path / "out.safetensors"
        output.unlink(missing_ok=True)
        self.run_driver(mode, directory, self.path / "in.safetensors", output, dtype)
        return load_file(output)

    def run_driver(self, *arguments):
        done = subprocess.run([DRIVER, *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assert_close(self, ours, theirs, tolerance, what):
        self.assertEqual(list(ours.shape), list(theirs.shape), what)
        scale = max(1.0, theirs.abs().max().item())
        error = (ours.double() - theirs.double()).abs().max().item()
        self.assertLessEqual(error, tolerance * scale, what)

    def assert_gradients(self, model, results, tolerance):
        for name, parameter in model.named_parameters():
            ours = results["grad." + name].double()
            theirs = parameter.grad.double()
            error = (ours - theirs).norm() / max(theirs.norm().item(), 1e-6)
            self.assertLessEqual(error.item(), tolerance, name)

"""PyTorch's bf16 on machines that announce AMX without describing its tiles: oneDNN dies there."""

import os
import subprocess
import sys

PROBE = "import torch; a = torch.ones(64, 64).bfloat16(); (a @ a).sum().item()"


def make_bf16_run():
    """Call before torch is imported: where its bf16 products die, oneDNN is kept from AMX."""
    if subprocess.run([sys.executable, "-c", PROBE], capture_output=True).returncode != 0:
        os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_BF16"

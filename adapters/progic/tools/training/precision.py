"""Which number format a device trains fastest in."""

from __future__ import annotations

import torch

from .config import Precision


def best_precision(device: str) -> Precision:
    """bfloat16 where the device computes with it; else float16 on a GPU, float32 on a CPU."""
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if _cpu_computes_bfloat16() else "float32"


def _cpu_computes_bfloat16() -> bool:
    """Whether the processor has instructions for it; other processors emulate it, slowly."""
    if not hasattr(torch.cpu, "get_capabilities"):  # PyTorch before 2.11
        return False
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))

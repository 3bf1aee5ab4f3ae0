"""Operations of a network, by calflops as the papers count, and by torch's own counter.

For use inside a worker, by codecs with the capability ``Profiled`` whose environment has torch
and calflops.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from harness.codec import Profile


def profile(module: nn.Module, *inputs: torch.Tensor) -> Profile:
    """Parameters of ``module`` and operations of one forward pass.

    Args:
        module: Encoder and decoder in one ``forward``.
        *inputs: Its arguments, on its device.

    Returns:
        ``flops`` as calflops counts: a multiply-accumulate is two, and additions of biases,
        normalisations and activations are in it; products inside attention are not.
        ``flops_torch`` as ``torch.utils.flop_counter`` counts: convolutions and matrix products
        alone, those of attention with them.
    """
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Profile(parameters, _by_calflops(module, inputs), _by_torch(module, inputs))


def _by_calflops(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> int:
    from calflops import calculate_flops

    flops, _, _ = calculate_flops(
        model=module,
        args=list(inputs),
        output_as_string=False,
        print_results=False,
    )
    return int(flops)


def _by_torch(module: nn.Module, inputs: tuple[Any, ...]) -> int:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops())

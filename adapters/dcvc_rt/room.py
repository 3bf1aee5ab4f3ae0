"""Gives upstream's range encoder room for what it writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .capacity import SYMBOLS, missing_bytes, symbol_bits


class Room:
    """Counts what the symbols of an image cost, and adds empty ones where the buffer is too small.

    An added symbol costs a ten-thousandth of a bit, makes the buffer a byte longer and stands
    behind all others, where the decoder never looks. A photograph needs none.
    """

    def __init__(self, network: Any, device: str) -> None:
        """Stand between ``network``, after its ``update``, and its entropy coder."""
        coder = network.entropy_coder
        self._encoder = coder.encoder
        self._group: int = network.gaussian_encoder.cdf_group_index
        self._y_bits = _table(network.gaussian_encoder, device)
        self._z_bits = _table(network.bit_estimator_z, device)
        self._encode_y, self._encode_z = coder.encode_y, coder.encode_z
        self._flush, self._reset = coder.flush, coder.reset
        self._costs: list[Tensor] = []
        self._symbols = 0
        coder.encode_y, coder.encode_z = self.encode_y, self.encode_z
        coder.flush, coder.reset = self.flush, self.reset

    def reset(self) -> None:
        """Begin an image."""
        self._costs, self._symbols = [], 0
        self._reset()

    def encode_y(self, symbols: Tensor, group: int) -> None:
        """``symbols``: int16, the symbol in the high byte, its distribution in the low one."""
        wide = symbols.int()
        self._count(self._y_bits[wide & 0xFF, (wide >> 8) - SYMBOLS[0]])
        self._encode_y(symbols, group)

    def encode_z(self, symbols: Tensor, group: int, start: int, per_channel: int) -> None:
        """``symbols``: int8, channel by channel, of the distributions from ``start``."""
        rows = symbols.reshape(-1, per_channel).long() - SYMBOLS[0]
        self._count(self._z_bits[start : start + len(rows)].gather(1, rows))
        self._encode_z(symbols, group, start, per_channel)

    def flush(self) -> None:
        """Write the bytes."""
        coders = 2 if self._encoder.get_use_two_encoders() else 1
        missing = missing_bytes(float(sum(self._costs)), self._symbols, coders)
        if missing:
            self._encoder.encode_y(np.zeros(missing * coders, np.int16), self._group)
        self._flush()

    def _count(self, bits: Tensor) -> None:
        self._costs.append(bits.sum(dtype=torch.float64))
        self._symbols += bits.numel()


def _table(distributions: Any, device: str) -> Tensor:
    return torch.from_numpy(symbol_bits(*distributions.get_cdf_info())).to(device)

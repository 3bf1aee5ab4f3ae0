"""Means of the losses between two rows of the log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from harness.errors import HarnessError


class Means:
    """Means of the losses since the last row of the log, and where the time went."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._waited = 0.0
        self._start = time.perf_counter()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count in a wait for images."""
        start = time.perf_counter()
        yield
        self._waited += time.perf_counter() - start

    def add(self, losses: dict[str, Tensor]) -> None:
        """Count in one step's losses."""
        for name, value in losses.items():
            self._sums[name] = value + self._sums[name] if name in self._sums else value
        self._count += 1

    def values(self) -> dict[str, float]:
        """The means.

        Raises:
            HarnessError: One of them is not a finite number.
        """
        means = {name: (total / self._count).item() for name, total in self._sums.items()}
        for name, value in means.items():
            if not math.isfinite(value):
                raise HarnessError(
                    f"the training diverged: {name} is {value}",
                    "lower the learning rate, or use --precision bfloat16 or float32",
                )
        return means

    def times(self, batch: int) -> dict[str, float]:
        """Images trained on a second, and the share of the time that waited for them."""
        seconds = time.perf_counter() - self._start
        return {
            "images_per_second": self._count * batch / seconds,
            "waiting_share": self._waited / seconds,
        }

"""Image quality metrics, each with its identity card.

PyTorch is loaded on first use of :class:`Scorer`::

    scorer = Scorer(["psnr", "dists"], device="cpu")
    reference = scorer.reference(original)
    scores = scorer.score(reference, decoded)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.metrics.cards import Card

if TYPE_CHECKING:
    from harness.metrics.base import Score
    from harness.metrics.scorer import Reference, Scorer

__all__ = ["Card", "Reference", "Score", "Scorer"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from harness.metrics import scorer

        return getattr(scorer, name)
    raise AttributeError(f"module 'harness.metrics' has no attribute {name!r}")

"""The identity card of a metric's value: what it is a value of."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.catalog.metrics import METRICS


@dataclass(frozen=True)
class Card:
    """What a metric's value is a value of. Two values compare only when their cards agree.

    A card says nothing of the device or the machine: values agree across them to 1e-5.

    Attributes:
        metric: The metric's name.
        implementation: The package, or ``codec-harness``, whose values these are.
        version: The version of that implementation.
        definition: The variant: backbone, colour, settings.
        input_range: What the 8-bit values are mapped to before the metric sees them.
        weights: sha256 of each network's tensors (see :func:`harness.assets.networks.digest`), or
            of its file where the network is loaded from that.
        resizing: Always ``none``: the image is judged at the size it was decoded to.
    """

    metric: str
    implementation: str
    version: str
    definition: str
    input_range: str
    weights: Mapping[str, str] = field(default_factory=dict)
    resizing: str = "none"

    def as_dict(self) -> dict[str, Any]:
        """The card as JSON holds it, with the metric's direction and best value."""
        metric = METRICS[self.metric]
        best = metric.best if math.isfinite(metric.best) else str(metric.best)
        return {**asdict(self), "direction": metric.direction, "best": best}

    @property
    def id(self) -> str:
        """A short name of the card: the start of a sha256 over all it says."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

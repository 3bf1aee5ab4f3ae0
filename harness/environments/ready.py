"""A codec that can run here, with all that it needs for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.codec_spec import CodecSpec, RateSpec
from harness.codec import WeightsMode
from harness.environments.base import Environment
from harness.worker import wire


@dataclass(frozen=True)
class Weights:
    """The weights of one rate point on this machine.

    Attributes:
        mode: ``pretrained``, ``random`` or ``none``.
        files: Where each file is, or would be, by its name in the manifest.
        identity: How a record names them: a file's name and the start of its sha256,
            ``random``, or nothing for a codec without a network.
    """

    mode: WeightsMode
    files: Mapping[str, Path]
    identity: str


@dataclass(frozen=True)
class Ready:
    """A codec that can run here, and everything it needs for that, located once.

    Attributes:
        codec: What its manifest states.
        environment: Where it runs.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        checkout: The checkout of upstream's repository, for a codec that runs its code.
        weights: The weights of the rate points that are to run, by rate point id.
    """

    codec: CodecSpec
    environment: Environment
    device: str
    checkout: Path | None
    weights: Mapping[str, Weights]

    @property
    def reads(self) -> list[Path]:
        """The files and folders of this machine that the codec reads."""
        paths = {path for weights in self.weights.values() for path in weights.files.values()}
        if self.checkout is not None:
            paths.add(self.checkout)
        return [path for path in (self.codec.folder, *sorted(paths)) if path.exists()]

    def fields(self, rate: RateSpec) -> wire.Header:
        """A rate point in the form that is sent to the worker."""
        weights = self.weights[rate.id]
        upstream = self.checkout
        if upstream is not None and self.codec.upstream is not None:
            upstream /= self.codec.upstream.subfolder
        return wire.rate_fields(rate.id, rate.options, weights.mode, weights.files, upstream)

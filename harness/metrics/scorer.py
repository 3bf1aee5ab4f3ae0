"""Scores decoded images against one reference after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch

from harness.assets.networks import Network, PublishedFile, load_network, not_here
from harness.catalog.metrics import METRICS
from harness.codec import Image
from harness.errors import HarnessError, Lack, UnknownName
from harness.metrics.base import Measure, Score
from harness.metrics.cards import CLIP_RN50, PACKAGES, Card
from harness.metrics.clip_iqa import ClipIqa
from harness.metrics.dists import Dists
from harness.metrics.lpips import Lpips
from harness.metrics.ms_ssim import MsSsim
from harness.metrics.perceptual import Perceptual
from harness.metrics.psnr import Psnr
from harness.metrics.vgg import VGG16, Vgg16

__all__ = ["Reference", "Score", "Scorer"]

T = TypeVar("T")

_WEIGHTS: dict[str, Network | PublishedFile] = {
    "lpips": VGG16,
    "dists": VGG16,
    "clip_iqa": CLIP_RN50,
}


class Reference:
    """An original, with which any number of decoded images are compared.

    What the metrics need of it is computed at the first comparison and kept.

    Attributes:
        image: uint8, H x W x 3.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self._prepared: dict[Measure, Any] = {}

    def prepared_for(self, measure: Measure) -> Any:
        """What ``measure`` needs of the original, computed once."""
        if measure not in self._prepared:
            self._prepared[measure] = measure.prepare(self.image)
        return self._prepared[measure]


class Scorer:
    """Computes the requested metrics on one device.

    Args:
        names: Names of :data:`METRICS`.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Attributes:
        cards: The identity card of each metric that can be computed.
        unavailable: Why each other metric cannot, with the remedy; its score is always blank.

    Raises:
        UnknownName: There is no such metric.
        HarnessError: There is no such device.
    """

    def __init__(self, names: Sequence[str], device: str = "cpu") -> None:
        wanted = {_known(name) for name in names}
        self.names = tuple(name for name in METRICS if name in wanted)
        self.unavailable: dict[str, Lack] = {}
        self._device = _device(device)
        with _exact_arithmetic():
            self._measures = list(self._make_measures())
        self.cards: dict[str, Card] = {}
        for measure in self._measures:
            self.cards.update(measure.cards)

    @staticmethod
    def availability(name: str) -> Lack | None:
        """Why metric ``name`` cannot be computed now, or ``None``; downloads nothing.

        Raises:
            UnknownName: There is no such metric.
        """
        lack = _package_lack(_known(name))
        if lack is None and name in _WEIGHTS:
            lack = not_here(_WEIGHTS[name])
        return lack

    def reference(self, image: Image) -> Reference:
        """Prepare an original: uint8, H x W x 3.

        Raises:
            HarnessError: It is not such an image.
        """
        return Reference(_checked(image))

    def score(self, reference: Reference, image: Image) -> dict[str, Score]:
        """Score a decoded image (uint8, H x W x 3) under every metric of :attr:`names`.

        Raises:
            HarnessError: It is not such an image, or not of the reference's size.
        """
        if _checked(image).shape != reference.image.shape:
            sizes = ["{1}x{0}".format(*i.shape) for i in (image, reference.image)]
            raise HarnessError("an image of {} pixels cannot be scored against {}".format(*sizes))
        scores = {name: Score(None, str(lack)) for name, lack in self.unavailable.items()}
        for measure in self._measures:
            try:
                with _exact_arithmetic():
                    scores |= measure.score(reference.prepared_for(measure), image)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                reason = f"out of memory on {self._device}"
                scores |= dict.fromkeys(measure.cards, Score(None, reason, final=False))
        return {name: scores[name] for name in self.names}

    def _make_measures(self) -> Iterator[Measure]:
        device = self._device
        heads = [
            self._attempt(["lpips"], lambda: Lpips(device)),
            self._attempt(["dists"], lambda: Dists(device)),
        ]
        found = [head for head in heads if head]

        def make_perceptual() -> Perceptual:
            return Perceptual(found, Vgg16(load_network(VGG16), device))

        measures: list[Measure | None] = [
            self._attempt(["psnr"], Psnr),
            self._attempt(["ms_ssim"], lambda: MsSsim(device)),
            self._attempt([head.name for head in found], make_perceptual),
            self._attempt(["clip_iqa"], lambda: ClipIqa(device)),
        ]
        return filter(None, measures)

    def _attempt(self, names: Sequence[str], make: Callable[[], T]) -> T | None:
        """What computes ``names``; ``None`` if they are not requested or not available."""
        if not names or not set(names) <= set(self.names):
            return None
        lack = _package_lack(names[0])
        if lack is None:
            try:
                return make()
            except HarnessError as error:
                lack = error.lack
            except (ImportError, OSError) as error:
                lack = Lack(" ".join(str(error).split()))
        self.unavailable |= dict.fromkeys(names, lack)
        return None


def _package_lack(name: str) -> Lack | None:
    return PACKAGES[name].lack() if name in PACKAGES else None


def _known(name: str) -> str:
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    return name


def _device(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise HarnessError(f"device '{name}' cannot be used: {reason}", "use cpu") from error


def _checked(image: Image) -> Image:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:  # noqa: PLR2004
        shape = " x ".join(map(str, image.shape))
        raise HarnessError(f"metrics take uint8 H x W x 3, not {image.dtype} {shape}")
    return image


@contextmanager
def _exact_arithmetic() -> Iterator[None]:
    """No gradients, and on a GPU full float32: no TF32, deterministic convolutions."""
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, False
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    try:
        with torch.inference_mode(), flags:
            yield
    finally:
        matmul.allow_tf32 = before

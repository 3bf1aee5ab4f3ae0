"""Makes a plan from a resolved request: the cases, and the batches in which they run.

Pure: it uses what manifests state, what is ready, and the images' sizes and hashes; it opens no
file, starts no process and writes nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.catalog.codec_spec import CodecSpec, RateSpec
from harness.codec import WeightsMode
from harness.environments.ready import Ready
from harness.errors import Lack
from harness.images.datasets import Dataset, SourceImage
from harness.images.resolution import NATIVE, POLICY, Resolution, fits
from harness.plan.request import Settings
from harness.text import shown

PROTOCOL = 1
"""Increased when a change to the harness changes numbers that were measured before."""

BATCH_IMAGES = 24
"""How many images share one loaded model: all of Kodak, yet little is lost if a run is killed."""


@dataclass(frozen=True)
class Model:
    """Rate points of a codec that one loaded model serves: one, or all of a progressive codec.

    Attributes:
        codec: What its manifest states.
        rates: The rate points, in the manifest's order.
        weights: Which weights it runs with.
        checkpoint: The identity of the weights; empty if there are none, or they are missing.
        code: Digest of the code that decides its numbers (:mod:`harness.readiness.identity`).
        device: Where it runs.
        ready: What it needs to run, or what is missing.
    """

    codec: CodecSpec
    rates: tuple[RateSpec, ...]
    weights: WeightsMode
    checkpoint: str
    code: str
    device: str
    ready: Ready | Lack


@dataclass(frozen=True)
class Case:
    """The smallest thing measured: codec x rate point x image x resolution."""

    id: str
    rate: RateSpec
    image: SourceImage


@dataclass(frozen=True)
class Batch:
    """Cases that share one loaded model.

    Cases of a model that cannot run here are recorded with the reason, without an attempt.

    Attributes:
        model: The model.
        rates: The rate points of the model that have cases in this batch.
        dataset: The data set's name.
        resolution: The resolution at which its images are coded.
        cases: The cases, ordered by rate point and image.
    """

    model: Model
    rates: tuple[RateSpec, ...]
    dataset: str
    resolution: Resolution
    cases: tuple[Case, ...]

    @property
    def codec(self) -> CodecSpec:
        """What the codec's manifest states."""
        return self.model.codec

    @property
    def lack(self) -> Lack | None:
        """Why it cannot run here, or ``None``."""
        return self.model.ready if isinstance(self.model.ready, Lack) else None

    def place(self, case: Case) -> list[str]:
        """The folder names and file name of a case's files in the run's folder."""
        name = self.codec.name + (f"@{self.model.checkpoint}" if self.codec.checkpoint else "")
        return [name, case.rate.id, self.dataset, str(self.resolution), case.image.name]


@dataclass(frozen=True)
class Skip:
    """An image that is not measured at a resolution, and why."""

    dataset: str
    image: str
    resolution: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What would run.

    Attributes:
        batches: The batches, in the order in which they run.
        skipped: Images that are too small for a resolution, and files that were refused.
    """

    batches: tuple[Batch, ...]
    skipped: tuple[Skip, ...] = ()

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(len(batch.cases) for batch in self.batches)

    @functools.cached_property
    def ids(self) -> frozenset[str]:
        """The identities of all cases."""
        return frozenset(case.id for batch in self.batches for case in batch.cases)

    @functools.cached_property
    def unavailable(self) -> dict[str, Lack]:
        """What cannot run here, with the reason: codecs, or some of a codec's rate points."""
        lacks: dict[str, dict[str, Lack | None]] = {}
        for batch in self.batches:
            for rate in batch.rates:
                lacks.setdefault(label(batch.codec), {})[rate.id] = batch.lack
        found: dict[str, Lack] = {}
        for name, by_rate in lacks.items():
            for rate_id, lack in by_rate.items():
                if lack is not None:
                    found[f"{name} {rate_id}" if None in by_rate.values() else name] = lack
        return found


def make_plan(
    models: Sequence[Model],
    datasets: Sequence[Dataset],
    resolutions: Sequence[Resolution],
    settings: Settings,
) -> Plan:
    """Plan all requested cases.

    Args:
        models: The codecs at the requested rate points, in the order to run.
        datasets: The resolved data sets.
        resolutions: The resolutions, ``native`` among them.
        settings: How to measure.
    """
    sets = [
        _fitting(dataset, resolution, settings)
        for dataset in datasets
        for resolution in resolutions
    ]
    batches = [
        batch
        for models_of_codec in _by_codec(models)
        for images in sets
        for model in models_of_codec
        for batch in _batches(model, images, settings)
    ]
    refused = [
        Skip(d.name, shown(path), "native", reason) for d in datasets for path, reason in d.refused
    ]
    misfits = [skip for images in sets for skip in images.skipped]
    return Plan(tuple(batches), (*refused, *misfits))


def label(codec: CodecSpec) -> str:
    """The codec's name with its checkpoint, as given on the command line."""
    return codec.name if codec.checkpoint is None else f"{codec.name}@{codec.checkpoint.name}"


@dataclass(frozen=True)
class _Images:
    """The images of a data set that are measured at a resolution, and those that are skipped."""

    dataset: str
    resolution: Resolution
    fitting: tuple[SourceImage, ...]
    skipped: tuple[Skip, ...]


def _fitting(dataset: Dataset, resolution: Resolution, settings: Settings) -> _Images:
    reasons = {
        image: fits((image.height, image.width), resolution, upsample=settings.upsample)
        for image in dataset.images
    }
    return _Images(
        dataset.name,
        resolution,
        tuple(image for image, reason in reasons.items() if reason is None),
        tuple(
            Skip(dataset.name, image.name, str(resolution), reason)
            for image, reason in reasons.items()
            if reason is not None
        ),
    )


def _by_codec(models: Iterable[Model]) -> list[list[Model]]:
    groups: dict[str, list[Model]] = {}
    for model in models:
        groups.setdefault(f"{label(model.codec)} {model.codec.checkpoint}", []).append(model)
    return list(groups.values())


def _batches(model: Model, images: _Images, settings: Settings) -> Iterator[Batch]:
    prefixes = [(rate, _case_prefix(model, rate, images, settings)) for rate in model.rates]
    for start in range(0, len(images.fitting), BATCH_IMAGES):
        some = images.fitting[start : start + BATCH_IMAGES]
        cases = tuple(
            Case(_case_id(prefix, image), rate, image)
            for rate, prefix in prefixes
            for image in some
        )
        yield Batch(model, model.rates, images.dataset, images.resolution, cases)


def _case_prefix(model: Model, rate: RateSpec, images: _Images, settings: Settings) -> bytes:
    """The part of a case's identity that is the same for all images."""
    native = images.resolution == NATIVE
    identity = {
        "protocol": PROTOCOL,
        "codec": model.codec.name,
        "code": model.code,
        "checkpoint": model.checkpoint,
        "weights": model.weights,
        "rate": rate.id,
        "options": {**model.codec.options, **rate.options},
        "dataset": images.dataset,
        "resolution": str(images.resolution),
        "resampling": "" if native else POLICY.partition(":")[0],
        "upsample": settings.upsample,
        "device": model.device,
        "threads": settings.threads,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).digest()


def _case_id(prefix: bytes, image: SourceImage) -> str:
    content = f"\0{image.name}\0{image.sha256}".encode()
    return hashlib.sha256(prefix + content).hexdigest()[:32]

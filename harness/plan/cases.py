"""From what was asked to a plan: cases, and the batches in which they run.

Pure: it looks at manifests, the images' sizes and hashes, and the index of what is finished; it
opens no image, starts no process and writes nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from harness.assets.datasets import Dataset, SourceImage
from harness.catalog.codec_spec import CodecSpec, EnvironmentName, RateSpec
from harness.codec import WeightsMode
from harness.images.resolution import NATIVE, POLICY, Resolution, fits

PROTOCOL = 1
"""Raised when a change of the harness changes numbers that were measured before."""

BATCH_IMAGES = 24
"""The images that share one loaded model: all of Kodak, and little lost when a run is killed."""


Checkpoints = Mapping[tuple[str, Path | None, str], str]
"""Identity of weights by the codec's name, the checkpoint that was asked for, and the rate."""


@dataclass(frozen=True)
class Settings:
    """How to measure. The first four are part of a case's identity."""

    device: str = "cpu"
    threads: int = 1
    weights: Literal["pretrained", "random"] = "pretrained"
    upsample: bool = False
    metrics: tuple[str, ...] = ()
    repeats: int = 1
    warmup: int = 1
    cap_seconds: float | None = None
    timeout: float = 600.0
    memory_bytes: int = 1 << 40
    keep: Literal["all", "bitstreams", "none"] = "all"
    environment: EnvironmentName = "auto"

    @property
    def cap_ms(self) -> float | None:
        """The longest call that is repeated, in milliseconds."""
        return None if self.cap_seconds is None else self.cap_seconds * 1e3


@dataclass(frozen=True)
class Case:
    """The smallest thing measured: codec x rate point x image x resolution."""

    id: str
    rate: RateSpec
    image: SourceImage


@dataclass(frozen=True)
class Batch:
    """Cases that share one loaded model: one rate point, or all of a progressive codec.

    Those of a codec or rate point that cannot run here are recorded with the reason, not tried.
    """

    codec: CodecSpec
    rates: tuple[RateSpec, ...]
    dataset: str
    resolution: Resolution
    cases: tuple[Case, ...]
    checkpoint: str
    weights: WeightsMode
    unavailable: str | None = None

    def place(self, case: Case) -> list[str]:
        """The names under which a case's files lie in the run's folder."""
        name = self.codec.name + (f"@{self.checkpoint}" if self.codec.checkpoint else "")
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
        batches: In the order in which they run.
        skipped: Images that a resolution does not fit, and files that were refused.
    """

    batches: tuple[Batch, ...]
    skipped: tuple[Skip, ...] = ()

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(len(batch.cases) for batch in self.batches)

    @functools.cached_property
    def unavailable(self) -> dict[str, str]:
        """What cannot run here, with the reason: codecs, or some of a codec's rate points."""
        reasons: dict[str, dict[str, str | None]] = {}
        for batch in self.batches:
            for rate in batch.rates:
                reasons.setdefault(label(batch.codec), {})[rate.id] = batch.unavailable
        found: dict[str, str] = {}
        for name, by_rate in reasons.items():
            for rate_id, reason in by_rate.items():
                if reason is not None:
                    found[f"{name} {rate_id}" if None in by_rate.values() else name] = reason
        return found


class State(Protocol):
    """What must be known of a case to tell whether it is finished."""

    status: str
    message: str | None
    repeats: int
    scored: set[str]
    blank: set[str]


def make_plan(
    codecs: Sequence[CodecSpec],
    datasets: Sequence[Dataset],
    resolutions: Sequence[Resolution],
    rates: Sequence[str],
    settings: Settings,
    checkpoints: Checkpoints,
    refused: Mapping[str, str],
) -> Plan:
    """All cases that were asked for.

    Args:
        codecs: The codecs, in the order to run.
        datasets: The resolved data sets.
        resolutions: The resolutions, ``native`` among them.
        rates: Ids of rate points; empty for all. A codec that has none of them is an error.
        settings: How to measure.
        checkpoints: Identity of the weights, with their sha256.
        refused: Codecs, by :func:`label`, that may not run, with the reason.

    Raises:
        UnknownName: A rate point that a codec does not have.
    """
    skipped = [
        Skip(d.name, str(path), "native", reason) for d in datasets for path, reason in d.refused
    ]
    batches: list[Batch] = []
    fitting: dict[tuple[str, Resolution], list[SourceImage]] = {}
    for dataset in datasets:
        for resolution in resolutions:
            images, misfits = _fit(dataset, resolution, upsample=settings.upsample)
            fitting[dataset.name, resolution] = images
            skipped += misfits
    for codec in codecs:
        mode = weights_mode(codec, settings)
        chosen = tuple(codec.rate(r) for r in rates) if rates else codec.rates
        chosen = tuple(sorted(chosen, key=codec.rates.index))
        groups = [chosen] if codec.progressive else [(rate,) for rate in chosen]
        of_groups = [
            (
                group,
                checkpoints.get((codec.name, codec.checkpoint, group[-1].id), ""),
                refused.get(label(codec)) or cannot_run(codec, group[-1], settings),
            )
            for group in groups
        ]
        for (dataset_name, resolution), images in fitting.items():
            for group, checkpoint, reason in of_groups:
                identities = [
                    (rate, _case_prefix(codec, rate, dataset_name, resolution, settings,
                                        checkpoint, mode))
                    for rate in group
                ]  # fmt: skip
                for start in range(0, len(images), BATCH_IMAGES):
                    cases = tuple(
                        Case(_case_id(prefix, image), rate, image)
                        for rate, prefix in identities
                        for image in images[start : start + BATCH_IMAGES]
                    )
                    batches.append(
                        Batch(
                            codec, group, dataset_name, resolution, cases, checkpoint, mode, reason
                        )
                    )
    return Plan(tuple(batches), tuple(skipped))


def label(codec: CodecSpec) -> str:
    """The codec's name with its checkpoint, as it was asked for."""
    return codec.name if codec.checkpoint is None else f"{codec.name}@{codec.checkpoint.name}"


def weights_mode(codec: CodecSpec, settings: Settings) -> WeightsMode:
    """Which weights the codec runs with."""
    return settings.weights if codec.network else "none"


def device_of(codec: CodecSpec, settings: Settings) -> str:
    """Where the codec runs: the device asked for, or the CPU if it knows no other."""
    return device_for(codec, settings.device)


def device_for(codec: CodecSpec, device: str) -> str:
    """Where the codec runs when ``device`` is asked for: the CPU if it knows no other."""
    return "cpu" if codec.constraints.devices == ("cpu",) else device


def cannot_run(codec: CodecSpec, rate: RateSpec, settings: Settings) -> str | None:
    """Why the rate point cannot run under these settings, or ``None``."""
    reason = wrong_device(codec, device_of(codec, settings))
    return reason or codec.unavailable(settings.weights, rate)


def wrong_device(codec: CodecSpec, device: str) -> str | None:
    """That the codec does not run on such a device, with the remedy, or ``None``."""
    kind = device.partition(":")[0]
    if kind in codec.constraints.devices:
        return None
    allowed = " or ".join(codec.constraints.devices)
    return f"codec '{codec.name}' does not run on {kind}; use --device {allowed}"


def measured(
    case: Case, states: Mapping[str, State], settings: Settings, reason: str | None
) -> bool:
    """Whether the case needs no (further) measuring.

    Finished is ``ok`` with as many timed calls as asked for. A codec that is unavailable and
    was recorded so needs no second record.
    """
    state = states.get(case.id)
    if state is None:
        return False
    if reason is not None:
        return state.status == "ok" or (state.status == "unavailable" and state.message == reason)
    return state.status == "ok" and state.repeats >= settings.repeats


def remaining(
    plan: Plan,
    states: Mapping[str, State],
    settings: Settings,
    has_image: Callable[[Batch, Case], bool],
) -> Plan:
    """The part of the plan that must still be measured, by the index of the store.

    A case that lacks a metric and whose reconstruction is not there (``has_image``) must be
    measured again; not so for a metric that was tried and could not be had.
    """
    batches = []
    for batch in plan.batches:
        todo = tuple(
            case
            for case in batch.cases
            if not measured(case, states, settings, batch.unavailable)
            or (
                lacks_score(batch, states[case.id], settings, ignoring=states[case.id].blank)
                and not has_image(batch, case)
            )
        )
        if todo:
            held = {case.rate.id for case in todo}
            rates = tuple(rate for rate in batch.rates if rate.id in held)
            batches.append(replace(batch, rates=rates, cases=todo))
    return Plan(tuple(batches), plan.skipped)


def lacks_score(
    batch: Batch, state: State, settings: Settings, ignoring: AbstractSet[str] = frozenset()
) -> bool:
    """Whether a measured case lacks a metric. Random weights are never scored."""
    return (
        state.status == "ok"
        and batch.weights != "random"
        and not (state.scored | ignoring).issuperset(settings.metrics)
    )


def unscored(
    plan: Plan, states: Mapping[str, State], settings: Settings
) -> list[tuple[Batch, Case]]:
    """The measured cases that lack a metric."""
    return [
        (batch, case)
        for batch in plan.batches
        for case in batch.cases
        if case.id in states and lacks_score(batch, states[case.id], settings)
    ]


def _fit(
    dataset: Dataset, resolution: Resolution, *, upsample: bool
) -> tuple[list[SourceImage], list[Skip]]:
    images, misfits = [], []
    for image in dataset.images:
        if reason := fits((image.height, image.width), resolution, upsample=upsample):
            misfits.append(Skip(dataset.name, image.name, str(resolution), reason))
        else:
            images.append(image)
    return images, misfits


def _case_prefix(
    codec: CodecSpec,
    rate: RateSpec,
    dataset: str,
    resolution: Resolution,
    settings: Settings,
    checkpoint: str,
    mode: WeightsMode,
) -> bytes:
    """The part of a case's identity that it shares with the other images."""
    identity = {
        "protocol": PROTOCOL,
        "codec": codec.name,
        "code": codec.code_digest,
        "checkpoint": checkpoint,
        "weights": mode,
        "rate": rate.id,
        "options": {**codec.options, **rate.options},
        "dataset": dataset,
        "resolution": str(resolution),
        "resampling": "" if resolution == NATIVE else POLICY.partition(":")[0],
        "upsample": settings.upsample,
        "device": device_of(codec, settings),
        "threads": settings.threads,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).digest()


def _case_id(prefix: bytes, image: SourceImage) -> str:
    content = f"\0{image.name}\0{image.sha256}".encode()
    return hashlib.sha256(prefix + content).hexdigest()[:32]

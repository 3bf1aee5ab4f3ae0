"""A codec's metrics over its checkpoints, and the steps at which they changed."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.curves import Floats, common_images, curves_of
from harness.analysis.intervals import MIN_IMAGES
from harness.analysis.records import ImageSet, curve_records, image_sets, metrics_in
from harness.catalog.checkpoints import natural_key
from harness.catalog.metrics import Metric
from harness.errors import HarnessError, Status
from harness.gate.flips import Change, change_points
from harness.gate.limits import Limits
from harness.gate.pairs import checkpoints_in, of_codec


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint of a codec.

    Attributes:
        id: As records name it, ``file:sha256``.
        label: What tables and figures print: the file's name without suffix, and the head of its
            sha256 where two share that.
    """

    id: str
    label: str


@dataclass(frozen=True)
class History:
    """One metric at one rate point over the checkpoints.

    Attributes:
        codec: The codec's name.
        title: Its name as printed.
        image_set: Data set and resolution.
        metric: The metric.
        rate: The rate point's id.
        checkpoints: In their order, C of them; those without values are left out.
        means: float64, C, over the images that all of them have.
        images: How many images that is.
        changes: The steps at which it changed.
        notes: What was left out, and why.
    """

    codec: str
    title: str
    image_set: ImageSet
    metric: Metric
    rate: str
    checkpoints: tuple[Checkpoint, ...]
    means: Floats
    images: int
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def histories(
    frame: pd.DataFrame,
    codec: str,
    metrics: list[Metric] | None = None,
    limits: Limits | None = None,
) -> tuple[list[History], str]:
    """Every metric of a codec at every rate point over its checkpoints.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.
        codec: The codec's name; underscores are accepted for hyphens.
        metrics: The metrics; all that have values where ``None``.
        limits: The least change that counts, and the level of the test.

    Returns:
        The histories by image set, metric and rate point, and what the checkpoints are ordered by.

    Raises:
        UnknownName: The codec is not in the results.
        HarnessError: It has no checkpoint with values.
    """
    limits = limits or Limits()
    rows = of_codec(frame, codec)
    rows = rows[rows["checkpoint"].isin(checkpoints_in(rows)) & rows["weights"].ne("random")]
    if not rows["status"].eq(Status.OK).any():
        raise HarnessError(
            f"the results hold no checkpoint of {codec}",
            f"measure some with: harness run --codec '{codec}@checkpoints/*'",
        )
    checkpoints, by = ordered(rows)
    # A checkpoint stands where a codec does, so that of its records the newest counts.
    apart = curve_records(rows.assign(codec=rows["checkpoint"]))
    found = [
        history
        for image_set, of_set in image_sets(apart)
        for metric in metrics or metrics_in(of_set)
        for history in _of_metric(codec, image_set, of_set, metric, checkpoints, limits)
    ]
    return found, by


def ordered(rows: pd.DataFrame) -> tuple[list[Checkpoint], str]:
    """The checkpoints of some records in their order, and what that is by.

    By the numbers in their names where these differ; else by the training step that the codec
    reports for each (``step`` in the column ``facts``); else by the time of the first record.
    """
    ids = checkpoints_in(rows)
    files = {name: name.rpartition(":")[0] for name in ids}
    stems = {name: file.rpartition(".")[0] or file for name, file in files.items()}
    checkpoints = {
        name: Checkpoint(
            name,
            stem
            if list(stems.values()).count(stem) == 1
            else f"{stem} {name.rpartition(':')[2][:6]}",
        )
        for name, stem in stems.items()
    }
    numbers = {name: [p for p in natural_key(stem) if p[0] == 0] for name, stem in stems.items()}
    if len({tuple(n) for n in numbers.values()}) == len(ids) and all(numbers.values()):
        return [checkpoints[n] for n in sorted(ids, key=lambda n: natural_key(stems[n]))], "name"
    steps = _steps(rows)
    if len(set(steps.values())) == len(ids):
        return [checkpoints[n] for n in sorted(ids, key=steps.__getitem__)], "training step"
    started = rows.groupby("checkpoint")["started"].min()
    return [checkpoints[str(n)] for n in started.sort_values(kind="stable").index], "time"


def _steps(rows: pd.DataFrame) -> dict[str, float]:
    """The training step of each checkpoint whose records state one."""
    if "facts" not in rows:
        return {}
    stated = rows.dropna(subset=["facts"]).drop_duplicates("checkpoint")
    steps = {}
    for name, facts in zip(stated["checkpoint"], stated["facts"], strict=True):
        try:
            steps[str(name)] = float(json.loads(facts)["step"])
        except (KeyError, TypeError, ValueError):
            continue
    return steps


def _of_metric(
    codec: str,
    image_set: ImageSet,
    rows: pd.DataFrame,
    metric: Metric,
    checkpoints: list[Checkpoint],
    limits: Limits,
) -> list[History]:
    found = []
    points = rows.groupby("rate")["rate_index"].min().sort_values(kind="stable")
    for rate in points.index:
        curves = curves_of(rows[rows["rate"] == rate], metric)
        notes = []
        usable = []
        for checkpoint in checkpoints:
            curve = curves.get(checkpoint.id)
            if curve is None:
                continue
            kept, left_out = curve.without_empty_points()
            if kept.rates:
                usable.append((checkpoint, kept))
            else:
                notes.append(f"{checkpoint.label}: {'; '.join(curve.missing or left_out)}")
        cards = {card for _, curve in usable for card in curve.cards}
        images = common_images(curve for _, curve in usable)
        if len(cards) > 1:
            notes.append(f"computed in different ways: identity cards {', '.join(sorted(cards))}")
            images = []
        if not images:
            continue
        values = np.stack([curve.on(images).quality[:, 0] for _, curve in usable])
        few = len(images) < MIN_IMAGES
        if few:
            notes.append(f"changes are sought from {MIN_IMAGES} images on")
        found.append(
            History(
                codec=codec,
                title=str(rows["title"].iloc[0]).partition("@")[0],
                image_set=image_set,
                metric=metric,
                rate=str(rate),
                checkpoints=tuple(checkpoint for checkpoint, _ in usable),
                means=values.mean(axis=1),
                images=len(images),
                changes=() if few else tuple(_changes(values, metric, limits)),
                notes=tuple(notes),
            )
        )
    return found


def _changes(values: Floats, metric: Metric, limits: Limits) -> list[Change]:
    limit = limits.of(metric.name)
    share = abs(float(values.mean())) * (limit.percent or 0.0) / 100
    least = share if limit.absolute is None else limit.absolute
    return change_points(values, least, limits.level, limits.samples)

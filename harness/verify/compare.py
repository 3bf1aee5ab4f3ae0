"""Compares what was made again with what is recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.catalog.metrics import METRICS
from harness.codec import Image
from harness.environments.client import WorkerFailure
from harness.errors import HarnessError, Status
from harness.images.files import picture_sha256
from harness.metrics.base import Score
from harness.metrics.cards import Card
from harness.verify.again import Coded
from harness.verify.finding import Field, Outcome

NOT_HERE = {Status.UNAVAILABLE, Status.TIMEOUT, Status.OUT_OF_MEMORY}
"""Statuses that say something of this machine, and nothing of the record."""

UNSTEADY = "the codec is recorded as not deterministic: encoding again gives other bytes"


def failure_field(failure: WorkerFailure | HarnessError) -> Field:
    """The field of a case that is recorded ``ok`` and did not end so here."""
    if isinstance(failure, HarnessError):
        return Field("status", Outcome.IMPOSSIBLE, "ok", note=str(failure))
    outcome = Outcome.IMPOSSIBLE if failure.status in NOT_HERE else Outcome.DIFFERENT
    return Field("status", outcome, "ok", str(failure.status), note=str(failure))


def coding_fields(
    record: Mapping[str, Any], coded: Coded, kept: Callable[[], Image | None]
) -> Iterator[Field]:
    """Bytes and picture, compared.

    Args:
        record: What is recorded.
        coded: What was made again.
        kept: Reads the reconstruction that is kept beside the record; ``None`` if there is none.
    """
    unsteady = _given(record, "deterministic") is False
    if unsteady and coded.bitstream_sha256 != record["bitstream_sha256"]:
        yield Field("bitstream_sha256", Outcome.IMPOSSIBLE, note=UNSTEADY)
        return
    yield _same("bitstream_sha256", record["bitstream_sha256"], coded.bitstream_sha256)
    pixels = coded.height * coded.width
    for name, found in (
        ("bytes", coded.bytes),
        ("height", coded.height),
        ("width", coded.width),
        ("bpp", 8 * coded.bytes / pixels),
    ):
        yield _same(name, _given(record, name), found)
    yield from _picture(record, coded, kept)


def _picture(
    record: Mapping[str, Any], coded: Coded, kept: Callable[[], Image | None]
) -> Iterator[Field]:
    digest = _given(record, "picture_sha256")
    here = coded.picture
    found = picture_sha256(here)
    if digest == found:
        yield Field("picture_sha256", Outcome.EQUAL, digest, found)
        return
    there = kept()
    if digest is None and there is None:
        return  # records of older versions have no digest: nothing is said of the picture
    if digest is None and there is not None:
        digest = picture_sha256(there)
    yield _same("picture_sha256", digest, found, _distance(there, here))


def _distance(there: Image | None, here: Image) -> str:
    if there is None:
        return ""
    if there.shape != here.shape:
        return f"{there.shape[0]}x{there.shape[1]} recorded, {here.shape[0]}x{here.shape[1]} found"
    steps = np.abs(there.astype(np.int16) - here.astype(np.int16)).max(axis=2)
    if not steps.any():
        return "the kept reconstruction equals what was found"
    share = np.count_nonzero(steps) / steps.size
    return f"{share:.2%} of the pixels differ, by {steps.max()} of 255 steps at most"


def metric_fields(
    record: Mapping[str, Any],
    scores: Mapping[str, Score],
    cards: Mapping[str, Card],
    recorded_card: Callable[[str], Mapping[str, Any]],
) -> Iterator[Field]:
    """Each recorded metric that was computed again, compared under its stated tolerance.

    Args:
        record: What is recorded.
        scores: The metrics of the picture that was made again; all that were asked for.
        cards: The identity cards under which they were computed; those without cannot be computed.
        recorded_card: Reads the card of that id that is kept beside the records.
    """
    for name, score in scores.items():
        value = _given(record, name)
        if value is None:
            continue
        if name not in cards:
            yield Field(name, Outcome.IMPOSSIBLE, value, note=score.reason or "cannot be computed")
            continue
        card = cards[name]
        if card.id != record[f"{name}_card"]:
            there = recorded_card(str(record[f"{name}_card"]))
            note = f"recorded under another identity card: {_card_difference(there, card)}"
            yield Field(name, Outcome.IMPOSSIBLE, value, note=note)
            continue
        yield _near(name, float(value), score)


def _near(name: str, recorded: float, score: Score) -> Field:
    tolerance = METRICS[name].tolerance
    if score.value is None:
        outcome = Outcome.DIFFERENT if score.final else Outcome.IMPOSSIBLE
        return Field(name, outcome, recorded, note=score.reason or "")
    difference = 0.0 if score.value == recorded else abs(score.value - recorded)
    outcome = Outcome.EQUAL if difference == 0 else Outcome.WITHIN
    if not difference <= tolerance:
        outcome = Outcome.DIFFERENT
    return Field(name, outcome, recorded, score.value, difference, tolerance)


def _card_difference(there: Mapping[str, Any], here: Card) -> str:
    now = json.loads(json.dumps(here.as_dict()))
    told = [
        f"{key} {there[key]} there, {value} here"
        for key, value in now.items()
        if key in there and there[key] != value
    ]
    return ", ".join(told) or "that card is not among the records"


def _same(name: str, recorded: Any, found: Any, note: str = "") -> Field:
    if recorded == found:
        return Field(name, Outcome.EQUAL, recorded, found)
    numbers = isinstance(recorded, int | float) and isinstance(found, int | float)
    difference = float(abs(found - recorded)) if numbers else None
    return Field(name, Outcome.DIFFERENT, recorded, found, difference, note=note)


def _given(record: Mapping[str, Any], name: str) -> Any:
    """A cell of a record; ``None`` where it is blank, or the records have no such column."""
    value = record.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value

"""Which rows of the results enter which table, decided in one place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.catalog.metrics import METRICS, Metric
from harness.errors import HarnessError, Status, UnknownName

REQUIRED = ("codec", "rate", "dataset", "image", "resolution", "bpp", "status", "weights")
OPTIONAL: dict[str, Any] = {
    "title": "",
    "family": "",
    "rate_index": 0,
    "checkpoint": "",
    "blanks": "{}",
    "started": pd.NaT,
}
SORTED_BY = ["dataset", "resolution", "codec", "rate_index", "rate", "image"]
CASE = ["codec", "rate", "dataset", "resolution", "image"]


def curve_records(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that may enter a quality table, a figure or a BD-rate: one row a case.

    Rows made with random weights are left out. Rows that are not ``ok`` stay, without bpp and
    without scores, so that what is missing can be reported. Of several rows of one case the newest
    counts, an ``ok`` one before any other. Codecs measured with several checkpoints at one rate
    point are kept apart (see :func:`separate_checkpoints`).

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.

    Raises:
        HarnessError: A column is missing.
    """
    if missing := [name for name in REQUIRED if name not in frame]:
        raise HarnessError(
            f"the results lack the column {', '.join(missing)}",
            "read them with harness.load_results",
        )
    records = frame.assign(**{k: v for k, v in OPTIONAL.items() if k not in frame})
    records = separate_checkpoints(records[records["weights"] != "random"])
    records["title"] = records["title"].where(records["title"].astype(bool), records["codec"])
    failed = records["status"] != Status.OK
    numbers = [c for c in ("bpp", *METRICS) if c in records]
    records.loc[failed, numbers] = np.nan
    newest_last = records.assign(_ok=~failed).sort_values(["_ok", "started"], kind="stable")
    current = newest_last.drop_duplicates(CASE, keep="last").drop(columns="_ok")
    return current.sort_values(SORTED_BY, ignore_index=True)


def separate_checkpoints(records: pd.DataFrame) -> pd.DataFrame:
    """Rename a codec ``codec@checkpoint`` where its checkpoints meet at a rate point.

    A codec whose rate points each have a weights file of their own keeps its name; so do those
    rows of it if another checkpoint was measured at all rate points as well.
    """
    records = records.copy()
    checkpoint = records["checkpoint"].fillna("").astype(str)
    pairs = records[["codec", "rate"]].assign(checkpoint=checkpoint).drop_duplicates()
    for codec, used in pairs.groupby("codec", sort=False):
        if not used.duplicated("rate").any():
            continue
        of_one_rate = used.groupby("checkpoint")["rate"].transform("nunique") == 1
        per_rate = used[of_one_rate]
        if per_rate["rate"].duplicated().any() or of_one_rate.all():
            apart = set(used["checkpoint"])
        else:
            apart = set(used["checkpoint"]) - set(per_rate["checkpoint"])
        rows = (records["codec"] == codec) & checkpoint.isin(apart - {""})
        for column in ("title", "codec"):
            records.loc[rows, column] = records.loc[rows, column] + "@" + checkpoint[rows]
    return records


@dataclass(frozen=True)
class ImageSet:
    """A data set at one resolution: what one panel or one table is about."""

    dataset: str
    resolution: str = "native"

    @property
    def title(self) -> str:
        """``kodak``, or ``kodak 1080x1920`` where it was derived."""
        return self.dataset if self.resolution == "native" else f"{self.dataset} {self.resolution}"

    @property
    def slug(self) -> str:
        """The title for file names; see :func:`slug_of`."""
        return slug_of(self.title)


LONGEST_SLUG = 64
"""Characters; with all that stands around them a file's name stays under 255 bytes."""


def slug_of(text: str) -> str:
    """Text for file names: letters, digits, dots, ``-`` and ``_`` alone, long ones shortened."""
    slug = "".join(c if c.isalnum() or c in "._-" else "-" for c in text)
    if len(slug) <= LONGEST_SLUG:
        return slug
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{slug[: LONGEST_SLUG - 9]}-{digest[:8]}"


def image_sets(records: pd.DataFrame) -> Iterator[tuple[ImageSet, pd.DataFrame]]:
    """Each data set and resolution with its rows, by name and number of pixels."""

    def order(key: tuple[str, str]) -> tuple[str, int, str]:
        sides = [int(side) for side in key[1].split("x") if side.isdigit()]
        return key[0], int(np.prod(sides)) if len(sides) > 1 else 0, key[1]

    groups = {
        (str(rows["dataset"].iloc[0]), str(rows["resolution"].iloc[0])): rows
        for _, rows in records.groupby(["dataset", "resolution"], sort=False)
    }
    for key in sorted(groups, key=order):
        yield ImageSet(*key), groups[key]


def status_words(status: str) -> str:
    """A status as tables print it: ``out of memory``."""
    return status.replace("_", " ")


def metrics_in(records: pd.DataFrame) -> list[Metric]:
    """The metrics that have at least one value, in the order in which tables show them."""
    return [m for m in METRICS.values() if m.name in records and records[m.name].notna().any()]


def name_among(kind: str, name: str, known: Iterable[str]) -> str:
    """``name`` as ``known`` spells it; case is ignored, and ``_`` stands for ``-``.

    Raises:
        UnknownName: There is none; the message names the nearest.
    """
    known = list(known)
    by_key = {k.lower().replace("_", "-"): k for k in known}
    key = name.strip().lower().replace("_", "-")
    if key not in by_key:
        raise UnknownName(kind, name, known)
    return by_key[key]

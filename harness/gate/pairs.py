"""Pairs each record of the base with the candidate's record of the same case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.conditions import with_conditions
from harness.analysis.records import (
    CASE,
    OPTIONAL,
    REQUIRED,
    SORTED_BY,
    name_among,
    separate_checkpoints,
)
from harness.errors import HarnessError, Status

SAME = [*CASE, "random"]
"""What records of the same case have in common. The rest, as code and machine, may differ."""

DEFAULTS: dict[str, Any] = {
    **OPTIONAL,
    "image_sha256": "",
    "bitstream_sha256": "",
    "message": "",
}


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: What messages call it, such as the path of its results.
        frame: Its results, in the columns of :func:`harness.load_results`.
        selector: ``codec`` or ``codec@checkpoint`` to take of them; all codecs when empty. A
            checkpoint is named by its file, with or without suffix, or the head of its sha256.
        option: The option that gives the selector, for the remedy of a message.
    """

    name: str
    frame: pd.DataFrame
    selector: str = ""
    option: str = "--base"


@dataclass(frozen=True)
class Pairs:
    """The cases of both sides, next to each other.

    Attributes:
        base: Rows of the base for the cases that are ``ok`` on both sides.
        candidate: Rows of the candidate for the same cases, in the same order.
        gone: Rows of the candidate that are not ``ok`` where the base's are.
        fixed: Rows of the candidate that are ``ok`` where the base's are not.
        failing: Rows of the candidate where neither side is ``ok``.
        only_base: ``ok`` rows of the base without a counterpart.
        only_candidate: ``ok`` rows of the candidate without a counterpart.
        other_image: Rows of the candidate whose image is another file of the same name.
    """

    base: pd.DataFrame
    candidate: pd.DataFrame
    gone: pd.DataFrame
    fixed: pd.DataFrame
    failing: pd.DataFrame
    only_base: pd.DataFrame
    only_candidate: pd.DataFrame
    other_image: pd.DataFrame


def pair(base: Side, candidate: Side) -> Pairs:
    """Both sides, case by case.

    Where both sides have a selector, they are paired whatever their codecs' names.

    Raises:
        HarnessError: A selector names nothing, a codec was measured with several checkpoints
            and none is chosen, or no case is on both sides.
    """
    left, right = _records(base), _records(candidate)
    nothing_shared = HarnessError(
        f"{base.name} and {candidate.name} have no case in common: "
        f"{_described(left)} against {_described(right)}",
        "measure the same codecs, rate points and images on both sides",
    )
    if left.empty or right.empty:
        raise nothing_shared
    names = [set(rows["codec"]) for rows in (left, right)]
    if base.selector and candidate.selector and names[0] != names[1]:
        left = left.assign(codec=right["codec"].iloc[0])
    keys = left[SAME].assign(_left=range(len(left)))
    joined = keys.merge(right[SAME].assign(_right=range(len(right))), how="outer", on=SAME)
    joined = joined.sort_values("_right", kind="stable")
    shared = joined.dropna(subset=["_left", "_right"])
    if shared.empty:
        raise nothing_shared
    a = left.iloc[shared["_left"].astype(int)].reset_index(drop=True)
    b = right.iloc[shared["_right"].astype(int)].reset_index(drop=True)
    same_image = a["image_sha256"].eq(b["image_sha256"]) | ~a["image_sha256"].astype(bool)
    was, now = a["status"].eq(Status.OK), b["status"].eq(Status.OK)
    alone = [
        rows[rows["status"].eq(Status.OK) & ~rows.index.isin(shared[own].astype(int))]
        for rows, own in ((left, "_left"), (right, "_right"))
    ]
    return Pairs(
        base=a[was & now & same_image].reset_index(drop=True),
        candidate=b[was & now & same_image].reset_index(drop=True),
        gone=b[was & ~now],
        fixed=b[~was & now],
        failing=b[~was & ~now],
        only_base=alone[0],
        only_candidate=alone[1],
        other_image=b[was & now & ~same_image],
    )


def checkpoints_in(records: pd.DataFrame) -> list[str]:
    """The checkpoints of some records, as ``file:sha256``, each once."""
    named = records["checkpoint"].fillna("").astype(str)
    return sorted(set(named) - {"", "random"})


def is_checkpoint(text: str, checkpoint: str) -> bool:
    """Whether a user who says ``text`` means the checkpoint ``file:sha256``."""
    file, _, digest = checkpoint.rpartition(":")
    name = text.rpartition("/")[2]
    stem = file.rpartition(".")[0] or file
    return name in {checkpoint, file, stem} or (len(name) >= 4 and digest.startswith(name))  # noqa: PLR2004 - as git's shortest


def of_codec(frame: pd.DataFrame, codec: str) -> pd.DataFrame:
    """The rows of one codec; underscores are accepted for hyphens.

    Raises:
        UnknownName: It is not in the results; the message names the nearest.
    """
    name = name_among("codec", codec, frame["codec"].unique())
    return frame[frame["codec"] == name]


def _records(side: Side) -> pd.DataFrame:
    """The side's rows, one a case: of several the newest, an ``ok`` one before any other."""
    frame = side.frame
    if missing := [name for name in REQUIRED if name not in frame]:
        raise HarnessError(
            f"{side.name} lacks the column {', '.join(missing)}",
            "read results with harness.load_results",
        )
    frame = with_conditions(frame.assign(**{k: v for k, v in DEFAULTS.items() if k not in frame}))
    codec, _, checkpoint = side.selector.partition("@")
    if codec:
        frame = of_codec(frame, codec)
    if checkpoint:
        frame = _with_checkpoint(frame, checkpoint, side)
    frame = frame.assign(random=frame["weights"].eq("random"))
    _refuse_several(frame, side)
    ok_last = frame.assign(_ok=frame["status"].eq(Status.OK))
    ok_last = ok_last.sort_values(["_ok", "started"], kind="stable").drop(columns="_ok")
    return ok_last.drop_duplicates(SAME, keep="last").sort_values(SORTED_BY, ignore_index=True)


def _with_checkpoint(frame: pd.DataFrame, text: str, side: Side) -> pd.DataFrame:
    known = checkpoints_in(frame)
    meant = [name for name in known if is_checkpoint(text, name)]
    if len(meant) != 1:
        found = "is in" if not meant else "matches several in"
        raise HarnessError(
            f"{'no ' if not meant else ''}checkpoint '{text}' {found} {side.name}: "
            f"{', '.join(meant or known) or 'it has none'}",
            "name one of them by its file or the head of its sha256",
        )
    return frame[frame["checkpoint"] == meant[0]]


def _refuse_several(frame: pd.DataFrame, side: Side) -> None:
    named = frame["checkpoint"].fillna("").astype(bool)
    for codec, rows in frame[named & ~frame["random"]].groupby("codec"):
        apart = separate_checkpoints(rows)["codec"]
        if len(set(apart)) > 1:
            known = checkpoints_in(rows)
            raise HarnessError(
                f"{side.name} holds several checkpoints of {codec}: {', '.join(known)}",
                f"choose one, as {side.option} {codec}@{known[0].rpartition(':')[0]}",
            )


def _described(records: pd.DataFrame) -> str:
    if records.empty:
        return "no records"
    codecs = sorted(set(records["codec"]))
    image_sets = sorted({f"{d} {r}" for d, r in zip(records["dataset"], records["resolution"],
                                                strict=True)})  # fmt: skip
    return f"{', '.join(codecs)} on {', '.join(image_sets)}"

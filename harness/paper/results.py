"""Results as a protocol's tables need them: which rows a table has, and why cells are empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.analysis.records import curve_records, separate_checkpoints, status_words
from harness.errors import HarnessError, Status
from harness.paper.protocol import Protocol

ALL = "all"
NONE = "none"
NATIVE = "native"


@dataclass(frozen=True)
class PaperResults:
    """Results that a protocol asks for.

    Attributes:
        protocol: The protocol.
        quality: One row a case, of the protocol's data sets at their own size, random weights
            left out; codecs and data sets bear the protocol's titles.
        speed: Every row of the chosen codecs, random weights included.
        others: Codecs that were chosen in addition to the protocol's.
    """

    protocol: Protocol
    quality: pd.DataFrame
    speed: pd.DataFrame
    others: tuple[str, ...]

    def rows(self, codecs: Sequence[str]) -> list[str]:
        """The rows of a table: the protocol's codecs in its order, and the others.

        A codec that was measured with several checkpoints has a row for each.
        """
        measured = {*self.quality["codec"].unique(), *self.speed["codec"].unique()}
        named = []
        for codec in codecs:
            apart = sorted(name for name in measured if name.startswith(f"{codec}@"))
            named += ([codec] if codec in measured else []) + apart or [codec]
        return [*named, *(codec for codec in self.others if codec not in named)]

    def title_of(self, codec: str) -> str:
        """What tables call a codec."""
        rows = self.speed.loc[self.speed["codec"] == codec, "title"]
        return str(rows.iloc[0]) if len(rows) else self.protocol.title_of(codec)

    def why_missing(self, codec: str, dataset: str) -> str:
        """Why a codec has no quality on a data set, in the words of its records."""
        rows = self.speed[(self.speed["codec"] == codec) & (self.speed["dataset"] == dataset)]
        if rows.empty:
            return "not measured"
        if (rows["weights"] == "random").all():
            return "measured with random weights only, which have no quality"
        rows = rows[(rows["resolution"] == NATIVE) & (rows["weights"] != "random")]
        if rows.empty:
            return "measured at other resolutions only"
        failed = rows[rows["status"] != Status.OK]
        if len(failed) < len(rows):
            return ""
        status = str(failed["status"].mode().iloc[0])
        message = failed.loc[failed["status"] == status, "message"].dropna()
        reason = f": {message.iloc[0]}" if len(message) else ""
        return status_words(status) + reason


def select_results(
    frame: pd.DataFrame, protocol: Protocol, also: Iterable[str] = (ALL,)
) -> PaperResults:
    """Choose from results what a protocol's tables show.

    Args:
        frame: Results, in the columns of :func:`harness.load_results`.
        protocol: The protocol.
        also: Further codecs; ``all`` for all that were measured, ``none`` for none.

    Raises:
        HarnessError: The results are empty, or a codec of ``also`` is not in them.
    """
    if frame.empty:
        raise HarnessError("the results hold no case", "measure some with 'harness run'")
    bases = _base(frame["codec"])
    others = _others(set(bases), protocol, list(also))
    frame = frame[bases.isin({*protocol.titles, *others})]
    speed = _titled(separate_checkpoints(frame), protocol)
    native = frame[(frame["resolution"] == NATIVE) & frame["dataset"].isin(protocol.datasets)]
    quality = _titled(curve_records(native), protocol)
    measured = {*speed["codec"].unique(), *quality["codec"].unique()}
    names = tuple(sorted(name for name in measured if name.partition("@")[0] in others))
    return PaperResults(protocol, quality, speed, names)


def _others(measured: set[str], protocol: Protocol, also: list[str]) -> set[str]:
    further = measured - set(protocol.titles)
    if also == [ALL]:
        return further
    wanted = {name.lower().replace("_", "-") for name in also if name != NONE}
    for name in sorted(wanted - measured):
        raise HarnessError(
            f"codec '{name}' is not in the results",
            f"besides the protocol's they hold {', '.join(sorted(further)) or 'none'}",
        )
    return wanted & further


def _titled(records: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    listed = _base(records["codec"]).isin(protocol.titles)
    titles = records["codec"].map(protocol.title_of)
    return records.assign(title=titles.where(listed, records["title"]))


def _base(codecs: pd.Series[str]) -> pd.Series[str]:
    """The codecs' names without their checkpoints."""
    return codecs.str.replace("@.*", "", regex=True)

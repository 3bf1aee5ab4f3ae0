"""Numbers that others published, each with its source, as DataFrames.

They lie in ``results/reference/`` as CSV files beside ``sources.toml``. Every row names its
source and where in it the number stands, so that whoever doubts one can look it up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.catalog.metrics import METRICS
from harness.catalog.toml import load_toml
from harness.errors import HarnessError, Status
from harness.paths import data_folder

KINDS = ("published", "figure", "told", "counted")
TABLES = {
    "bdrate": ["metric", "anchor", "dataset", "codec", "title", "percent"],
    "models": ["codec", "title", "quantity", "value", "height", "width"],
    "pictures": ["figure", "dataset", "codec", "title", "dists", "bpp"],
    "rates": ["codec", "title", "rate", "dataset", "bpp", "psnr", "ms_ssim", "lpips", "dists",
              "lpips_network"],
    "runtime": ["resolution", "codec", "title", "device", "quantity", "value", "mark"],
}  # fmt: skip
"""The files of the folder and their columns, apart from ``source`` and ``cell``."""

NUMBERS = ("percent", "value", "bpp", *METRICS)
NOMINAL = "nominal"
"""In place of a data set: a rate that was aimed at, not measured."""

PAPERS_LPIPS = "VGG"
"""The network whose LPIPS the harness computes; another's is another metric."""


@dataclass(frozen=True)
class Source:
    """A document that numbers were taken from.

    Attributes:
        name: As rows name it.
        title: The document, and its part.
        address: Where to find it; empty if it is not a document.
        kind: One of :data:`KINDS`: how the number came here.
        note: What a reader must know.
    """

    name: str
    title: str
    address: str
    kind: str
    note: str


@dataclass(frozen=True)
class Reference:
    """All published numbers.

    Attributes:
        bdrate: BD-rates in percent, one row a codec, data set and metric; NaN where the
            document has a dash.
        models: Parameters in millions, and GFLOPs at a size.
        pictures: DISTS and bpp in captions of pictures.
        rates: Rate points: means over a data set.
        runtime: Times in ms and memory in GB, one row a number, or the mark in its place.
        sources: The documents, by name.
    """

    bdrate: pd.DataFrame
    models: pd.DataFrame
    pictures: pd.DataFrame
    rates: pd.DataFrame
    runtime: pd.DataFrame
    sources: Mapping[str, Source]

    def rate_records(self) -> pd.DataFrame:
        """The rate points in the columns of :func:`harness.load_results`: one row per mean.

        ``image`` is ``mean``. The cards begin with ``published``, so that nothing compares them
        with values that the harness computed. Rates that were only aimed at are left out.
        """
        measured = self.rates[self.rates["dataset"] != NOMINAL]
        place = measured.groupby(["codec", "dataset", "source"])["bpp"].rank(method="first")
        cards = {
            f"{name}_card": "published:" + measured["source"]
            for name in METRICS
            if name in measured
        }
        return measured.assign(
            run="published", family="", image="mean", resolution="native", status=str(Status.OK),
            weights="pretrained", checkpoint="", reason="", message=measured["cell"], blanks="{}",
            options=[json.dumps({"lpips": network}) for network in measured["lpips_network"]],
            rate_index=place.astype("int64") - 1, device="", **cards,
        ).drop(columns=["lpips_network", "cell"])  # fmt: skip

    def runtime_records(self) -> pd.DataFrame:
        """The runtimes in the columns of :func:`harness.load_results`: one row per resolution.

        ``> 10s`` states no number: ``status`` is then ``timeout``; for ``> 80`` it is
        ``out_of_memory``. Memory, one number in the document, is that of both passes.
        """
        keys = ["codec", "title", "resolution", "device", "source"]
        wide = self.runtime.set_index([*keys, "quantity"])["value"].unstack().reset_index()  # noqa: PD010
        marks = self.runtime.groupby(keys)["mark"].agg(set)
        status = [_status(marks[tuple(key)]) for key in wide[keys].itertuples(index=False)]
        sides = wide["resolution"].str.split("x", expand=True).astype("int64")
        memory = wide["memory_gb"] * 1e9
        return wide.assign(
            run="published", rate="", rate_index=0, dataset="published", image="mean",
            height=sides[0], width=sides[1], status=status, weights="pretrained", checkpoint="",
            machine=wide["device"], device="", encode_peak_device_bytes=memory,
            decode_peak_device_bytes=memory, timing_scope="call", bpp=float("nan"),
        ).drop(columns=["memory_gb"])  # fmt: skip


def _status(marks: set[str]) -> str:
    if any(mark.startswith(">") and not mark.endswith("s") for mark in marks):
        return str(Status.OUT_OF_MEMORY)
    late = any(mark.startswith(">") for mark in marks)
    return str(Status.TIMEOUT if late else Status.OK)


def load_reference(folder: Path | None = None) -> Reference:
    """Read the numbers that come with the harness, or those of another folder.

    Raises:
        HarnessError: A file is missing, has other columns, or a row names no known source.
    """
    folder = folder or data_folder("results") / "reference"
    sources = dict(_sources(folder / "sources.toml"))
    frames = {name: _read(folder / f"{name}.csv", name, sources) for name in TABLES}
    return Reference(**frames, sources=sources)


def _sources(path: Path) -> list[tuple[str, Source]]:
    found = []
    for name, entry in load_toml(path).items():
        values = dict(entry) if isinstance(entry, dict) else {}
        if set(values) != {"title", "address", "kind", "note"} or values["kind"] not in KINDS:
            raise HarnessError(
                f"{path}: [{name}] must hold title, address, note and a kind",
                f"kinds are {', '.join(KINDS)}",
            )
        found.append((name, Source(name, **values)))
    return found


def _read(path: Path, table: str, sources: Mapping[str, Source]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path}: {error}") from error
    wanted = [*TABLES[table], "source", "cell"]
    if list(frame.columns) != wanted:
        raise HarnessError(f"{path} has other columns than {', '.join(wanted)}")
    if unknown := set(frame["source"]) - set(sources):
        raise HarnessError(f"{path} names the source {min(unknown)!r}", "add it to sources.toml")
    for column in set(NUMBERS) & set(frame.columns):
        try:
            frame[column] = pd.to_numeric(frame[column].replace("", None)).astype("float64")
        except ValueError as error:
            raise HarnessError(f"{path}, column {column}: {error}") from error
    return frame

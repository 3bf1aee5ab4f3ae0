"""A paper's comparison as data: which codecs, on what, by what, against which anchor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.comparison import FEWEST_POINTS, MIN_POINTS
from harness.catalog.metrics import metric_named
from harness.catalog.toml import Table, read_toml
from harness.errors import ManifestError, UnknownName


@dataclass(frozen=True)
class BDProtocol:
    """The table of BD-rates.

    Attributes:
        anchor: The codec to compare with.
        metrics: One table each.
        codecs: The rows.
        exclude: By codec, the bpp under which its rate points are left out.
        min_points: Least number of rate points of a curve; figures of curves with fewer than
            usual say so.
    """

    anchor: str
    metrics: tuple[str, ...]
    codecs: tuple[str, ...]
    exclude: Mapping[str, float]
    min_points: int = MIN_POINTS


@dataclass(frozen=True)
class RuntimeProtocol:
    """The table of runtimes.

    Attributes:
        codecs: The rows.
        resolutions: Height x width, the groups of columns.
        slow_seconds: Longer times are printed as ``> 10s``, with this number.
    """

    codecs: tuple[str, ...]
    resolutions: tuple[str, ...]
    slow_seconds: float


@dataclass(frozen=True)
class PicturesProtocol:
    """The panels of reconstructions.

    Attributes:
        metric: The value under each, before the bitrate.
        codecs: The pictures, after the original.
        bpp: Of each codec, the rate point is shown whose bitrate on the image is nearest to it.
        crop: Side of the square that is shown, in pixels.
    """

    metric: str
    codecs: tuple[str, ...]
    bpp: float
    crop: int


@dataclass(frozen=True)
class Protocol:
    """A paper's comparison.

    Attributes:
        name: Its name on the command line.
        title: The paper's name.
        paper: Its address.
        datasets: Titles of the data sets by name, in the order of columns.
        titles: Titles of the codecs by name.
        bdrate: The table of BD-rates.
        runtime: The table of runtimes.
        metrics: Of the R-D figures.
        pictures: The panels of reconstructions.
    """

    name: str
    title: str
    paper: str
    datasets: Mapping[str, str]
    titles: Mapping[str, str]
    bdrate: BDProtocol
    runtime: RuntimeProtocol
    metrics: tuple[str, ...]
    pictures: PicturesProtocol

    def title_of(self, codec: str) -> str:
        """What tables call a codec; a codec that the protocol does not name keeps its own."""
        base, at, checkpoint = codec.partition("@")
        return self.titles.get(base, base) + at + checkpoint


def find_protocol(name: str, folder: Path) -> Protocol:
    """The protocol of that name in ``folder``, or in the file that ``name`` is the path of.

    Raises:
        UnknownName: There is none.
        ManifestError: It does not read.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return read_protocol(path)
    known = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if name.lower() not in known:
        raise UnknownName("protocol", name, known, "or name a protocol's .toml file")
    return read_protocol(known[name.lower()])


def read_protocol(path: Path) -> Protocol:
    """Read a protocol strictly.

    Raises:
        ManifestError: A key is missing, unknown or of another type, or a name is not listed.
    """
    top = read_toml(path)
    titles = _titles(top, "codec")
    protocol = Protocol(
        name=top.text("name"),
        title=top.text("title"),
        paper=top.text("paper"),
        datasets=_titles(top, "dataset"),
        titles=titles,
        bdrate=_bdrate(_section(top, "bdrate"), titles),
        runtime=_runtime(_section(top, "runtime"), titles),
        metrics=_figures(_section(top, "figures")),
        pictures=_pictures(_section(top, "pictures"), titles),
    )
    top.done()
    return protocol


def _section(top: Table, key: str) -> Table:
    section = top.table(key)
    assert section is not None  # noqa: S101 - a required table is never None
    return section


def _titles(top: Table, key: str) -> dict[str, str]:
    titles = {}
    for entry in top.tables(key):
        titles[entry.text("name")] = entry.text("title")
        entry.done()
    if not titles:
        raise ManifestError(f"{top.where}: no {key} is listed")
    return titles


def _bdrate(section: Table, titles: Mapping[str, str]) -> BDProtocol:
    anchor = section.text("anchor")
    exclude = section.free("exclude")
    _all_listed(section, [anchor, *exclude], titles)
    if not all(isinstance(bpp, float | int) for bpp in exclude.values()):
        raise ManifestError(f"{section.where}: 'exclude' must give a bpp for each codec")
    min_points = section.integer("min_points", MIN_POINTS)
    if min_points < FEWEST_POINTS:
        raise ManifestError(f"{section.where}: 'min_points' must be at least {FEWEST_POINTS}")
    read = BDProtocol(anchor, _metrics(section), _codecs(section, titles), exclude, min_points)
    section.done()
    return read


def _runtime(section: Table, titles: Mapping[str, str]) -> RuntimeProtocol:
    resolutions = tuple(section.texts("resolutions"))
    for resolution in resolutions:
        sides = resolution.split("x")
        if len(sides) != 2 or not all(side.isdigit() for side in sides):  # noqa: PLR2004
            raise ManifestError(f"{section.where}: {resolution!r} is not of the form 512x768")
    read = RuntimeProtocol(_codecs(section, titles), resolutions, section.number("slow_seconds"))
    section.done()
    return read


def _figures(section: Table) -> tuple[str, ...]:
    metrics = _metrics(section)
    section.done()
    return metrics


def _pictures(section: Table, titles: Mapping[str, str]) -> PicturesProtocol:
    metric = metric_named(section.text("metric")).name
    bpp, crop = section.number("bpp"), section.integer("crop")
    if bpp <= 0 or crop <= 0:
        raise ManifestError(f"{section.where}: 'bpp' and 'crop' must be over zero")
    read = PicturesProtocol(metric, _codecs(section, titles), bpp, crop)
    section.done()
    return read


def _metrics(section: Table) -> tuple[str, ...]:
    return tuple(metric_named(name).name for name in section.texts("metrics"))


def _codecs(section: Table, titles: Mapping[str, str]) -> tuple[str, ...]:
    codecs = section.texts("codecs")
    _all_listed(section, codecs, titles)
    return tuple(codecs)


def _all_listed(section: Table, codecs: list[str], titles: Mapping[str, str]) -> None:
    for codec in codecs:
        if codec not in titles:
            raise ManifestError(f"{section.where}: codec '{codec}' has no entry in 'codec'")

"""Reads the codecs' manifests: which codecs there are, and whether each can run here.

Codecs are found, in this order, in the ``adapters/`` folder that comes with the harness, in the
folders that ``HARNESS_ADAPTERS`` names, and behind entry points of the group ``harness.codecs``,
each of which names an installed package whose folder is an adapter. No adapter is imported: a
manifest is data.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from harness.checkpoints import expand
from harness.errors import HarnessError, ManifestError, UnknownName
from harness.manifest import Table, read_toml

EXTERNAL_ENTRY = "harness.external:External"


@dataclass(frozen=True)
class RateSpec:
    """One ``[[rate]]`` of a manifest."""

    id: str
    options: Mapping[str, Any]
    nominal_bpp: float | None = None


@dataclass(frozen=True)
class WeightsFile:
    """One ``[[weights]]`` of a manifest: a file that a network needs."""

    file: str
    sha256: str | None = None
    size: int | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Requirement:
    """One ``[[requires]]`` of a manifest: a module or a program, and how to get it."""

    kind: Literal["module", "program"]
    name: str
    install: str

    def missing(self) -> str | None:
        """Why the requirement is not met on this machine, or ``None`` when it is."""
        if self.kind == "module":
            found = importlib.util.find_spec(self.name.partition(".")[0]) is not None
        else:
            found = shutil.which(self.name) is not None
        return None if found else f"{self.kind} '{self.name}' not found; {self.install}"


@dataclass(frozen=True)
class Constraints:
    """What images a codec takes; an image outside is recorded, not tried."""

    max_pixels: int | None = None
    devices: tuple[str, ...] = ("cpu", "cuda")


@dataclass(frozen=True)
class CodecSpec:
    """What a manifest states of one codec (or of one variant of it).

    Attributes:
        name: The name people type, with hyphens.
        title: The name that tables and figures print.
        folder: The adapter's folder.
        entry: ``file:Class`` in the folder, or :data:`EXTERNAL_ENTRY`.
        in_all: Whether ``--codec all`` includes it.
        timing_scope: ``call`` (the calls alone) or ``process`` (external programs, start included).
        network: Whether it has weights, so that ``--weights`` applies.
        progressive: Whether one bitstream holds all rate points as prefixes.
    """

    name: str
    title: str
    folder: Path
    entry: str
    family: str
    paper: str
    licence: str
    weights_licence: str
    options: Mapping[str, Any]
    rates: tuple[RateSpec, ...]
    weights: tuple[WeightsFile, ...]
    requires: tuple[Requirement, ...]
    constraints: Constraints
    timing_scope: Literal["call", "process"]
    network: bool
    progressive: bool
    in_all: bool = True
    checkpoint: Path | None = None

    @functools.cached_property
    def code_digest(self) -> str:
        """sha256 over every file of the adapter's folder: its code and its manifest."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(self.folder)).encode() + b"\0")
                digest.update(path.read_bytes())
        return digest.hexdigest()

    def rate(self, rate_id: str) -> RateSpec:
        """The rate point of that id.

        Raises:
            UnknownName: There is none; the message names the nearest.
        """
        for spec in self.rates:
            if spec.id == rate_id:
                return spec
        raise UnknownName(f"rate point of codec '{self.name}'", rate_id, [r.id for r in self.rates])

    def weights_paths(self) -> dict[str, Path]:
        """Where each weights file of the manifest lies, or would lie, on this machine."""
        paths = {w.file: find_weights(self.folder, w.file) for w in self.weights}
        if self.checkpoint is not None:
            paths["checkpoint"] = self.checkpoint
        return paths

    def unavailable(self, weights_mode: str = "pretrained") -> str | None:
        """Why this codec cannot run here, with the remedy, or ``None`` when it can."""
        for requirement in self.requires:
            if reason := requirement.missing():
                return reason
        if self.network and weights_mode == "pretrained":
            if self.checkpoint is not None:
                return None
            for name, path in self.weights_paths().items():
                if not path.is_file():
                    return (
                        f"weights {name} not found; place the file at {path}, name another as "
                        f"'{self.name}@FILE', or use --weights random"
                    )
        return None


@dataclass
class Catalog:
    """All codecs that were found, and the manifests that could not be read."""

    codecs: dict[str, CodecSpec] = field(default_factory=dict)
    broken: dict[str, ManifestError] = field(default_factory=dict)

    def get(self, name: str) -> CodecSpec:
        """The codec of that name; underscores are accepted for hyphens.

        ``name@checkpoint`` names a weights file to use in place of the manifest's.

        Raises:
            UnknownName: There is none; the message names the nearest.
            ManifestError: It is there, but its manifest does not read.
            HarnessError: The checkpoint does not exist, or the codec takes none.
        """
        plain, _, checkpoint = name.partition("@")
        key = plain.strip().lower().replace("_", "-")
        if key in self.broken:
            raise self.broken[key]
        if key not in self.codecs:
            raise UnknownName("codec", plain, self.codecs, "'harness list codecs' shows all")
        spec = self.codecs[key]
        if not checkpoint:
            return spec
        path = Path(checkpoint).expanduser().resolve()
        if not spec.network:
            raise HarnessError(f"codec '{key}' has no weights", "name it without '@'")
        if not path.is_file():
            raise HarnessError(f"checkpoint {path} of codec '{key}' does not exist")
        return replace(spec, checkpoint=path)

    def all(self) -> list[CodecSpec]:
        """What ``--codec all`` means, in the order of the catalogue."""
        return [spec for spec in self.codecs.values() if spec.in_all]


def data_folder(name: Literal["adapters", "datasets"]) -> Path:
    """The folder of manifests that comes with the harness, in a checkout or in a wheel."""
    package = Path(__file__).parent
    inside = package / "_data" / name
    return inside if inside.is_dir() else package.parent / name


def cache_folder() -> Path:
    """Where downloads are kept: ``HARNESS_CACHE``, or the user's cache folder."""
    if chosen := os.environ.get("HARNESS_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "codec-harness"


def find_weights(adapter: Path, file: str) -> Path:
    """Where a weights file lies: in the adapter's folder, ``HARNESS_WEIGHTS``, or the cache."""
    places = [adapter / file]
    if chosen := os.environ.get("HARNESS_WEIGHTS"):
        places += [Path(p).expanduser() / file for p in chosen.split(os.pathsep)]
    places.append(cache_folder() / "weights" / adapter.name / file)
    return next((p for p in places if p.is_file()), places[-1])


def adapter_folders() -> Iterator[tuple[str, Path | ManifestError]]:
    """Every folder that holds a ``codec.toml``, with a name for it, in the order of precedence.

    In the place of a folder that was named and is not there stands the error to tell.
    """
    roots = [data_folder("adapters")]
    extra = os.environ.get("HARNESS_ADAPTERS", "")
    roots += [Path(p).expanduser() for p in extra.split(os.pathsep) if p]
    for root in roots:
        if not root.is_dir():
            yield root.name, ManifestError(f"HARNESS_ADAPTERS names {root}, which is no folder")
        elif (root / "codec.toml").is_file():
            yield root.name, root
        else:
            yield from sorted((m.parent.name, m.parent) for m in root.glob("*/codec.toml"))
    for point in entry_points(group="harness.codecs"):
        yield point.name, _package_folder(point)


def _package_folder(point: EntryPoint) -> Path | ManifestError:
    """The folder of the package that an entry point names, which is not imported for it."""
    top, *rest = point.value.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return ManifestError(
            f"entry point '{point.name}' of harness.codecs names {point.value}, "
            "which is no installed package"
        )
    return Path(spec.submodule_search_locations[0]).joinpath(*rest)


def load_catalog() -> Catalog:
    """Read every manifest. One that does not read goes to :attr:`Catalog.broken`."""
    catalog = Catalog()
    for name, folder in adapter_folders():
        key = name.replace("_", "-")
        if isinstance(folder, ManifestError):
            catalog.broken[key] = folder
            continue
        try:
            specs = read_codec(folder / "codec.toml")
        except ManifestError as error:
            catalog.broken[key] = error
            continue
        for spec in specs:
            if other := catalog.codecs.get(spec.name):
                problem = f"{folder}: codec name '{spec.name}' is taken by {other.folder}"
                catalog.broken[key] = ManifestError(problem)
            else:
                catalog.codecs[spec.name] = spec
    return catalog


def read_codec(path: Path) -> list[CodecSpec]:
    """The codec of a manifest, and its variants.

    Raises:
        ManifestError: The file does not read, or has a wrong, unknown or missing key.
    """
    top = read_toml(path)
    rates = tuple(_rate(t) for t in top.tables("rate"))
    external = _external(top.table("external", required=False))
    network = top.boolean("network", default=False)
    constraints = top.table("constraints", required=False)
    base = CodecSpec(
        name=top.text("name"),
        title=top.text("title"),
        folder=path.parent.absolute(),  # a worker runs in a folder of its own
        entry=EXTERNAL_ENTRY if external else top.text("entry"),
        family=top.text("family"),
        paper=top.text("paper", default=""),
        licence=top.text("licence"),
        weights_licence=top.text("weights_licence", default=""),
        options={**top.free("options"), **({"external": external} if external else {})},
        rates=rates,
        weights=tuple(_weights(t) for t in top.tables("weights")),
        requires=(*map(_requirement, top.tables("requires")), *_programs(external)),
        constraints=_constraints(constraints),
        timing_scope="process"
        if top.boolean("times_processes", default=bool(external))
        else "call",
        network=network,
        progressive=top.boolean("progressive", default=False),
        in_all=top.boolean("in_all", default=True),
    )
    variants = [_variant(base, name, table) for name, table in top.named_tables("variants")]
    top.done()
    specs = [base, *variants]
    for spec in specs:
        _check(spec, path)
    return specs


def _check(spec: CodecSpec, path: Path) -> None:
    if spec.name != spec.name.lower() or "_" in spec.name or "@" in spec.name:
        raise ManifestError(f"{path}: name {spec.name!r} must be lower case, with hyphens")
    if not spec.rates:
        raise ManifestError(f"{path}: codec '{spec.name}' has no [[rate]]")
    ids = [rate.id for rate in spec.rates]
    if len(set(ids)) != len(ids):
        raise ManifestError(f"{path}: two rate points of '{spec.name}' have the same id")


def _rate(table: Table) -> RateSpec:
    spec = RateSpec(
        id=table.text("id"),
        options=table.free("options"),
        nominal_bpp=table.number("nominal_bpp", default=None),
    )
    table.done()
    return spec


def _weights(table: Table) -> WeightsFile:
    spec = WeightsFile(
        file=table.text("file"),
        sha256=table.text("sha256", default="") or None,
        size=table.integer("size", default=None),
        sources=tuple(table.texts("sources")),
    )
    table.done()
    return spec


def _requirement(table: Table) -> Requirement:
    module = table.text("module", default="")
    program = table.text("program", default="")
    if bool(module) == bool(program):
        raise ManifestError(f"{table.where}: give either 'module' or 'program'")
    spec = Requirement(
        kind="module" if module else "program",
        name=module or program,
        install=table.text("install"),
    )
    table.done()
    return spec


def _external(table: Table | None) -> dict[str, Any] | None:
    """The ``[external]`` table, as :mod:`harness.external` documents it."""
    if table is None:
        return None
    external = {
        "encode": table.texts("encode"),
        "decode": table.texts("decode"),
        "image_format": table.text("image_format", default="png"),
        "extension": table.text("extension", default=".bin"),
        "encode_ms": table.text("encode_ms", default=""),
        "decode_ms": table.text("decode_ms", default=""),
    }
    table.done()
    for key in ("encode", "decode"):
        if not external[key]:
            raise ManifestError(f"{table.where}: '{key}' is missing: a list of arguments")
    if external["image_format"] not in ("png", "ppm"):
        raise ManifestError(f"{table.where}: 'image_format' must be 'png' or 'ppm'")
    return external


def _programs(external: Mapping[str, Any] | None) -> list[Requirement]:
    """The programs of an ``[external]`` table, which must be on the PATH."""
    if external is None:
        return []
    names = dict.fromkeys(external[key][0] for key in ("encode", "decode"))
    remedy = "install it, or add its folder to PATH"
    return [Requirement("program", name, remedy) for name in names if "{" not in name]


def _constraints(table: Table | None) -> Constraints:
    if table is None:
        return Constraints()
    spec = Constraints(
        max_pixels=table.integer("max_pixels", default=None),
        devices=tuple(table.texts("devices")) or ("cpu", "cuda"),
    )
    table.done()
    return spec


def _variant(base: CodecSpec, name: str, table: Table) -> CodecSpec:
    rates = tuple(_rate(t) for t in table.tables("rate"))
    weights = tuple(_weights(t) for t in table.tables("weights"))
    spec = replace(
        base,
        name=name,
        title=table.text("title"),
        options={**base.options, **table.free("options")},
        rates=rates or base.rates,
        weights=weights or base.weights,
        in_all=table.boolean("in_all", default=True),
    )
    table.done()
    return spec


def select(catalog: Catalog, names: Iterable[str]) -> tuple[list[CodecSpec], bool]:
    """The codecs that ``--codec`` names, without doubles, and whether each was asked by name.

    Args:
        catalog: What there is.
        names: Codec names, ``name@checkpoint``, ``name@pattern``, or ``all``.

    Returns:
        The specs in the order asked, and ``False`` when they came from ``all`` alone.
    """
    chosen: dict[tuple[str, Path | None], CodecSpec] = {}
    by_name = False
    for name in names:
        specs = catalog.all() if name == "all" else [catalog.get(one) for one in expand(name)]
        by_name = by_name or name != "all"
        chosen.update({(s.name, s.checkpoint): s for s in specs})
    return list(chosen.values()), by_name

"""What a codec's manifest states.

No adapter is imported: a manifest is data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.catalog.toml import Table, read_toml
from harness.errors import ManifestError, UnknownName
from harness.paths import data_folder

COMMIT = re.compile(r"[0-9a-f]{40}")
EXTERNAL_ENTRY = "harness.codec.external:External"


@dataclass(frozen=True)
class RateSpec:
    """One ``[[rate]]`` of a manifest.

    Attributes:
        id: Unique within the codec.
        options: What the adapter is told.
        nominal_bpp: The bitrate that the codec's authors state.
        weights: The weights files that it needs; ``None`` for all of the manifest's.
    """

    id: str
    options: Mapping[str, Any]
    nominal_bpp: float | None = None
    weights: tuple[str, ...] | None = None


@dataclass(frozen=True)
class WeightsFile:
    """One ``[[weights]]`` of a manifest: a file that a network needs.

    Attributes:
        file: Its name, which may hold folders.
        sha256: Of its bytes, where known.
        size: In bytes, where known.
        sources: Where it can be had, in the order to try (see :mod:`harness.assets.codec_weights`).
        page: Where a person can get it in a browser, where no source gives the file itself.
        withdrawn: Why the publisher does not give it any more; empty while it does.
    """

    file: str
    sha256: str | None = None
    size: int | None = None
    sources: tuple[str, ...] = ()
    page: str = ""
    withdrawn: str = ""


@dataclass(frozen=True)
class Upstream:
    """``[upstream]``: the authors' repository, at the commit that the adapter was written for.

    Attributes:
        repository: Its official address.
        commit: 40 hexadecimal digits.
        subfolder: The part of the checkout that the codec lives in; empty for the whole.
        required: Whether the codec needs the checkout; if not, what was built from it may do.
    """

    repository: str
    commit: str
    subfolder: str = ""
    required: bool = True


@dataclass(frozen=True)
class Extension:
    """One ``[[extension]]``: what users build once in upstream's checkout, as its authors say.

    Attributes:
        title: What it is.
        file: Where it lies below :attr:`CodecSpec.upstream_folder`: a pattern, in which ``{abi}``
            stands for the version of Python that it was built for, such as ``cpython-311``.
        build: The command that builds it, in that folder.
        required: Whether the codec needs it; if not, it is faster with it.
    """

    title: str
    file: str
    build: str
    required: bool = True


EnvironmentName = Literal["auto", "inline", "venv", "docker"]
"""What a user asks for; see :func:`harness.environments.choose`."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """``[environment]``: where the adapter's code runs when it needs more than the harness does.

    Attributes:
        name: Of the recipe.
        python: The version of Python, such as ``3.11``.
        recipe: The recipe's folder: ``requirements.txt`` and ``Dockerfile``.
    """

    name: str
    python: str
    recipe: Path


@dataclass(frozen=True)
class Requirement:
    """One ``[[requires]]`` of a manifest: a module or a program, and how to get it.

    Attributes:
        kind: Which of the two.
        name: Of the module, or of the program.
        install: What to do where it is missing.
        also: Other names that the program may have.
        variable: The environment variable in which users may name the program's folder.
    """

    kind: Literal["module", "program"]
    name: str
    install: str
    also: tuple[str, ...] = ()
    variable: str = ""


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
        timing_scope: ``call`` (the calls alone) or ``process`` (external programs, start included).
        network: Whether it has weights, so that ``--weights`` applies.
        progressive: Whether one bitstream holds all rate points as prefixes.
        in_all: Whether ``--codec all`` includes it.
        upstream: The authors' repository, where the adapter runs their code.
        environment: Where it runs; ``None`` for the harness's own interpreter.
        extensions: What has to be built in upstream's checkout.
        checkpoint: The weights file that the user named in place of the manifest's.
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
    upstream: Upstream | None = None
    environment: EnvironmentSpec | None = None
    extensions: tuple[Extension, ...] = ()
    checkpoint: Path | None = None

    def rate(self, rate_id: str) -> RateSpec:
        """The rate point of that id.

        Raises:
            UnknownName: There is none; the message names the nearest.
        """
        for spec in self.rates:
            if spec.id == rate_id:
                return spec
        raise UnknownName(f"rate point of codec '{self.name}'", rate_id, [r.id for r in self.rates])

    def weights_of(self, rate: RateSpec) -> tuple[WeightsFile, ...]:
        """The weights files that a rate point needs."""
        return tuple(w for w in self.weights if rate.weights is None or w.file in rate.weights)


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
        upstream=_upstream(top.table("upstream", required=False)),
        environment=_environment(top.table("environment", required=False), path.parent),
        extensions=tuple(_extension(t) for t in top.tables("extension")),
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
    if spec.extensions and spec.upstream is None:
        raise ManifestError(f"{path}: [[extension]] needs the [upstream] that it is built in")
    files = {weights.file for weights in spec.weights}
    for rate in spec.rates:
        if unknown := sorted(set(rate.weights or ()) - files):
            raise ManifestError(
                f"{path}: rate point '{rate.id}' of '{spec.name}' needs {unknown[0]}, "
                "which no [[weights]] names"
            )


def _rate(table: Table) -> RateSpec:
    spec = RateSpec(
        id=table.text("id"),
        options=table.free("options"),
        nominal_bpp=table.number("nominal_bpp", default=None),
        weights=tuple(table.texts("weights")) or None,
    )
    table.done()
    return spec


def _weights(table: Table) -> WeightsFile:
    spec = WeightsFile(
        file=table.text("file"),
        sha256=table.text("sha256", default="") or None,
        size=table.integer("size", default=None),
        sources=tuple(table.texts("sources")),
        page=table.text("page", default=""),
        withdrawn=table.text("withdrawn", default=""),
    )
    table.done()
    return spec


def _upstream(table: Table | None) -> Upstream | None:
    if table is None:
        return None
    spec = Upstream(
        repository=table.text("repository"),
        commit=table.text("commit").lower(),
        subfolder=table.text("subfolder", default=""),
        required=table.boolean("required", default=True),
    )
    table.done()
    if not COMMIT.fullmatch(spec.commit):
        raise ManifestError(f"{table.where}: 'commit' must be 40 hexadecimal digits")
    return spec


def _extension(table: Table) -> Extension:
    spec = Extension(
        title=table.text("title"),
        file=table.text("file"),
        build=table.text("build"),
        required=table.boolean("required", default=True),
    )
    table.done()
    return spec


def _environment(table: Table | None, folder: Path) -> EnvironmentSpec | None:
    """The adapter's own folder ``container``, or the recipe of that name beside the harness."""
    if table is None:
        return None
    name = table.text("name")
    own = folder.absolute() / "container"
    recipe = own if own.is_dir() else data_folder("containers") / name
    spec = EnvironmentSpec(name, table.text("python", default="3.11"), recipe)
    table.done()
    if not (recipe / "requirements.txt").is_file():
        raise ManifestError(
            f"{table.where}: there is no {recipe / 'requirements.txt'}",
            "add the recipe of the environment, or name one that is there",
        )
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
        also=tuple(table.texts("also")),
        variable=table.text("variable", default=""),
    )
    table.done()
    return spec


def _external(table: Table | None) -> dict[str, Any] | None:
    """The ``[external]`` table, as :mod:`harness.codec.external` documents it."""
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
        weights_licence=table.text("weights_licence", default=base.weights_licence),
        rates=rates or base.rates,
        weights=weights or base.weights,
        in_all=table.boolean("in_all", default=True),
    )
    table.done()
    return spec

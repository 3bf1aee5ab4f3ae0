"""Reads ``codec.toml``: a codec, and its variants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from harness.catalog.codec_spec import (
    EXTERNAL_ENTRY,
    CodecFacts,
    CodecSpec,
    EnvironmentSpec,
    Extension,
    RateSpec,
    Requirement,
    WeightsFile,
)
from harness.catalog.forms import Label, Name
from harness.catalog.record import Rule, read_record
from harness.errors import ManifestError
from harness.paths import data_folder

Arguments = Annotated[tuple[str, ...], Rule("name a program and its arguments", minimum=1)]
Rates = Annotated[tuple[RateSpec, ...], Rule("hold at least one [[rate]]", minimum=1)]


@dataclass(eq=False, repr=False)
class Environment:
    """``[environment]``: where the adapter's code runs when it needs more than the harness does.

    Attributes:
        name: The recipe's folder in ``containers/``; a folder ``container`` in the adapter goes
            first.
        python: The version of Python.
    """

    name: Label
    python: Annotated[str, Rule("be a version such as '3.11'", pattern=r"3\.[0-9]+")] = "3.11"


@dataclass(eq=False, repr=False)
class External:
    """``[external]``: two command lines in place of a class, see :mod:`harness.codec.external`.

    Attributes:
        encode: The encoder's program and its arguments, one by one; no shell.
        decode: The decoder's.
        image_format: Format of encode's input and decode's output.
        extension: Ending of the bitstream's file.
        encode_ms: Where the encoder prints its own time: a regular expression with a group ``ms``
            (milliseconds) or ``s`` (seconds).
        decode_ms: The same for the decoder.
    """

    encode: Arguments
    decode: Arguments
    image_format: Literal["png", "ppm"] = "png"
    extension: Annotated[
        str, Rule("begin with a dot, such as '.bin'", pattern=r"\.[A-Za-z0-9._-]+")
    ] = ".bin"
    encode_ms: str = ""
    decode_ms: str = ""


@dataclass(eq=False, repr=False)
class Variant:
    """``[variants.<name>]``: the same adapter under another name.

    Attributes:
        title: What tables and figures print.
        options: Laid over the codec's options.
        rate: The rate points, in place of the codec's.
        weights: The weights files, in place of the codec's.
        weights_licence: Licence of the weights, in place of the codec's.
        in_all: Whether ``--codec all`` includes it.
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    rate: Rates | None = None
    weights: tuple[WeightsFile, ...] | None = None
    weights_licence: str | None = None
    in_all: bool = True


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CodecManifest(CodecFacts):
    """The manifest of a codec, ``codec.toml``.

    Attributes:
        entry: ``file:Class``: the file in the adapter's folder, without ``.py``, and its class.
        external: Two command lines in place of a class.
        rate: The rate points, in order of bitrate, the lowest first.
        times_processes: Whether the times are those of whole processes; left out, they are with
            ``[external]`` and are not with ``entry``.
        environment: Where the adapter runs; the harness's own Python when left out.
        extension: What users build once in upstream's checkout.
        variants: Further codecs of the same adapter, by name.
    """

    EITHER: ClassVar = ("entry", "external")

    entry: Annotated[str, Rule("be 'file:Class'", pattern=r"[A-Za-z_]\w*:[A-Za-z_]\w*")] | None = (
        None
    )
    external: External | None = None
    rate: Rates
    times_processes: bool | None = None
    environment: Environment | None = None
    extension: tuple[Extension, ...] = ()
    variants: Mapping[Name, Variant] = field(default_factory=dict)


def read_codec(path: Path) -> list[CodecSpec]:
    """The codec of a manifest, and its variants.

    Raises:
        ManifestError: The file does not read, has a wrong, unknown or missing key, or its parts
            do not fit each other.
    """
    manifest = read_record(CodecManifest, path)
    base = _codec(manifest, path)
    specs = [base, *(_variant(base, name, v) for name, v in manifest.variants.items())]
    for spec in specs:
        _check(spec, path)
    return specs


def _codec(manifest: CodecManifest, path: Path) -> CodecSpec:
    external = manifest.external
    processes = manifest.times_processes
    spec = CodecSpec(
        **{fact.name: getattr(manifest, fact.name) for fact in fields(CodecFacts)},
        folder=path.parent.absolute(),  # a worker runs in a folder of its own
        entry=manifest.entry or EXTERNAL_ENTRY,
        rates=manifest.rate,
        timing_scope="process" if (bool(external) if processes is None else processes) else "call",
        environment=_environment(manifest.environment, path),
        extensions=manifest.extension,
    )
    if external is None:
        return spec
    return replace(
        spec,
        options={**spec.options, "external": asdict(external)},
        requires=(*spec.requires, *_programs(external)),
    )


def _programs(external: External) -> list[Requirement]:
    """The programs of the two command lines, which must be on the PATH."""
    names = dict.fromkeys((external.encode[0], external.decode[0]))
    remedy = "install it, or add its folder to PATH"
    return [Requirement(program=name, install=remedy) for name in names if "{" not in name]


def _environment(table: Environment | None, path: Path) -> EnvironmentSpec | None:
    """The adapter's own folder ``container``, or the recipe of that name beside the harness."""
    if table is None:
        return None
    own = path.parent.absolute() / "container"
    recipe = own if own.is_dir() else data_folder("containers") / table.name
    if not (recipe / "requirements.txt").is_file():
        raise ManifestError(
            f"{path} [environment]: there is no {recipe / 'requirements.txt'}",
            "add the recipe of the environment, or name one that is there",
        )
    return EnvironmentSpec(table.name, table.python, recipe)


def _variant(base: CodecSpec, name: str, table: Variant) -> CodecSpec:
    licence = table.weights_licence
    return replace(
        base,
        name=name,
        title=table.title,
        options={**base.options, **table.options},
        rates=table.rate or base.rates,
        weights=base.weights if table.weights is None else table.weights,
        weights_licence=base.weights_licence if licence is None else licence,
        in_all=table.in_all,
    )


def _check(spec: CodecSpec, path: Path) -> None:
    """Refuse parts that do not fit each other."""
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

"""Finds the codecs.

They are found, in this order, in the ``adapters/`` folder that comes with the harness, in the
folders that ``HARNESS_ADAPTERS`` names, and behind entry points of the group ``harness.codecs``,
each of which names an installed package whose folder is an adapter.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from harness.catalog.checkpoints import expand
from harness.catalog.codec_manifest import read_codec
from harness.catalog.codec_spec import CodecSpec
from harness.errors import HarnessError, ManifestError, UnknownName
from harness.paths import data_folder


@dataclass
class Catalog:
    """All codecs that were found, and the manifests that could not be read.

    Attributes:
        codecs: The codecs by name, in the order in which they were found.
        broken: By the name of the adapter's folder: what is wrong with its manifest.
    """

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
            raise HarnessError(
                f"checkpoint {path} of codec '{key}' does not exist", "name a file after the '@'"
            )
        return replace(spec, checkpoint=path)

    def all(self) -> list[CodecSpec]:
        """What ``--codec all`` means, in the order of the catalogue."""
        return [spec for spec in self.codecs.values() if spec.in_all]


def adapter_folders() -> Iterator[tuple[str, Path | ManifestError]]:
    """Every folder that holds a ``codec.toml``, with a name for it, in the order of precedence.

    In place of a folder that is named and does not exist, the error is given.
    """
    roots = [data_folder("adapters")]
    extra = os.environ.get("HARNESS_ADAPTERS", "")
    roots += [Path(p).expanduser() for p in extra.split(os.pathsep) if p]
    for root in roots:
        if not root.is_dir():
            problem = f"HARNESS_ADAPTERS names {root}, which is not a folder"
            yield root.name, ManifestError(problem, "create it, or correct the name")
        elif (root / "codec.toml").is_file():
            yield root.name, root
        else:
            # Also one whose codec.toml is a link to nothing, which is then named.
            folders = (f for f in root.iterdir() if os.path.lexists(f / "codec.toml"))
            yield from sorted((folder.name, folder) for folder in folders)
    for point in entry_points(group="harness.codecs"):
        yield point.name, _package_folder(point)


def _package_folder(point: EntryPoint) -> Path | ManifestError:
    """The folder of the package that an entry point names; the package is not imported."""
    top, *rest = point.value.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return ManifestError(
            f"entry point '{point.name}' of harness.codecs names {point.value}, "
            "which is not an installed package",
            "install it again, or remove the distribution that names it",
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
                problem = f"{folder}: the name '{spec.name}' is taken by {other.folder}"
                catalog.broken[key] = ManifestError(problem, "rename the codec in its manifest")
            else:
                catalog.codecs[spec.name] = spec
    return catalog


def select(catalog: Catalog, names: Iterable[str]) -> tuple[list[CodecSpec], bool]:
    """The codecs that ``--codec`` names, each once, and whether any was asked for by name.

    Args:
        catalog: What there is.
        names: Codec names, ``name@checkpoint``, ``name@pattern``, or ``all``.

    Returns:
        The specs in the order asked for, and ``False`` when they came from ``all`` alone.
    """
    chosen: dict[tuple[str, Path | None], CodecSpec] = {}
    by_name = False
    for name in names:
        specs = catalog.all() if name == "all" else [catalog.get(one) for one in expand(name)]
        by_name = by_name or name != "all"
        chosen.update({(s.name, s.checkpoint): s for s in specs})
    return list(chosen.values()), by_name

"""Reads the data sets' manifests: which there are, and where each one's files can be had."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.toml import Table, read_toml
from harness.errors import ManifestError
from harness.paths import data_folder


@dataclass(frozen=True)
class FileSpec:
    """One ``[[file]]`` of a manifest: behind an address, or shipped in a Python package."""

    name: str
    sha256: str | None
    url: str = ""
    package: str = ""

    def in_package(self) -> Path | None:
        """Where the installed package ships the file, or ``None``; the package is not imported."""
        if not self.package:
            return None
        package, _, path = self.package.partition("/")
        spec = importlib.util.find_spec(package)
        folders = (spec.submodule_search_locations if spec else None) or []
        return next((p for f in folders if (p := Path(f, path)).is_file()), None)


@dataclass(frozen=True)
class ArchiveSpec:
    """The ``[archive]`` of a manifest: a zip file, and which of its members are the images."""

    url: str
    sha256: str | None
    size: int | None
    members: str


@dataclass(frozen=True)
class DatasetSpec:
    """A data set's manifest: ``datasets/<name>.toml``."""

    name: str
    title: str
    licence: str
    homepage: str
    citation: str
    count: int
    files: tuple[FileSpec, ...]
    archive: ArchiveSpec | None


def load_datasets() -> dict[str, DatasetSpec]:
    """Every manifest, by name: those of the harness, and of the folders in ``HARNESS_DATASETS``.

    Raises:
        ManifestError: One does not read, has a wrong, unknown or missing key, or a name that is
            taken.
    """
    specs: dict[str, DatasetSpec] = {}
    extra = os.environ.get("HARNESS_DATASETS", "").split(os.pathsep)
    for folder in (data_folder("datasets"), *(Path(e).expanduser() for e in extra if e)):
        for path in sorted(folder.glob("*.toml")):
            spec = read_dataset(path)
            if spec.name in specs:
                raise ManifestError(f"{path}: the name '{spec.name}' is taken")
            specs[spec.name] = spec
    return dict(sorted(specs.items()))


def read_dataset(path: Path) -> DatasetSpec:
    """Read one manifest.

    Raises:
        ManifestError: It does not read, or has a wrong, unknown or missing key.
    """
    top = read_toml(path)
    archive = top.table("archive", required=False)
    files = tuple(_file(table) for table in top.tables("file"))
    spec = DatasetSpec(
        name=top.text("name"),
        title=top.text("title"),
        licence=top.text("licence"),
        homepage=top.text("homepage"),
        citation=top.text("citation"),
        count=top.integer("images"),
        files=files,
        archive=_archive(archive) if archive else None,
    )
    top.done()
    if spec.name != path.stem:
        raise ManifestError(f"{path}: the name must be the file's, '{path.stem}'")
    if bool(files) == bool(archive):
        raise ManifestError(f"{path}: give either [[file]] or [archive]")
    names = {file.name for file in files}
    if files and len(names) != spec.count:
        raise ManifestError(f"{path}: 'images' is {spec.count}, but {len(names)} [[file]] differ")
    return spec


def _file(table: Table) -> FileSpec:
    spec = FileSpec(
        name=table.text("name"),
        sha256=table.text("sha256", default="") or None,
        url=table.text("url", default=""),
        package=table.text("package", default=""),
    )
    table.done()
    if bool(spec.url) == bool(spec.package):
        raise ManifestError(f"{table.where}: give either 'url' or 'package'")
    return spec


def _archive(table: Table) -> ArchiveSpec:
    spec = ArchiveSpec(
        url=table.text("url"),
        sha256=table.text("sha256", default="") or None,
        size=table.integer("size", default=None),
        members=table.text("members"),
    )
    table.done()
    return spec

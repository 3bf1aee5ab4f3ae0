"""Reads the data sets' manifests: which there are, and where each one's files can be had."""

from __future__ import annotations

import importlib.util
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from harness.catalog.forms import InnerPath, Name, Positive, Sha256
from harness.catalog.record import Rule, read_record, written
from harness.errors import ManifestError
from harness.paths import data_folder
from harness.text import shown

PackagedPath = Annotated[
    InnerPath,
    Rule(
        "be a package's name and a path in it, such as 'skimage/data/coffee.png'",
        pattern=r"[A-Za-z]\w*/.*",
    ),
]


@dataclass(frozen=True)
class FileSpec:
    """One ``[[file]]``: an image behind an address, or shipped in a Python package.

    Attributes:
        name: The image's name, unique in the data set; its file has this name below the data
            set's folder.
        sha256: Hash of the file, 64 hexadecimal digits; when left out, the first download's is
            binding.
        url: The address to download it from.
        package: An installed Python package, and the path of the file in it:
            ``skimage/data/coffee.png``.
    """

    EITHER: ClassVar = ("url", "package")

    name: InnerPath
    sha256: Sha256 | None = None
    url: str = ""
    package: PackagedPath = ""

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
    """``[archive]``: a zip file that holds the images.

    Attributes:
        url: The address to download it from.
        members: Pattern of the members that are the images, such as ``*/high/*.png``; they are
            taken out without their folders.
        sha256: Hash of the zip file, 64 hexadecimal digits; when left out, the first download's is
            binding.
        size: Size of the zip file, in bytes.
    """

    url: str
    members: str
    sha256: Sha256 | None = None
    size: Positive | None = None


@dataclass(frozen=True)
class DatasetSpec:
    """The manifest of a data set, ``<name>.toml``.

    Attributes:
        name: What people type: lower case, with hyphens; the file has the same name.
        title: What tables and figures print.
        licence: The licence of the images, in the words of their publisher.
        homepage: The address where the publisher describes the data set.
        citation: How papers cite it.
        count: How many images it has.
        files: The images, in order, each with an address of its own.
        archive: One zip file in place of single files.
    """

    EITHER: ClassVar = ("file", "archive")

    name: Name
    title: str
    licence: str
    homepage: str
    citation: str
    count: Positive = field(metadata=written("images"))
    files: tuple[FileSpec, ...] = field(default=(), metadata=written("file"))
    archive: ArchiveSpec | None = None


@dataclass
class DatasetCatalog:
    """All data sets that were found, and the manifests that cannot be used.

    Attributes:
        datasets: The data sets by name, in alphabetical order.
        broken: By the name of the file, without ``.toml``: what is wrong with the manifest.
    """

    datasets: dict[str, DatasetSpec] = field(default_factory=dict)
    broken: dict[str, ManifestError] = field(default_factory=dict)


def load_datasets() -> DatasetCatalog:
    """Every manifest: those of the harness, and of the folders in ``HARNESS_DATASETS``.

    One that does not read goes to :attr:`DatasetCatalog.broken`. So do two of the same name, for
    the harness cannot know which of them is meant.
    """
    catalog = DatasetCatalog()
    manifests: dict[str, list[Path]] = defaultdict(list)
    for folder in _folders():
        if not folder.is_dir():
            problem = f"HARNESS_DATASETS names {shown(folder)}, which is not a folder"
            catalog.broken[str(folder)] = ManifestError(problem, "create it, or correct the name")
        for path in folder.glob("*.toml"):
            manifests[path.stem].append(path)
    for name, (path, *others) in sorted(manifests.items()):
        if others:
            problem = f"{others[0]}: the name '{name}' is taken by {path}"
            remedy = "rename the file and the data set in it"
            catalog.broken[name] = ManifestError(problem, remedy)
            continue
        try:
            catalog.datasets[name] = read_dataset(path)
        except ManifestError as error:
            catalog.broken[name] = error
    return catalog


def _folders() -> Iterable[Path]:
    """The folders of manifests, each once: the harness's own, then the user's."""
    named = os.environ.get("HARNESS_DATASETS", "").split(os.pathsep)
    own = [Path(name).expanduser() for name in named if name]
    return dict.fromkeys(folder.resolve() for folder in (data_folder("datasets"), *own))


def read_dataset(path: Path) -> DatasetSpec:
    """Read one manifest.

    Raises:
        ManifestError: It does not read, or has a wrong, unknown or missing key.
    """
    spec = read_record(DatasetSpec, path)
    if spec.name != path.stem:
        raise ManifestError(f"{path}: the name must be the file's, '{path.stem}'")
    names = {file.name for file in spec.files}
    if spec.files and len(names) != spec.count:
        raise ManifestError(f"{path}: 'images' is {spec.count}, but {len(names)} [[file]] differ")
    return spec

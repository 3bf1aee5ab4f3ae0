"""Finds the photographs of a data set: in the user's folders, in the cache, or by download.

A data set is a manifest in ``datasets/``, or any folder of images. A manifest's files are looked
for in the folders that ``HARNESS_DATA`` names, then in the cache; what is missing is downloaded
into the cache, unless ``HARNESS_OFFLINE=1`` forbids it. Every file is read completely once, so that
a damaged one is refused when the run is planned and not in the middle of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.assets.dataset_files import cached_folder, fetch_archive, fetch_file
from harness.assets.download import is_offline
from harness.catalog.datasets import DatasetSpec, FileSpec, load_datasets
from harness.errors import HarnessError, ImageError, UnknownName
from harness.images.index import image_facts, image_memory
from harness.text import is_printable, shown

IMAGE_SUFFIXES = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pnm"),
        *(".avif", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".pfm", ".tga"),
    )
)
"""The files in a folder that count as images. Those of the second line are refused by name."""

UNPRINTABLE = (
    "has a name that holds control characters, or bytes that are not UTF-8, and cannot stand in "
    "records and tables; rename it"
)


@dataclass(frozen=True)
class SourceImage:
    """One photograph of a data set.

    Attributes:
        name: Unique in its data set: the file's name; in a user's folder, its path relative to
            that folder, with ``/`` between the parts.
        path: Where the file is on this machine.
        sha256: Of the file's bytes, in hexadecimal.
        height: In pixels, of the upright image.
        width: In pixels.
    """

    name: str
    path: Path
    sha256: str
    height: int
    width: int


@dataclass(frozen=True)
class Dataset:
    """A data set on this machine.

    Attributes:
        name: What the records call it.
        title: What tables and figures call it.
        licence: As the manifest states it, or ``""`` for a folder.
        images: In the manifest's order, or natural order by name (``2.png`` before ``10.png``).
        refused: Files that cannot be measured, with the reason.
    """

    name: str
    title: str
    licence: str
    images: tuple[SourceImage, ...]
    refused: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A file that is an image of the data set, if it can be read and is the expected one."""

    name: str
    path: Path
    sha256: str | None = None


def resolve(name: str, *, download: bool = True, limit: int | None = None) -> Dataset:
    """Find a data set's photographs on this machine, downloading what is missing.

    Args:
        name: A manifest's name, the name of a folder in a ``HARNESS_DATA`` folder, or the path
            of a folder, which is searched with its subfolders. A folder that has a manifest's
            name must match that manifest, so that its records can be compared with others'.
        download: Whether missing files may be downloaded.
        limit: Use only the first ``limit`` images; no other file is downloaded or required.

    Raises:
        UnknownName: There is no such data set.
        ManifestError: Its manifest cannot be read.
        HarnessError: Its files are missing and cannot be downloaded, or none can be measured.
    """
    if limit is not None and limit < 1:
        raise HarnessError(f"a limit of {limit} images leaves nothing to measure")
    catalog = load_datasets()
    specs = catalog.datasets
    key = name.lower().replace("_", "-")
    if key in catalog.broken:
        raise catalog.broken[key]
    if key in specs:
        may_download = download and not is_offline()
        return _held_to(specs[key], places(key), limit, download=may_download)
    folder = _folder(name, specs)
    if folder.name in catalog.broken:
        raise catalog.broken[folder.name]
    if folder.name in specs:
        return _held_to(specs[folder.name], [folder], limit, download=False)
    if not is_printable(folder.name):
        raise HarnessError(f"folder {shown(folder)} {UNPRINTABLE.partition('; ')[0]}", "rename it")
    files = scan(folder)
    if not files:
        raise HarnessError(
            f"folder {shown(folder)} holds no images",
            "their names must end in .png, .jpg or the like",
        )
    candidates = (_Candidate(path.relative_to(folder).as_posix(), path) for path in files)
    return _examined(folder.name, folder.name, "", candidates, limit)


def _folder(text: str, known: Iterable[str]) -> Path:
    """The folder that a path, or a name in a ``HARNESS_DATA`` folder, stands for."""
    is_path = os.sep in text or text.startswith((".", "~"))
    roots = [] if is_path else data_roots()
    for folder in (*(root / text for root in roots), Path(text).expanduser()):
        if folder.is_dir():
            return folder.resolve()
    if is_path or Path(text).exists():
        what = "is not a folder" if Path(text).expanduser().exists() else "does not exist"
        raise HarnessError(f"dataset {text} {what}", "name a folder of images")
    raise UnknownName("dataset", text, known, "to use a folder of images, give its path")


def data_roots() -> list[Path]:
    """The folders that ``HARNESS_DATA`` names."""
    named = os.environ.get("HARNESS_DATA", "").split(os.pathsep)
    return [Path(root).expanduser().resolve() for root in named if root]


def places(name: str) -> list[Path]:
    """The folders where a data set's files are looked for, in order; they may not exist."""
    roots = data_roots()
    return [*(r if r.name == name else r / name for r in roots), cached_folder(name)]


def scan(folder: Path) -> list[Path]:
    """The image files of a folder and its subfolders, in natural order, without hidden ones.

    Whatever has an image's name and is no folder counts: a broken link or a named pipe is refused
    by name when it is read.
    """
    paths = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
        and (path.is_symlink() or not path.is_dir())
    )
    return sorted(paths, key=lambda path: _natural(path.relative_to(folder).as_posix()))


def _natural(name: str) -> tuple[list[str | int], str]:
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if n % 2 else part for n, part in enumerate(parts)], name


def count_here(spec: DatasetSpec) -> tuple[int, Path | None]:
    """How many images of a data set are on this machine, and the folder of the first of them.

    Files are counted, not opened.
    """
    if spec.archive:
        counts = ((len(scan(place)), place) for place in places(spec.name) if place.is_dir())
        count, folder = max(counts, key=lambda found: found[0], default=(0, None))
        return count, folder if count else None
    found = [path for file in spec.files if (path := _find(file, places(spec.name)))]
    return len(found), found[0].parent if found else None


def _held_to(
    spec: DatasetSpec, search: Sequence[Path], limit: int | None, *, download: bool
) -> Dataset:
    """The data set that a manifest describes, from the folders in ``search``."""
    wanted = min(limit or spec.count, spec.count)
    choose = _from_archive if spec.archive else _from_files
    candidates = choose(spec, search, wanted, download=download)
    return _examined(spec.name, spec.title, spec.licence, candidates, wanted)


def _from_files(
    spec: DatasetSpec, search: Sequence[Path], wanted: int, *, download: bool
) -> Iterator[_Candidate]:
    found = {file: _find(file, search) for file in spec.files[:wanted]}
    missing = [file for file, path in found.items() if not path and not (download and file.url)]
    if missing:
        what = f"{len(missing)} of {wanted} files are missing, {missing[0].name} first"
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise _not_here(spec, what, search, missing[0].url and missing[0].url + others)
    for file, path in found.items():
        yield _Candidate(file.name, path or fetch_file(spec, file), file.sha256)


def _from_archive(
    spec: DatasetSpec, search: Sequence[Path], wanted: int, *, download: bool
) -> Iterator[_Candidate]:
    assert spec.archive is not None  # noqa: S101
    counts = {place: len(scan(place)) for place in search if place.is_dir()}
    folder = next((p for p, count in counts.items() if wanted <= count <= spec.count), None)
    if folder is None and not download:
        have = [f"{place} has {count} images, not {spec.count}" for place, count in counts.items()]
        raise _not_here(spec, ", ".join(have) or "no folder has it", search, spec.archive.url)
    for path in scan(folder or fetch_archive(spec)):
        yield _Candidate(path.name, path)


def _find(file: FileSpec, search: Iterable[Path]) -> Path | None:
    return file.in_package() or next(
        (path for place in search if (path := place / file.name).is_file()), None
    )


def _not_here(spec: DatasetSpec, what: str, search: Sequence[Path], address: str) -> HarnessError:
    cached = cached_folder(spec.name)
    if not address:
        package = spec.files[0].package.partition("/")[0]
        remedy = f"its images come with the Python package '{package}': install that"
    elif cached not in search:
        remedy = "complete the folder, or rename it to measure it as a data set of its own"
    else:
        unpack = " and unpack it" if spec.archive else ""
        off = "HARNESS_OFFLINE forbids downloads: unset it, or " if is_offline() else ""
        remedy = (
            f"{off}download {address}{unpack} into {cached}, "
            f"or set HARNESS_DATA to a folder that has {spec.name}/"
        )
    folders = " or ".join(map(str, search))
    return HarnessError(f"dataset '{spec.name}' is not in {folders}: {what}", remedy)


def _examined(
    name: str, title: str, licence: str, candidates: Iterable[_Candidate], limit: int | None
) -> Dataset:
    """The data set of the candidates that can be measured, at most ``limit`` of them."""
    images: list[SourceImage] = []
    refused: list[tuple[Path, str]] = []
    with image_memory() as memory:
        for candidate in candidates:
            path = candidate.path
            if not is_printable(candidate.name):
                refused.append((path, UNPRINTABLE))
                continue
            try:
                facts = image_facts(path, memory)
            except ImageError as error:
                refused.append((path, str(error).removeprefix(f"{shown(path)} ")))
                continue
            if candidate.sha256 not in (None, facts.sha256):
                reason = (
                    f"is not the {candidate.name} of {title}: its sha256 is {facts.sha256}, "
                    f"not {candidate.sha256}; replace it with the original file"
                )
                refused.append((path, reason))
                continue
            images.append(
                SourceImage(candidate.name, path, facts.sha256, facts.height, facts.width)
            )
            if len(images) == limit:
                break
    if not images:
        path, reason = refused[0]
        others = f" ({len(refused) - 1} more were refused)" if len(refused) > 1 else ""
        raise HarnessError(f"dataset '{name}' has no usable image: {shown(path)} {reason}{others}")
    return Dataset(name, title, licence, tuple(images), tuple(refused))

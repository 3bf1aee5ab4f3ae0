"""Downloads codecs' weights from where their authors put them.

A manifest's ``sources`` are tried in their order:

=============================  ====================================================
``https://...``                a file
``hf:OWNER/REPO/PATH``         a file of a Hugging Face repository; ``REPO@REVISION``
``zenodo:RECORD/FILE``         a file of a Zenodo record, checked by its published md5
``gdrive:ID``                  a file on Google Drive
``gdrive-folder:ID/PATH``      a file in a folder on Google Drive
=============================  ====================================================
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.assets.digests import damage, remembered_sha256
from harness.assets.download import download, is_offline, unwritable
from harness.catalog.codec_spec import CodecSpec, WeightsFile
from harness.errors import HarnessError
from harness.paths import cache_folder, find_weights


@dataclass(frozen=True)
class Fetched:
    """A weights file on this machine."""

    path: Path
    sha256: str
    downloaded: bool


def fetch_weights(spec: CodecSpec, weights: WeightsFile) -> Fetched:
    """Download one weights file into the cache, unless it is on this machine already.

    Raises:
        HarnessError: No source has it, or it is not the file that the manifest describes.
    """
    path = find_weights(spec.folder, weights.file)
    if path.is_file():
        return Fetched(path, _checked(path, weights), downloaded=False)
    if is_offline():
        raise HarnessError(
            f"weights {weights.file} were not downloaded: HARNESS_OFFLINE is set",
            f"unset it, or place the file at {path}",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_space(path.parent, weights)
    except OSError as error:
        raise unwritable(path, error) from error
    answers = []
    for source in weights.sources:
        kind, place = split_source(source)
        try:
            _FETCHERS[kind](place, path, weights.sha256)
            digest = _checked(path, weights)
        except Exception as error:  # noqa: BLE001 - four libraries, each with its own errors
            path.unlink(missing_ok=True)
            answers.append(f"{source}: {_one_line(error)}")
        else:
            return Fetched(path, digest, downloaded=True)
    where = f"from {weights.page} " if weights.page else ""
    raise HarnessError(_failure(weights, answers), f"get it {where}by hand and place it at {path}")


def split_source(source: str) -> tuple[str, str]:
    """The kind of a source, and the place within it.

    Raises:
        HarnessError: There is no such kind.
    """
    kind, _, place = source.partition(":")
    if kind not in _FETCHERS or not place:
        kinds = ", ".join(f"{name}:" for name in _FETCHERS)
        raise HarnessError(f"weights source {source!r} is of an unknown kind (known: {kinds})")
    return kind, place


def _https(place: str, path: Path, sha256: str | None) -> None:
    download(f"https:{place}", path, sha256)


def _http(place: str, path: Path, sha256: str | None) -> None:
    download(f"http:{place}", path, sha256)


def _hugging_face(place: str, path: Path, _: str | None) -> None:
    from huggingface_hub import hf_hub_download

    owner, name, file = place.split("/", 2)
    name, _, revision = name.partition("@")
    with _beside(path) as folder:
        fetched = hf_hub_download(
            f"{owner}/{name}", file, revision=revision or None, local_dir=folder
        )
        Path(fetched).replace(path)


def _zenodo(place: str, path: Path, sha256: str | None) -> None:
    import pooch

    record, file = place.split("/", 1)
    files = pooch.create(path=path.parent, base_url=f"doi:10.5281/zenodo.{record}/")
    files.load_registry_from_doi()
    download(f"https://zenodo.org/records/{record}/files/{file}?download=1", path, sha256)
    algorithm, _, published = files.registry[file].partition(":")
    if pooch.file_hash(str(path), alg=algorithm) != published:
        path.unlink()
        raise HarnessError(f"the file is not the one whose {algorithm} Zenodo publishes")


def _google_drive(place: str, path: Path, _: str | None) -> None:
    import gdown

    part = path.with_name(path.name + ".part")
    gdown.download(id=place, output=str(part), resume=True)
    part.replace(path)


def _google_drive_folder(place: str, path: Path, sha256: str | None) -> None:
    import gdown

    folder, wanted = place.split("/", 1)
    files: Any = gdown.download_folder(id=folder, skip_download=True, quiet=True)
    by_path = {str(file.path): file.id for file in files}
    if wanted not in by_path:
        raise HarnessError(f"the folder has no {wanted}, only {', '.join(sorted(by_path))}")
    _google_drive(by_path[wanted], path, sha256)


_FETCHERS: dict[str, Callable[[str, Path, str | None], None]] = {
    "https": _https,
    "http": _http,
    "hf": _hugging_face,
    "zenodo": _zenodo,
    "gdrive": _google_drive,
    "gdrive-folder": _google_drive_folder,
}


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder on the same disk, in which a partial download stays for the next attempt."""
    folder = cache_folder() / "weights" / f".{path.name}.parts"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _checked(path: Path, weights: WeightsFile) -> str:
    """The sha256 of a file, which must be the one that the manifest describes."""
    if (lack := damage(path, weights)) is not None:
        raise HarnessError.of(lack)
    return remembered_sha256(path)


def _check_space(folder: Path, weights: WeightsFile) -> None:
    free = shutil.disk_usage(folder).free
    if weights.size is not None and weights.size > free:
        raise HarnessError(
            f"{weights.file} takes {weights.size / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are "
            f"free in {folder}",
            "name a folder with more room in HARNESS_CACHE",
        )


def _failure(weights: WeightsFile, answers: list[str]) -> str:
    problem = f"weights {weights.file} could not be downloaded"
    if weights.withdrawn:
        problem += f" (withdrawn by the publisher: {weights.withdrawn})"
    return f"{problem}: {' | '.join(answers) or 'the manifest names no source'}"


def _one_line(error: Exception) -> str:
    text = error.problem if isinstance(error, HarnessError) else str(error)
    return " ".join(text.split())[:300] or type(error).__name__

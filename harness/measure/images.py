"""The images of a run: photographs and reconstructions.

Each is held in memory as long as there is room, so that what was just decoded is scored without
being read again; reconstructions are also on disk as long as they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path

from cachetools import LRUCache

from harness.codec import Image
from harness.errors import ImageError
from harness.images.files import read_image, write_png
from harness.images.resolution import derive
from harness.plan.cases import Batch, Case
from harness.plan.request import Settings
from harness.store.run_store import RunStore

CACHE_BYTES = 1 << 30
"""Memory for reconstructions between decoding and scoring; photographs get half as much."""

Cache = LRUCache[Hashable, Image]


class Images:
    """Photographs at the requested resolutions, and reconstructions.

    Args:
        store: Where reconstructions are kept.
        settings: What is kept, and whether images are enlarged.
    """

    def __init__(self, store: RunStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._photographs = _cache(CACHE_BYTES // 2)
        self._reconstructions = _cache(CACHE_BYTES)

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

    def keep(self, batch: Batch, case: Case, image: Image) -> Path:
        """Keep a reconstruction for the metrics, in memory and losslessly on disk.

        Returns:
            Its file.

        Raises:
            HarnessError: The file cannot be written.
        """
        path = self._file(batch, case)
        write_png(path, image)
        with suppress(ValueError):  # larger than the whole cache
            self._reconstructions[case.id] = image
        return path

    def reconstruction(self, batch: Batch, case: Case) -> Image:
        """The reconstruction of a case: uint8, H x W x 3.

        Raises:
            ImageError: Its file is missing or damaged; a damaged one is removed.
        """
        path = self._file(batch, case)

        def read() -> Image:
            try:
                return read_image(path)
            except ImageError:
                path.unlink(missing_ok=True)
                raise

        return _held(self._reconstructions, case.id, read)

    def has_reconstruction(self, batch: Batch, case: Case) -> bool:
        """Whether the reconstruction of a case is available."""
        return case.id in self._reconstructions or self._file(batch, case).is_file()

    def is_scored(self, batch: Batch, case: Case) -> None:
        """Drop a scored reconstruction from memory, and from disk unless it is to be kept."""
        self._reconstructions.pop(case.id, None)
        if self._settings.keep != "all":
            self._file(batch, case).unlink(missing_ok=True)

    def _file(self, batch: Batch, case: Case) -> Path:
        return self._store.reconstruction(batch.place(case), case.id)


def _cache(max_bytes: int) -> Cache:
    return LRUCache(max_bytes, getsizeof=lambda image: image.nbytes)


def _held(cache: Cache, key: Hashable, read: Callable[[], Image]) -> Image:
    if (image := cache.get(key)) is None:
        image = read()
        with suppress(ValueError):  # larger than the whole cache
            cache[key] = image
    return image

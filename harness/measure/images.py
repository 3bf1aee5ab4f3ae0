"""The images at hand in a run: photographs, and what codecs made of them.

Each is held in memory as long as there is room, so that what was just decoded is scored without
being read again; reconstructions lie on disk, too, as long as they are wanted.
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
"""Reconstructions held in memory between decoding and scoring, and half of it for photographs."""

Cache = LRUCache[Hashable, Image]


def has_reconstruction(store: RunStore, batch: Batch, case: Case) -> bool:
    """Whether the image that a case was decoded to is on disk."""
    return reconstruction_file(store, batch, case).is_file()


def reconstruction_file(store: RunStore, batch: Batch, case: Case) -> Path:
    """Where the image that a case was decoded to lies, or would lie."""
    return store.file("reconstructions", batch.place(case), case.id, ".png")


class Images:
    """Photographs at the resolutions asked for, and reconstructions.

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
        """Keep a reconstruction for the metrics: in memory, and losslessly on disk.

        Returns:
            Its file.

        Raises:
            HarnessError: The file cannot be written.
        """
        path = reconstruction_file(self._store, batch, case)
        write_png(path, image)
        with suppress(ValueError):  # larger than all the room there is
            self._reconstructions[case.id] = image
        return path

    def reconstruction(self, batch: Batch, case: Case) -> Image:
        """What a case was decoded to: uint8, H x W x 3.

        Raises:
            ImageError: Its file is missing or damaged; a damaged one is removed.
        """
        path = reconstruction_file(self._store, batch, case)

        def read() -> Image:
            try:
                return read_image(path)
            except ImageError:
                path.unlink(missing_ok=True)
                raise

        return _held(self._reconstructions, case.id, read)

    def has_reconstruction(self, batch: Batch, case: Case) -> bool:
        """Whether the image that a case was decoded to is at hand."""
        return case.id in self._reconstructions or has_reconstruction(self._store, batch, case)

    def is_scored(self, batch: Batch, case: Case) -> None:
        """Give a reconstruction up: in memory, and on disk unless it is to be kept."""
        self._reconstructions.pop(case.id, None)
        if self._settings.keep != "all":
            reconstruction_file(self._store, batch, case).unlink(missing_ok=True)


def _cache(max_bytes: int) -> Cache:
    return LRUCache(max_bytes, getsizeof=lambda image: image.nbytes)


def _held(cache: Cache, key: Hashable, read: Callable[[], Image]) -> Image:
    if (image := cache.get(key)) is None:
        image = read()
        with suppress(ValueError):  # larger than all the room there is
            cache[key] = image
    return image

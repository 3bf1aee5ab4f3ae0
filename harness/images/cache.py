"""Decoded images in memory, the least recently used given up first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from harness.codec import Image


class ImageCache:
    """Holds images by key, up to a number of bytes; one larger than that is not held."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._images: OrderedDict[object, Image] = OrderedDict()

    def put(self, key: object, image: Image) -> None:
        """Hold an image; others are given up to make room."""
        self.drop(key)
        self._images[key] = image
        self._bytes += image.nbytes
        while self._bytes > self._max_bytes:
            _, oldest = self._images.popitem(last=False)
            self._bytes -= oldest.nbytes

    def get(self, key: object, read: Callable[[], Image]) -> Image:
        """The image held under ``key``, or what ``read`` gives, which is then held."""
        if key in self._images:
            self._images.move_to_end(key)
            return self._images[key]
        image = read()
        self.put(key, image)
        return image

    def drop(self, key: object) -> None:
        """Give up an image, if it is held."""
        image = self._images.pop(key, None)
        if image is not None:
            self._bytes -= image.nbytes

    def __contains__(self, key: object) -> bool:
        return key in self._images

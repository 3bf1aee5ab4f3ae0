"""The sha256 and size of image files, remembered once they were read, so planning is quick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.assets.digests import FileMemory, sha256_of

KIND = "image 1"
"""Its number is raised when files.py changes which size a file has, or which files it refuses."""


@dataclass(frozen=True)
class ImageFacts:
    """What identifies an image file: its bytes' sha256, and its upright size in pixels."""

    sha256: str
    height: int
    width: int


def image_memory(path: Path | None = None) -> FileMemory:
    """The memory of image files; see :class:`harness.assets.digests.FileMemory`."""
    return FileMemory(KIND, path)


def image_facts(path: Path, memory: FileMemory) -> ImageFacts:
    """The facts of an image file, which is read completely if it is new or has changed.

    Raises:
        ImageError: It cannot be measured as it is.
    """
    try:
        known = memory.recall(path)
    except OSError:
        return _read(path)  # which raises an error that says why it cannot be read
    if known is not None:
        return ImageFacts(*known)
    facts = _read(path)
    memory.remember(path, [facts.sha256, facts.height, facts.width])
    return facts


def _read(path: Path) -> ImageFacts:
    from harness.images.files import read_image

    height, width, _ = read_image(path).shape
    return ImageFacts(sha256_of(path), height, width)

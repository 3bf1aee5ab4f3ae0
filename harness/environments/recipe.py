"""The identity of an environment: a hash of its recipe, so a changed recipe is a new one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from harness.catalog.codec_spec import EnvironmentSpec
from harness.paths import data_folder

TAG_DIGITS = 12


def requirements(spec: EnvironmentSpec) -> Path:
    """The file of pinned versions."""
    return spec.recipe / "requirements.txt"


def base_recipe() -> Path:
    """The folder of the image that all environments share."""
    return data_folder("containers") / "base"


def default_base(spec: EnvironmentSpec) -> str:
    """The image to build on: ``HARNESS_DOCKER_BASE``, or Debian with the recipe's Python."""
    return os.environ.get("HARNESS_DOCKER_BASE") or f"python:{spec.python}-slim-bookworm"


def venv_tag(spec: EnvironmentSpec) -> str:
    """The tag of the recipe's virtual environment: a hash of its Python and its requirements."""
    return _hash([spec.python], [requirements(spec)])


def recipe_digest(spec: EnvironmentSpec) -> str:
    """The part of an image's tag that does not depend on the image it is built on."""
    return _hash([spec.python], [*_files(spec.recipe), *_files(base_recipe())])


def base_tag(spec: EnvironmentSpec, base: str) -> str:
    """The tag of the shared image, built on ``base``."""
    return _hash([spec.python, base], _files(base_recipe()))


def image_tag(spec: EnvironmentSpec, base: str) -> str:
    """The tag of the recipe's image, built on ``base``."""
    return _hash([recipe_digest(spec), base], [])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _hash(texts: Iterable[str], files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:TAG_DIGITS]

"""Where an adapter's code runs: inline, in a virtual environment or in a container."""

from __future__ import annotations

import os
from typing import cast, get_args

from harness.catalog.codec_spec import CodecSpec, EnvironmentName
from harness.environments.base import Environment
from harness.environments.docker import Docker
from harness.environments.inline import Inline
from harness.environments.venv import Venv
from harness.errors import UnknownName

__all__ = ["Docker", "Environment", "Inline", "Venv", "choose"]


def choose(spec: CodecSpec, wanted: EnvironmentName = "auto") -> Environment:
    """The environment in which a codec runs; :meth:`Environment.lack` says whether it can start.

    A codec whose manifest names no environment runs inline, whatever ``wanted`` is. For the others
    ``auto`` means what ``HARNESS_ENVIRONMENT`` names, or else whichever of the two is built, the
    virtual environment before the image.

    Raises:
        UnknownName: ``HARNESS_ENVIRONMENT`` does not name an environment.
    """
    if wanted == "auto":
        wanted = _default()
    if spec.environment is None or wanted == "inline":
        return Inline([r.module for r in spec.requires if r.module])
    venv, image = Venv(spec.environment), Docker(spec.environment)
    if wanted == "docker" or (wanted == "auto" and not venv.built and image.lack() is None):
        return image
    return venv


def _default() -> EnvironmentName:
    named = os.environ.get("HARNESS_ENVIRONMENT") or "auto"
    if named not in get_args(EnvironmentName):
        raise UnknownName("HARNESS_ENVIRONMENT", named, get_args(EnvironmentName))
    return cast(EnvironmentName, named)

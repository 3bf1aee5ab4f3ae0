"""Builds, finds and removes the images of environments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog.codec_spec import EnvironmentSpec
from harness.environments.docker_engine import engine
from harness.environments.recipe import (
    base_recipe,
    base_tag,
    default_base,
    image_tag,
    recipe_digest,
)
from harness.errors import HarnessError
from harness.paths import cache_folder

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

REPOSITORY = "codec-harness"
NAME_LABEL = "codec-harness.environment"
RECIPE_LABEL = "codec-harness.recipe"
BASE_LABEL = "codec-harness.base"

Show = Callable[[str], None]


def find(spec: EnvironmentSpec) -> Image | None:
    """The image of a recipe: the one on the default base, or else the newest on any other.

    Raises:
        HarnessError: The engine does not answer.
    """
    images = [i for i in images_of(spec.name) if i.labels.get(RECIPE_LABEL) == recipe_digest(spec)]
    images.sort(key=lambda i: (i.labels.get(BASE_LABEL) == default_base(spec), i.attrs["Created"]))
    return images[-1] if images else None


def images_of(name: str) -> list[Image]:
    """All images that were built for an environment, including those of older recipes."""
    found: list[Image] = engine().images.list(filters={"label": f"{NAME_LABEL}={name}"})
    return found


def tag_of(image: Image) -> str:
    """The tag of an image that was built here."""
    return next((str(tag).rpartition(":")[2] for tag in image.tags), str(image.short_id))


def build(spec: EnvironmentSpec, base: str | None, show: Show) -> None:
    """Build the image that all environments share, and a recipe's image on top of it.

    Args:
        spec: The recipe.
        base: The image to build on, in place of :func:`default_base`.
        show: Called with each line that the engine prints.

    Raises:
        HarnessError: The engine does not answer, or a step of a build fails.
    """
    base = base or default_base(spec)
    client = engine()
    shared = f"{REPOSITORY}/base:{base_tag(spec, base)}"
    arguments = {"BASE": base, "PYTHON": spec.python}
    _build(client, spec, base_recipe(), shared, arguments, {NAME_LABEL: "base"}, show)
    labels = {NAME_LABEL: spec.name, RECIPE_LABEL: recipe_digest(spec), BASE_LABEL: base}
    name = f"{REPOSITORY}/{spec.name.lower()}:{image_tag(spec, base)}"
    _build(client, spec, spec.recipe, name, {"BASE": shared}, labels, show)


def remove(name: str) -> int:
    """Remove all images of an environment, and unused shared ones. Returns how many.

    Raises:
        HarnessError: The engine does not answer, or an image is in use.
    """
    import docker

    client = engine()
    images = images_of(name)
    for image in images:
        try:
            client.images.remove(image.id, force=True)
        except docker.errors.APIError as error:
            raise HarnessError(
                f"image {REPOSITORY}/{name}:{tag_of(image)} is in use: {error.explanation}",
                "wait for the runs that use it, or stop their containers",
            ) from error
    for image in images_of("base"):
        with contextlib.suppress(docker.errors.APIError):  # another environment is built on it
            client.images.remove(image.tags[0] if image.tags else image.id)
    return len(images)


def _build(
    client: DockerClient,
    spec: EnvironmentSpec,
    folder: Path,
    tag: str,
    arguments: dict[str, str],
    labels: dict[str, str],
    show: Show,
) -> None:
    import docker

    if not (folder / "Dockerfile").is_file():
        raise HarnessError(
            f"environment '{spec.name}' has no {folder / 'Dockerfile'}",
            "build it as a virtual environment: --backend venv",
        )
    log = cache_folder() / "environments" / f"{tag.replace('/', '-').replace(':', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        try:
            for event in client.api.build(
                path=str(folder), tag=tag, buildargs=arguments, labels=labels, rm=True,
                forcerm=True, decode=True,
            ):  # fmt: skip
                for line in _lines(event):
                    file.write(line + "\n")
                    show(line)
                if "error" in event:
                    raise HarnessError(
                        f"environment '{spec.name}': the image could not be built: "
                        f"{str(event['error']).strip()}",
                        f"see {log}; 'harness env build {spec.name} --backend docker' tries again",
                    )
        except docker.errors.APIError as error:
            raise HarnessError(
                f"environment '{spec.name}': the image could not be built: {error.explanation}"
            ) from error


def _lines(event: dict[str, object]) -> list[str]:
    """The text of a build event, without the progress of pulling layers."""
    if "progress" in event or not (text := event.get("stream") or event.get("status")):
        return []
    return [line for line in str(text).splitlines() if line.strip()]

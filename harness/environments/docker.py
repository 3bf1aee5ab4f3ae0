"""The ``docker`` environment: a container that can reach only what the codec needs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog.codec_spec import EnvironmentSpec
from harness.environments import docker_image
from harness.environments.base import Environment, scratch
from harness.environments.docker_engine import OWNER_LABEL, owner, remove_leftovers_once
from harness.errors import HarnessError, Lack

if TYPE_CHECKING:
    from harness.environments.client import Limits, Worker


class Docker(Environment):
    """Runs a codec in a container of an image that was built from a recipe.

    The codec can read the files that it is given, at the same paths as on the host, and write its
    scratch folder. It has no network and no privileges, runs under the user's id, and has a memory
    limit.

    Args:
        spec: The recipe.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec

    @property
    def label(self) -> str:
        """See :class:`Environment`."""
        with contextlib.suppress(HarnessError):
            if tag := self.tag:
                return f"docker:{self.spec.name}@{tag}"
        return f"docker:{self.spec.name}"

    @property
    def tag(self) -> str | None:
        """The tag of its image; ``None`` if there is none.

        Raises:
            HarnessError: The engine does not answer.
        """
        found = docker_image.find(self.spec)
        return docker_image.tag_of(found) if found else None

    @property
    def size(self) -> int | None:
        """The size of its image, in bytes, including the image that it is built on.

        Raises:
            HarnessError: The engine does not answer.
        """
        found = docker_image.find(self.spec)
        return int(found.attrs["Size"]) if found else None

    def lack(self) -> Lack | None:
        """See :class:`Environment`."""
        try:
            found = docker_image.find(self.spec)
        except HarnessError as error:
            return error.lack
        return self._no_image if found is None else None

    @property
    def _no_image(self) -> Lack:
        name = self.spec.name
        remedy = f"run 'harness env build {name} --backend docker'"
        return Lack(f"environment '{name}' has no image", remedy)

    @contextmanager
    def worker(
        self,
        log: Path,
        threads: int,
        limits: Limits,
        *,
        device: str = "cpu",
        reads: Sequence[Path] = (),
    ) -> Iterator[Worker]:
        """See :class:`Environment`."""
        from harness.environments.client import Worker
        from harness.environments.container import started, unavailable

        with scratch() as place:
            try:
                found = docker_image.find(self.spec)
                remove_leftovers_once()
            except HarnessError as error:
                raise unavailable(error.lack) from error
            if found is None:
                raise unavailable(self._no_image)
            with (
                started(place, found.id, threads, limits, device, reads, log) as process,
                Worker(process, place.server, log, limits) as running,
            ):
                yield running

    def shell_command(
        self,
        checkouts: Iterable[Path],
        start: Path,
        arguments: Sequence[str],
        *,
        interactive: bool,
    ) -> list[str]:
        """The command line of a shell in a container that is removed when it ends.

        Unlike a worker, it has a network and may write to the checkouts.

        Args:
            checkouts: Folders that may be written, at the same paths as on the host.
            start: The folder in which it starts, if that is in a checkout.
            arguments: What to run in place of a shell.
            interactive: Whether it runs at a terminal.

        Raises:
            HarnessError: The engine does not answer, or there is no image.
        """
        found = docker_image.find(self.spec)
        if found is None:
            raise HarnessError.of(self._no_image)
        folders = outermost(checkouts)
        inside = any(start.absolute().is_relative_to(folder) for folder in folders)
        return [
            *("docker", "run", "--rm", "--init", "--label", f"{OWNER_LABEL}={owner()}"),
            *(("--interactive", "--tty") if interactive else ()),
            *("--user", f"{os.getuid()}:{os.getgid()}", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--tmpfs", "/tmp:rw,exec,mode=1777"),  # noqa: S108 - its own
            *("--env", "HOME=/tmp", "--env", "USER=codec"),
            *(f"--mount=type=bind,source={path},target={path}" for path in folders),
            *("--workdir", str(start.absolute()) if inside else "/tmp"),  # noqa: S108
            found.id,
            *(arguments or ("bash",)),
        ]


def outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those inside a folder that is also among them."""
    unique = sorted({path.absolute() for path in paths})
    return [path for path in unique if not any(parent in unique for parent in path.parents)]

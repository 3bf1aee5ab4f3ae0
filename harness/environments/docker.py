"""The ``docker`` environment: a container that can reach only what the codec needs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog.codec_spec import EnvironmentSpec
from harness.environments import docker_image
from harness.environments.base import PACKAGE, Environment, Scratch, scratch
from harness.environments.client import Limits, Worker, WorkerFailure
from harness.environments.docker_engine import OWNER_LABEL, engine, owner, remove_leftovers_once
from harness.environments.process import Exit
from harness.errors import HarnessError, Lack, Reason, Status

if TYPE_CHECKING:
    from docker.models.containers import Container

PACKAGES = "/opt/codec-harness"
"""The folder of the package ``harness`` in a container."""

MAX_PROCESSES = 2048
LOG_BYTES = "64m"
POLL_SECONDS = 0.02
SIGNALLED = 128
"""An exit code of 128 + n means that signal n ended the process."""


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
        with scratch() as place:
            try:
                found = docker_image.find(self.spec)
                remove_leftovers_once()
            except HarnessError as error:
                raise _unavailable(error.lack) from error
            if found is None:
                raise _unavailable(self._no_image)
            with self._container(place, found.id, threads, limits, device, reads, log) as container:
                process = ContainerProcess(container)
                with Worker(process, place.server, log, limits) as running:
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

    @contextmanager
    def _container(
        self,
        place: Scratch,
        image_id: str,
        threads: int,
        limits: Limits,
        device: str,
        reads: Sequence[Path],
        log: Path,
    ) -> Iterator[Container]:
        """A running container, removed at the end whatever happens; its output goes to ``log``."""
        import docker
        import requests

        client = engine()
        name = place.folder.name
        try:
            try:
                container = client.containers.create(
                    image_id,
                    ["-m", "harness.worker", str(place.address)],
                    name=name,
                    **_confinement(place, threads, limits, device, reads),
                )
                container.start()
            except docker.errors.APIError as error:
                raise _unavailable(_refusal(error)) from error
            yield container
        finally:
            with contextlib.suppress(docker.errors.APIError, requests.RequestException):
                container = client.containers.get(name)
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("ab") as file:
                    file.write(container.logs())
                container.remove(force=True)


class ContainerProcess:
    """A container as a worker's process."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def memory_bytes(self) -> None:
        """``None``: the engine enforces the container's memory limit."""

    def wait(self, seconds: float) -> Exit | None:
        """See :class:`harness.environments.process.Process`."""
        deadline = time.monotonic() + seconds
        while (state := self._state())["Running"]:
            if time.monotonic() >= deadline:
                return None
            time.sleep(POLL_SECONDS)
        code = int(state["ExitCode"])
        return Exit(SIGNALLED - code if code > SIGNALLED else code, bool(state["OOMKilled"]))

    def kill(self) -> None:
        """See :class:`harness.environments.process.Process`."""
        import docker
        import requests

        with contextlib.suppress(docker.errors.APIError, requests.RequestException):
            self._container.kill()
        with contextlib.suppress(WorkerFailure):
            self.wait(10)

    def _state(self) -> dict[str, Any]:
        import docker
        import requests

        try:
            self._container.reload()
        except docker.errors.NotFound:
            return {"Running": False, "ExitCode": SIGNALLED + signal.SIGKILL, "OOMKilled": False}
        except (docker.errors.APIError, requests.RequestException) as error:
            problem = f"the Docker engine no longer answers: {error}"
            raise WorkerFailure(
                Status.CRASHED, Reason.ENGINE, Lack(problem), alive=False
            ) from error
        state: dict[str, Any] = self._container.attrs["State"]
        return state


def _confinement(
    place: Scratch, threads: int, limits: Limits, device: str, reads: Sequence[Path]
) -> dict[str, Any]:
    """What a container may do, and which files it sees."""
    from docker.types import DeviceRequest, LogConfig, Mount

    home = str(place.temporary)
    gpus = [DeviceRequest(count=-1, capabilities=[["gpu"]])] if device != "cpu" else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") if gpus else None
    return {
        "entrypoint": ["python3"],
        "working_dir": home,
        "environment": {
            **place.variables(threads),
            "PYTHONPATH": PACKAGES,
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": home,
            "USER": "codec",  # the user's id has no name in the image
            **({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}),
        },
        "mounts": [
            Mount(f"{PACKAGES}/{PACKAGE.name}", str(PACKAGE), "bind", read_only=True),
            Mount(str(place.folder), str(place.folder), "bind"),
            *(Mount(str(path), str(path), "bind", read_only=True) for path in outermost(reads)),
        ],
        "read_only": True,
        "tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777"},  # noqa: S108 - the container's own
        "network_mode": "none",
        "user": f"{os.getuid()}:{os.getgid()}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": MAX_PROCESSES,
        "init": True,
        "device_requests": gpus,
        "labels": {OWNER_LABEL: owner()},
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": LOG_BYTES}),
    }


def outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those inside a folder that is also among them."""
    unique = sorted({path.absolute() for path in paths})
    return [path for path in unique if not any(parent in unique for parent in path.parents)]


def _unavailable(lack: Lack) -> WorkerFailure:
    return WorkerFailure(Status.UNAVAILABLE, Reason.ENVIRONMENT, lack, alive=False)


def _refusal(error: Any) -> Lack:
    """Why the engine did not start a container."""
    text = str(error.explanation or error)
    if "could not select device driver" in text:
        return Lack(
            "the Docker engine cannot give containers a GPU",
            "install the NVIDIA Container Toolkit, or choose --device cpu",
        )
    return Lack(f"the Docker engine could not start the container: {text}")

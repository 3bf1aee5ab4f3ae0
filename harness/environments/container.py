"""A container as a worker's process: what it may do, and how it is watched and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.environments.base import PACKAGE, Scratch
from harness.environments.docker import outermost
from harness.environments.docker_engine import OWNER_LABEL, engine, owner
from harness.environments.limits import Limits, WorkerFailure
from harness.environments.process import Exit
from harness.errors import Lack, Reason, Status
from harness.worker.supervisor import LOG_BYTES

if TYPE_CHECKING:
    from docker.models.containers import Container

PACKAGES = "/opt/codec-harness"
"""The folder of the package ``harness`` in a container."""

MAX_PROCESSES = 2048
POLL_SECONDS = 0.02
SIGNALLED = 128
"""An exit code of 128 + n means that signal n ended the process."""


@contextmanager
def started(
    place: Scratch,
    image_id: str,
    threads: int,
    limits: Limits,
    device: str,
    reads: Sequence[Path],
    log: Path,
) -> Iterator[ContainerProcess]:
    """A running container, removed at the end whatever happens; its output goes to ``log``.

    Raises:
        WorkerFailure: The engine does not start it.
    """
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
            raise unavailable(_refusal(error)) from error
        yield ContainerProcess(container)
    finally:
        with contextlib.suppress(docker.errors.APIError, requests.RequestException):
            container = client.containers.get(name)
            with contextlib.suppress(OSError):  # where the disk is full, the records will say so
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("ab") as file:
                    for part in container.logs(stream=True, follow=False):
                        file.write(part[: max(0, LOG_BYTES - file.tell())])
            container.remove(force=True)


class ContainerProcess:
    """A container as a worker's process."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def memory_bytes(self) -> None:
        """``None``: the engine enforces the container's memory limit."""

    def has_ended(self) -> bool:
        """``False``: its socket tells."""
        return False

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
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "128m"}),
    }


def unavailable(lack: Lack) -> WorkerFailure:
    """The failure of a codec whose environment cannot be started."""
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

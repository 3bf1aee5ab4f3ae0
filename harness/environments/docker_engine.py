"""The Docker engine, and the containers that a killed harness left running in it."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from docker import DockerClient

OWNER_LABEL = "codec-harness.owner"
"""The label of every container; its value names the harness process that started it."""


SOCKET = Path("/var/run/docker.sock")
"""The socket of this machine's engine, used unless ``DOCKER_HOST`` names another."""

START = "start it (sudo systemctl start docker), or choose --environment venv"


def engine() -> DockerClient:
    """A connection to the engine that ``DOCKER_HOST`` names, or to this machine's.

    Raises:
        HarnessError: The SDK is not installed, or the engine does not answer.
    """
    return _connection(os.environ.get("DOCKER_HOST"))


@functools.cache
def _connection(_: str | None) -> DockerClient:
    if not os.environ.get("DOCKER_HOST") and not SOCKET.exists():  # known without the SDK
        raise HarnessError(f"the Docker engine does not answer: there is no {SOCKET}", START)
    try:
        import docker
    except ModuleNotFoundError as error:
        raise HarnessError(
            "the Docker SDK for Python is not installed", "run 'pip install docker'"
        ) from error
    try:
        client: DockerClient = docker.from_env()
    except docker.errors.DockerException as error:
        reasons = _causes(error)
        if any(isinstance(reason, PermissionError) for reason in reasons):
            raise HarnessError(
                "the Docker engine refuses this user",
                "add the user to the group 'docker', or choose --environment venv",
            ) from error
        raise HarnessError(
            f"the Docker engine does not answer: {_innermost(reasons)}", START
        ) from error
    return client


def owner() -> str:
    """A name for this process, unique among all that share the engine."""
    return f"{_namespace()} {os.getuid()} {os.getpid()} {_started(os.getpid())}"


def remove_leftovers(client: DockerClient) -> int:
    """Remove the containers left by this user's killed processes. Returns how many."""
    import docker

    removed = 0
    for container in client.containers.list(
        all=True, filters={"label": OWNER_LABEL}, ignore_removed=True
    ):
        if _is_orphan(container.labels[OWNER_LABEL]):
            with contextlib.suppress(docker.errors.APIError):  # another process was quicker
                container.remove(force=True)
                removed += 1
    return removed


@functools.cache
def remove_leftovers_once() -> None:
    """Remove them, but only when this process starts its first container."""
    remove_leftovers(engine())


def _is_orphan(label: str) -> bool:
    """Whether the process that a label names is gone; only one that this process could see."""
    namespace, uid, pid, started = label.rsplit(" ", 3)
    if namespace != _namespace() or int(uid) != os.getuid():
        return False
    return _started(int(pid)) != started


def _namespace() -> str:
    """The machine's boot id and the namespace in which this process's id is valid."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; ``None`` if there is no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return None


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all errors that it was raised from or wraps."""
    found: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        one = pending.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            pending += [one.__context__, one.__cause__, *one.args]
    return found


def _innermost(reasons: list[BaseException]) -> str:
    system = next((r for r in reasons if isinstance(r, OSError) and r.strerror), None)
    return str(system.strerror) if system else str(reasons[0])

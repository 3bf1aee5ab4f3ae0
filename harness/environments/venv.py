"""The ``venv`` environment: a virtual environment made from a recipe's requirements."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog.codec_spec import EnvironmentSpec
from harness.environments.base import PACKAGE, Environment, scratch
from harness.environments.recipe import TAG_DIGITS, requirements, venv_tag
from harness.errors import HarnessError, Lack
from harness.paths import cache_folder, whole

if TYPE_CHECKING:
    from harness.environments.client import Limits, Worker

OLDEST_PYTHON = (3, 10)
"""The oldest Python that a worker runs on."""

BUILT = "built.json"
"""Written into an environment once everything is installed."""

Show = Callable[[str], None]


def venvs_folder() -> Path:
    """Where virtual environments are kept, each with its log beside it."""
    return cache_folder() / "environments"


class Venv(Environment):
    """Runs a codec in a child process of another interpreter, which sees only its own packages.

    Args:
        spec: The recipe.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self.tag = venv_tag(spec)
        self.folder = venvs_folder() / f"{spec.name}-{self.tag}"
        self.log = self.folder.with_name(f"{self.folder.name}.log")
        self._built = self.folder / BUILT

    @property
    def label(self) -> str:
        """See :class:`Environment`."""
        return f"venv:{self.spec.name}@{self.tag}"

    @property
    def built(self) -> bool:
        """Whether it was built completely."""
        return self._built.is_file() and self.python.exists()

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def size(self) -> int:
        """Its size on disk, in bytes, measured when it was built."""
        return int(json.loads(self._built.read_text())["bytes"])

    def lack(self) -> Lack | None:
        """See :class:`Environment`."""
        if self.built:
            return None
        name = self.spec.name
        return Lack(f"environment '{name}' is not built", f"run 'harness env build {name}'")

    @contextmanager
    def worker(
        self,
        log: Path,
        threads: int,
        limits: Limits,
        *,
        device: str = "cpu",  # noqa: ARG002 - a child process has all devices
        reads: Sequence[Path] = (),  # noqa: ARG002 - and reads what its user may read
    ) -> Iterator[Worker]:
        """See :class:`Environment`."""
        with scratch() as place:
            packages = place.folder / "packages"
            packages.mkdir()
            (packages / PACKAGE.name).symlink_to(PACKAGE)
            variables = {
                **self.variables(),
                **place.variables(threads),
                "PYTHONPATH": str(packages),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            with place.child(self.python, variables, log, limits) as running:
                yield running

    def variables(self) -> dict[str, str]:
        """The user's environment variables, with this environment active in place of another."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        path = os.pathsep.join([str(self.python.parent), kept.get("PATH", os.defpath)])
        active = {"PATH": path, "VIRTUAL_ENV": str(self.folder), "PYTHONNOUSERSITE": "1"}
        return {**kept, **active}

    def build(self, show: Show) -> None:
        """Build it, or continue an interrupted attempt; does nothing if it is built already.

        Args:
            show: Called with each line that the tools print; the lines also go to :attr:`log`.

        Raises:
            HarnessError: Its Python is not here, or a package cannot be installed.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            fcntl.flock(log, fcntl.LOCK_EX)  # two builds at once wait for each other
            if self.built:
                return

            def show_and_log(line: str) -> None:
                show(line)
                log.write(line + "\n")

            def step(problem: str, *command: str | Path) -> None:
                self._run(command, problem, show_and_log)

            step(
                "the virtual environment could not be created",
                *(interpreter(self.spec), "-m", "venv", self.folder),
            )
            step(
                "its requirements could not be installed",
                *(self.python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"),
                *("--requirement", requirements(self.spec)),
            )
            with whole(self._built) as part:
                part.write_text(json.dumps({"bytes": size_of(self.folder)}))

    def _run(
        self, command: Sequence[str | Path], problem: str, show: Callable[[str], object]
    ) -> None:
        show(f"+ {' '.join(map(str, command))}")
        last = ""
        with subprocess.Popen(
            command,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None  # noqa: S101 - a pipe was requested
            for line in process.stdout:
                show(line.rstrip())
                last = line.strip() or last
        if process.returncode != 0:
            raise HarnessError(
                f"environment '{self.spec.name}': {problem}: {last}",
                f"see {self.log}; 'harness env build {self.spec.name}' continues from there",
            )


def remove_all(name: str) -> list[Path]:
    """Delete an environment's virtual environments, including older ones. Returns which."""
    folders = sorted(venvs_folder().glob(f"{name}-{'[0-9a-f]' * TAG_DIGITS}"))
    for folder in folders:
        (folder / BUILT).unlink(
            missing_ok=True
        )  # first: half an environment must not count as built
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)
    return folders


def interpreter(spec: EnvironmentSpec) -> str:
    """The Python that the recipe asks for: the harness's own, or ``pythonX.Y`` on the PATH.

    Raises:
        HarnessError: It is not here, or too old for the harness's worker.
    """
    version = tuple(int(part) for part in spec.python.split("."))
    if version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise HarnessError(
            f"environment '{spec.name}' asks for Python {spec.python}; workers need at least "
            f"{oldest}"
        )
    if version == sys.version_info[: len(version)]:
        return sys.executable
    if found := shutil.which(f"python{spec.python}"):
        return found
    raise HarnessError(
        f"environment '{spec.name}' needs Python {spec.python}, and there is no "
        f"python{spec.python} on the PATH",
        f"install it, or run 'harness env build {spec.name} --backend docker'",
    )


def size_of(folder: Path) -> int:
    """The total size of a folder's files, in bytes."""
    files = (path.lstat() for path in folder.rglob("*"))
    return sum(status.st_size for status in files)

"""What each place in which a codec can run keeps it from: tried, and compared with the docs.

``python -m campaigns.containment`` writes the table in ``docs/environments.md`` anew.
"""

from __future__ import annotations

import json
import os
import re
import socket
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np

from campaigns.tally import Tally
from harness.catalog.codec_spec import EnvironmentSpec
from harness.environments import Docker, Environment, Inline, Venv, docker_image
from harness.environments.docker_engine import engine
from harness.environments.limits import Limits
from harness.errors import HarnessError
from harness.paths import whole

ROOT = Path(__file__).resolve().parents[1]
LOOK = ROOT / "tests" / "fixtures" / "probe"
RECIPE = EnvironmentSpec("campaign", "3.11", ROOT / "tests" / "fixtures" / "containers" / "plain")
PAGE = ROOT / "docs" / "environments.md"
BEGIN, END = "<!-- containment -->\n", "<!-- end of containment -->"
LIMITS = Limits(call_seconds=60.0, load_seconds=120.0, memory_bytes=1 << 30)
IMAGE = np.zeros((8, 8, 3), np.uint8)
SECRET = "HARNESS_CAMPAIGN_SECRET"  # noqa: S105 - the name of a variable
BACKENDS = ("inline", "venv", "docker")

ATTEMPTS = {
    "reach the network": "socket.create_connection(('127.0.0.1', {port}), 2).close()",
    "read the data set": "Path({picture!r}).read_bytes()",
    "write over the data set": "Path({picture!r}).write_bytes(b'')",
    "read the user's home": "os.listdir({home!r})",
    "leave a file in the user's home": "Path({left_at_home!r}).write_text('')",
    "leave a file in `/tmp`": "Path({left_in_tmp!r}).write_text('')",
    "read the user's environment variables": f"os.environ[{SECRET!r}]",
    "signal the user's other processes": "os.kill({pid}, 0)",
    "change its own adapter": "Path({adapter!r}).open('r+b').close()",
    "change the harness": "Path(sys.modules['harness'].__file__).open('r+b').close()",
    "write 256 MB to its scratch folder": "Path('large').write_bytes(bytes(1 << 28))",
    "patch the clock that times it": (
        "setattr(sys.modules['time'], 'perf_counter', sys.modules['time'].monotonic)"
    ),
}
"""What a codec may try, each as the expression that raises an error where it cannot."""


def available() -> list[str]:
    """The backends that can be tried here; says which cannot."""
    try:
        engine()
    except HarnessError as error:
        print(f"  NOT TRIED: codecs in containers: {error}")
        return list(BACKENDS[:-1])
    return list(BACKENDS)


def containment(backends: list[str]) -> Tally:
    """Try everything in each backend, and compare it with the table in the docs."""
    tally = Tally("what a backend contains, as the docs say")
    written = PAGE.read_text()
    for backend in backends:
        for attempt, contained in tried(backend).items():
            column = BACKENDS.index(backend)
            row = re.search(rf"^\| {re.escape(attempt)} \|(.*)\|$", written, re.MULTILINE)
            said = row[1].split("|")[column].strip() if row else "nothing"
            if said == word(contained=contained):
                tally.held(said)
            else:
                tally.broke(f"{backend}, {attempt}: {word(contained=contained)}; docs: {said}")
    return tally


def word(*, contained: bool) -> str:
    """How the table says it."""
    return "contained" if contained else "not contained"


def tried(backend: str) -> dict[str, bool]:
    """By attempt, whether a codec in this backend was kept from it."""
    with tempfile.TemporaryDirectory(prefix="campaign-containment-") as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        picture = folder / "picture.png"
        left = {"left_at_home": home / "left", "left_in_tmp": Path("/tmp", f"{folder.name}-left")}  # noqa: S108
        variables = {SECRET: "1", "HARNESS_CACHE": str(folder / "cache")}
        with (
            patch.dict(os.environ, variables),
            socket.create_server(("127.0.0.1", 0)) as server,
        ):
            one = _environment(backend)
            found = {}
            for attempt, expression in ATTEMPTS.items():
                picture.write_bytes(b"picture")
                filled = expression.format(
                    port=server.getsockname()[1], picture=str(picture), home=str(home),
                    pid=os.getpid(), adapter=str(LOOK / "codec.py"),
                    **{key: str(path) for key, path in left.items()},
                )  # fmt: skip
                error = _error_of(one, filled, folder / "log")
                places = [path for key, path in left.items() if f"{{{key}" in expression]
                found[attempt] = error is not None or any(not path.exists() for path in places)
        left["left_in_tmp"].unlink(missing_ok=True)
        return found


def _environment(backend: str) -> Environment:
    """The backend, built."""
    if backend == "inline":
        return Inline()
    if backend == "venv":
        venv = Venv(RECIPE)
        venv.build(lambda _: None)
        return venv
    docker_image.build(RECIPE, None, lambda _: None)
    return Docker(RECIPE)


def _error_of(environment: Environment, expression: str, log: Path) -> str | None:
    """The error that an expression raises inside a worker, or ``None``."""
    look = f"attempt(lambda: ({expression}, None)[1])"
    with environment.worker(log, 1, LIMITS, reads=[LOOK]) as worker:
        worker.open(LOOK, "codec:Probe", {"look": look}, "cpu")
        error: str | None = json.loads(worker.encode(IMAGE)[0])
        return error


def table() -> str:
    """The table, from what is tried now."""
    columns = [tried(backend) for backend in BACKENDS]
    lines = [f"| what a codec may try | {' | '.join(BACKENDS)} |", "|---|---|---|---|"]
    for attempt in ATTEMPTS:
        cells = " | ".join(word(contained=column[attempt]) for column in columns)
        lines.append(f"| {attempt} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Write the table into the docs."""
    engine()
    page = PAGE.read_text()
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    with whole(PAGE) as temporary:
        temporary.write_text(f"{page[:start]}\n{table()}\n\n{page[end:]}")


if __name__ == "__main__":
    main()

"""What each place in which a codec can run keeps it from: tried, not assumed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from campaigns.tally import Tally
from harness.catalog.codec_spec import EnvironmentSpec
from harness.environments import Docker, Environment, Inline, Venv, docker_image
from harness.environments.limits import Limits

LOOK = Path(__file__).with_name("look")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "environments.md"
BEGIN, END = "<!-- containment -->\n", "<!-- end of containment -->\n"
LIMITS = Limits(call_seconds=60.0, load_seconds=120.0, memory_bytes=1 << 30)
IMAGE = np.zeros((8, 8, 3), np.uint8)

ATTEMPTS = {
    "connect to a server of this machine": "socket.create_connection({server!r}, 2).close()",
    "read a file of the data set": "Path({secret!r}).read_bytes()",
    "write over a file of the data set": "Path({secret!r}).open('r+b').close()",
    "read what the user keeps at home": "os.listdir({home!r})",
    "keep something at home for the next process": "Path({home!r}, 'kept').write_text('')",
    "keep something in the common temporary folder": "Path('/tmp', {name!r}).write_text('')",
    "change its own adapter": "Path({adapter!r}, 'codec.py').open('r+b').close()",
    "change the harness": "Path(sys.modules['harness'].__file__).open('r+b').close()",
    "see the user's other processes": "os.kill({pid}, 0)",
    "read the user's environment variables": "os.environ[{variable!r}]",
    "use a GPU that it was not given": "os.listdir('/dev/dri') or os.listdir('/dev/nvidia0')",
    "patch the clock that times it": "setattr(sys.modules['time'], 'perf_counter', time.monotonic)",
}
"""What is tried, each as the expression that fails where it is contained."""

LIMITED = {
    "processes that outlive it": "contained",
    "memory over the limit": "contained",
    "a log without end": "contained",
}
"""What the campaign of misbehaving codecs has shown, for every backend alike."""


def containment(backends: Sequence[str]) -> list[Tally]:
    """Try everything in each backend; write the table into the page on environments."""
    return []

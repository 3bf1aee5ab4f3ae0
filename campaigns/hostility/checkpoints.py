"""Checkpoints that would run code, and files that lie about what they hold."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from campaigns.parsing.parser import ROOT
from campaigns.tally import Effort, Tally

READ = """
import pickle, sys
from pathlib import Path
from campaigns.parsing.parser import adapter
adapter("progic")
from progic.checkpoint import load_checkpoint
from harness.assets.unpickle import read_arrays
from harness.codec import Unavailable
from harness.codec.checkpoint import read
READERS = (
    ("torch", lambda path: read(path, "the network"), Unavailable),
    ("progic", load_checkpoint, Unavailable),
    ("arrays", lambda path: read_arrays(path.read_bytes()), pickle.UnpicklingError),
)
for path in map(Path, sys.argv[1:]):
    for name, reader, refusal in READERS:
        try:
            reader(path)
            print(name, "accepted", flush=True)
        except refusal as error:
            print(name, "refused", flush=True)
        except BaseException as error:
            print(name, f"raised {error!r}"[:200].replace(chr(10), " "), flush=True)
"""


class Executes:
    """An object that, unpickled, calls a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


def attack(effort: Effort) -> list[Tally]:
    """Give each file to every reader of weights, and some to the command line."""
    readers = Tally("checkpoints that would run code, or lie, to each reader of weights")
    command = Tally("the same by `harness encode --codec progic-tiny@FILE`")
    with tempfile.TemporaryDirectory() as scratch:
        canary = Path(scratch, "executed")
        paths: list[Path] = []
        names: list[str] = []
        for name, suffix, content in checkpoints(canary):
            path = Path(scratch, f"{len(paths)}{suffix}")
            path.write_bytes(content)
            paths.append(path)
            names.append(name)
        done = subprocess.run(
            [sys.executable, "-c", READ, *map(str, paths)],
            cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        for number, line in enumerate(lines):
            if line.endswith(("refused", "accepted")) and not canary.exists():
                readers.held(line.split()[1])
            else:
                readers.broke(f"{names[number // 3]}: {line}, executed: {canary.exists()}")
        if len(lines) != 3 * len(paths):
            readers.broke(f"the process ended early: {done.stderr[-300:]}")
        picture = _picture(Path(scratch))
        for number in range(0, len(paths), effort.of(1, 6)):
            path = paths[number].with_suffix(".safetensors")
            _command(command, names[number], paths[number].rename(path), picture, canary)
    return [readers, command]


def _picture(folder: Path) -> Path:
    import numpy as np

    from harness.images.files import write_png

    path = folder / "picture.png"
    write_png(path, np.zeros((32, 32, 3), np.uint8))
    return path


def _command(tally: Tally, name: str, path: Path, picture: Path, canary: Path) -> None:
    output = picture.with_name("out")
    arguments = ["encode", str(picture), str(output), "--codec", f"progic-tiny@{path}"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments, "--rate", "s1"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    clear = done.returncode in (1, 2) and "error: " in done.stderr and path.name in done.stderr
    if clear and not ({"Traceback", "unexpected"} & {*done.stderr.split()}) and not output.exists():
        tally.held("refused")
    else:
        tally.broke(f"{name}: exit code {done.returncode}: {done.stderr[-300:]}")
    if canary.exists():
        tally.broke(f"{name}: it was executed")


def checkpoints(canary: Path) -> Iterator[tuple[str, str, bytes]]:
    """Files by name, with their suffix; what executes makes the file ``canary``."""
    touch = f"open({str(canary)!r}, 'w').close()"
    calls = {
        "os.system": Executes(os.system, f"touch {canary}"),
        "exec": Executes(exec, touch),
        "eval": Executes(eval, f"open({str(canary)!r}, 'w')"),
        "open": Executes(open, str(canary), "w"),
        "subprocess": Executes(subprocess.call, ["touch", str(canary)]),
        "getattr": Executes(getattr, Executes(__import__, "os"), "system"),
    }
    for name, call in calls.items():
        for protocol in (2, 4):
            content = pickle.dumps({"weight": call}, protocol)
            yield f"a pickle that calls {name}, protocol {protocol}", ".pt", content
        yield f"a zip whose pickle calls {name}", ".pt", torch_zip(pickle.dumps(call, 2))
        yield f"{name} by the name of a safetensors file", ".safetensors", pickle.dumps(call, 4)
    yield "a pickle that numbers 2 billion objects", ".pt", b"\x80\x03r\xff\xff\xff\x7f."
    shape = b"\x80\x03cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R."
    yield "a pickle of an array of 2 billion numbers", ".pt", shape
    yield "a pickle nested 100,000 deep", ".pt", b"\x80\x03" + b"]" * 100_000 + b"." * 1
    yield (
        "a pickle that states a text of 4 exabytes",
        ".pt",
        b"\x80\x04\x8d" + b"\xff" * 7 + b"\x3f",
    )
    yield "a zip with a member outside", ".pt", torch_zip(b"\x80\x02}.", "../../evil")
    yield "a zip with a link of storage", ".pt", torch_zip(b"\x80\x02}.", "archive/data/0")
    yield "nothing", ".pt", b""
    for name, header, data in lies():
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        content = struct.pack("<Q", len(text)) + text + data
        yield f"safetensors: {name}", ".safetensors", content
    for length in (0, 1, 2**40, 2**63, 2**64 - 1):
        content = struct.pack("<Q", length) + b"{}"
        yield f"safetensors: a header of {length} bytes", ".safetensors", content


def lies() -> Iterator[tuple[str, object, bytes]]:
    """Headers of safetensors files that do not fit what follows."""

    def tensor(begin: int, end: int, shape: object = (1,), kind: str = "F32") -> dict[str, object]:
        return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}

    yield "offsets beyond the end", {"a": tensor(0, 1 << 40, [1 << 38])}, bytes(4)
    yield "offsets that run backwards", {"a": tensor(4, 0)}, bytes(4)
    yield "negative offsets", {"a": tensor(-4, 0)}, bytes(4)
    yield "tensors that overlap", {"a": tensor(0, 4), "b": tensor(2, 6)}, bytes(6)
    yield "a hole", {"a": tensor(0, 4), "b": tensor(8, 12)}, bytes(12)
    yield "bytes left over", {"a": tensor(0, 4)}, bytes(400)
    yield "a shape larger than its bytes", {"a": tensor(0, 4, [1 << 20, 1 << 20])}, bytes(4)
    yield "a shape that overflows", {"a": tensor(0, 4, [1 << 62, 1 << 62])}, bytes(4)
    yield "a negative shape", {"a": tensor(0, 4, [-1])}, bytes(4)
    yield "an unknown type", {"a": tensor(0, 4, (1,), "PICKLE")}, bytes(4)
    yield "a name twice", b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' * 2, bytes(4)
    yield "JSON nested 100,000 deep", b'{"a":' * 100_000, b""
    yield "text that is not UTF-8", b'{"\xff":1}', b""
    settings = {"format": "progic-1", "settings": '{"width": 1000000000, "analysis_blocks": 1, '
                '"synthesis_blocks": 1, "latent": 1}', "sha256": "0"}  # fmt: skip
    yield "a network of a billion channels", {"__metadata__": settings}, b""
    yield "settings nested deep", {"__metadata__": {**settings, "settings": "[" * 10**5}}, b""
    blocks = settings["settings"].replace('"analysis_blocks": 1', '"analysis_blocks": 100000000')
    blocks = blocks.replace("1000000000", "8")
    yield "a network of 100 million blocks", {"__metadata__": {**settings, "settings": blocks}}, b""


def torch_zip(content: bytes, extra: str = "archive/version") -> bytes:
    """A file as torch.save writes it, with any pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("archive/data.pkl", content)
        opened.writestr(extra, b"3\n")
    return file.getvalue()

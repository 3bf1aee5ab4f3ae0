"""Manifests that name places outside, run something, or cannot be read to an end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from campaigns.parsing.files import ARCHIVED, MINIMAL_CODEC, MINIMAL_DATASET
from campaigns.parsing.parser import ROOT
from campaigns.tally import Effort, Tally
from harness.catalog.codec_manifest import read_codec
from harness.catalog.datasets import read_dataset
from harness.errors import ManifestError

OUTSIDE = (
    "..", ".", "../x", "a/../../x", "/etc/passwd", "//x", "a//b", "./x", "a/.", "", "\\\\..\\\\x",
    "a\\u0000b", "a\\nb", "\\u001b[2J", "x" * 300, "ö" * 200, "a/" * 50 + "b",
)  # fmt: skip
PATHS = {
    "codec": ('"mine"', '"low"', '"a/b.pt"', '"src"', "mine-2"),
    "data set": ('"input"', '"a/b.png"'),
}


def attack(_: Effort) -> list[Tally]:
    """Read each manifest, then have the command line list all of them beside good ones."""
    paths = Tally("manifests with a name or a path that leads outside, in each of their keys")
    command = Tally("folders of hostile manifests, by `harness list` and `harness doctor`")
    with tempfile.TemporaryDirectory() as scratch:
        for what, path, content in outside(Path(scratch)):
            path.write_text(content)
            try:
                (read_codec if path.name == "codec.toml" else read_dataset)(path)
            except ManifestError as error:
                if str(error).isprintable():
                    paths.held("refused")
                else:
                    paths.broke(f"{what}: its error cannot be printed: {error!s:.200}")
            else:
                paths.broke(f"{what}: accepted")
    with tempfile.TemporaryDirectory() as scratch:
        _listed(command, Path(scratch))
    return [paths, command]


def outside(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """A manifest for each key that becomes a path, and each path that it must not be."""
    texts = {"codec": MINIMAL_CODEC, "data set": MINIMAL_DATASET}
    files = {"codec": folder / "codec.toml", "data set": folder / "input.toml"}
    for kind, text in texts.items():
        for key in PATHS[kind]:
            for path in OUTSIDE:
                yield f"{kind}, {path!r} for {key}", files[kind], text.replace(key, f'"{path}"')


def _listed(tally: Tally, root: Path) -> None:
    """Hostile manifests of every kind in the folders that the environment names."""
    canary = root / "executed"
    adapters, datasets = root / "adapters", root / "datasets"
    datasets.mkdir(parents=True)
    contents = {
        "deep": b"a = " + b"[" * 100_000,
        "digits": b"a = " + b"9" * 100_000,
        "large": b"#" * (1 << 24),
        "bytes": bytes(range(256)) * 10,
        "escape": b'"\\u001b]0;x\\u0007" = 1',
        "empty": b"",
        "title": MINIMAL_CODEC.replace('"Mine"', '"\\u001b[2J"').encode(),
        "markup": MINIMAL_CODEC.replace('"Mine"', '"<script>alert(1)</script>"')
        .replace('"mine"', '"markup"').replace("mine-2", "markup-2").encode(),
    }  # fmt: skip
    for name, content in contents.items():
        (adapters / name).mkdir(parents=True)
        (adapters / name / "codec.toml").write_bytes(content)
        (adapters / name / "codec.py").write_text(f"open({str(canary)!r}, 'w')\n")
        (datasets / f"{name}.toml").write_bytes(content)
    for name, target in (("pipe", None), ("zero", "/dev/zero"), ("loop", "codec.toml")):
        (adapters / name).mkdir()
        for path in (adapters / name / "codec.toml", datasets / f"{name}.toml"):
            if target is None:
                os.mkfifo(path)
            else:
                path.symlink_to(path if name == "loop" else target)
    (datasets / "zipped.toml").write_text(ARCHIVED.replace('"input"', '"zipped"'))
    before = {path for path in root.rglob("*") if "cache" not in path.parts}
    environment = {
        "HARNESS_ADAPTERS": str(adapters), "HARNESS_DATASETS": str(datasets),
        "HARNESS_CACHE": str(root / "cache"), "HARNESS_OFFLINE": "1",
    }  # fmt: skip
    for arguments in (["list", "codecs", "--json"], ["list", "datasets", "--json"], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=ROOT, env={**os.environ, **environment}, capture_output=True, timeout=300,
            check=False,
        )  # fmt: skip
        told = (done.stdout + done.stderr).decode(errors="backslashreplace")
        name = " ".join(arguments)
        after = {path for path in root.rglob("*") if "cache" not in path.parts}
        if "Traceback" in told or "unexpected" in told or "\x1b]" in told or "\x1b[2J" in told:
            tally.broke(f"{name}: {told[-300:]!r}")
        elif canary.exists() or after != before:
            tally.broke(f"{name}: executed or written: {sorted(map(str, after - before))}")
        elif "--json" in arguments and not _has_the_good(json.loads(done.stdout), contents):
            tally.broke(f"{name}: a good manifest or a bad one is missing: {told[-300:]}")
        else:
            tally.held("good ones listed, bad ones named")


def _has_the_good(rows: list[dict[str, object]], bad: dict[str, bytes]) -> bool:
    names = {str(next(iter(row.values()))) for row in rows}
    return bool({"jpeg", "kodak"} & names) and {*bad, "pipe", "zero", "loop"} <= names

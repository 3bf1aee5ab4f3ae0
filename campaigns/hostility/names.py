"""File names that a terminal, a table, a page or a file system would stumble over."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

import numpy as np

from campaigns.parsing.parser import ROOT
from campaigns.tally import Effort, Tally
from harness import load_results
from harness.images.files import write_png
from harness.text import is_printable, shown

PIECES = [
    b"<script>alert(1)<", b"<img src=x onerror=alert(1)>", b"&amp;", b'"', b"'", b"`id`", b"$(id)",
    b"|", b"\\", b"%s%n", b"{0}", b"=1+1", b"@x", b"-rf", b"--help", b"..", b"*", b"?", b" ", b"~",
    b"\n", b"\r", b"\t", b"\x1b[2J", b"\x1b]0;x\x07", b"\x7f", b"\xff\xfe", b"\xc3", b"\xe9",
    "é".encode(), "e\u0301".encode(), "\u202e".encode(), "\u200d".encode(), "\U0001f600".encode(),
    "\u2028".encode(), b"a" * 100, "ö".encode() * 60, b"con", b"#", b"[x](y)", b"|---|", b"a.png.b",
]  # fmt: skip
EXECUTED = re.compile(r"<script>alert|<img src=x")


def attack(effort: Effort) -> list[Tally]:
    """Measure a folder with many strange names, and see each measured, or left out by name."""
    tally = Tally("file names in a folder that is measured and reported")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        folder = root / "photographs"
        folder.mkdir()
        names = _make(folder, Random(effort.seed), effort.of(600, 80))
        arguments = ["run", "--codec", "jpeg", "--rate", "q80", "--metric", "psnr", "--dataset"]
        command = [sys.executable, "-m", "harness", *arguments, str(folder)]
        done = subprocess.run(
            [*command, "--results", str(root / "results"), "--out", str(root / "report")],
            cwd=ROOT, capture_output=True, timeout=1800, check=False,
        )  # fmt: skip
        told = (done.stdout + done.stderr).decode(errors="backslashreplace")
        if done.returncode != 1:  # as files were left out
            tally.broke(f"exit code {done.returncode}, seed {effort.seed}: {told[-300:]}")
            return [tally]
        frame = load_results(root / "results")
        measured = set(frame["image"][(frame["status"] == "ok") & frame["psnr"].notna()])
        for name in names:
            if is_printable(name):
                outcome = "measured" if name in measured else ""
            else:
                outcome = "left out by name" if shown(folder / name) in _joined(told) else ""
            if outcome:
                tally.held(outcome)
            else:
                tally.broke(f"{os.fsencode(name)!r} is neither measured nor named")
        if unsafe := [c for c in told if not is_printable(c) and c not in "\n\t\r"]:
            tally.broke(f"the output holds {unsafe[:5]!r}, seed {effort.seed}")
        for page in (*root.glob("report/**/*.html"), *root.glob("report/**/*.md")):
            if found := EXECUTED.search(page.read_text()):
                tally.broke(f"{page.name} holds {found[0]!r}, seed {effort.seed}")
        if strays := {path.name for path in root.iterdir()} - {folder.name, "results", "report"}:
            tally.broke(f"files outside the folders: {sorted(strays)}")
    return [tally]


def _make(folder: Path, random: Random, count: int) -> list[str]:
    """Small pictures under strange names, some of them in strange folders; the names."""
    pixels = np.arange(32 * 32 * 3, dtype=np.uint32).reshape(32, 32, 3).astype(np.uint8)
    source = folder.parent / "source.png"
    write_png(source, pixels)
    names = {"plain.png"}
    while len(names) < count:
        parts = [_part(random) for _ in range(random.choice((1, 1, 1, 2, 4)))]
        if not any(part.startswith((b".", b"__MACOSX")) for part in parts):
            names.add(os.fsdecode(b"/".join([*parts[:-1], parts[-1][:251] + b".png"])))
    made = []
    for name in sorted(names):
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a part of it is another's file
        made.append(name)
    source.unlink()
    return made


def _part(random: Random) -> bytes:
    chosen = b"".join(random.choice(PIECES) for _ in range(random.randrange(1, 4)))[:255]
    return chosen.strip(b"/") or b"x"


def _joined(told: str) -> str:
    """What was told, without the breaks that a narrow terminal made."""
    return told.replace("\n", "")

"""Checks a checkout of upstream's repository: is it the pinned commit, without changes?"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from harness.catalog.codec_spec import CodecSpec
from harness.errors import HarnessError, Lack
from harness.paths import find_upstream


def upstream_folder(codec: CodecSpec) -> Path | None:
    """Where the part of upstream's checkout that the codec needs is, or would be."""
    if codec.upstream is None:
        return None
    return find_upstream(codec.folder.name) / codec.upstream.subfolder


def checkout_lack(codec: CodecSpec) -> Lack | None:
    """Why upstream's checkout cannot be used; ``None`` if it can, or the codec needs none."""
    if codec.upstream is None:
        return None
    folder, commit = find_upstream(codec.folder.name), codec.upstream.commit
    if not folder.is_dir() and not codec.upstream.required:
        return None
    if (problem := wrong_checkout(folder, commit)) is not None:
        fetch = f"run 'harness upstream fetch {codec.name}'"
        if head(folder) is not None:
            git = f"git -C {folder}"
            return Lack(problem, f"run: {git} fetch origin {commit} && {git} checkout {commit}")
        return Lack(problem, f"delete it, and {fetch}" if folder.is_dir() else fetch)
    return change_lack(folder)


def change_lack(folder: Path) -> Lack | None:
    """Which file of a checkout differs from what its authors committed; ``None`` where none does.

    ``None`` also where git cannot tell. What git does not track, such as an extension that was
    built there, is the user's own.
    """
    with contextlib.suppress(HarnessError, OSError):
        if changed := changed_files(folder):
            return Lack(
                f"{folder / changed[0]} was changed", f"run: git -C {folder} checkout HEAD -- ."
            )
    return None


def wrong_checkout(folder: Path, commit: str) -> str | None:
    """Why ``folder`` is not a checkout of ``commit``, or ``None`` if it is. Starts no process."""
    if not folder.is_dir():
        return f"upstream's checkout {folder} not found"
    found = head(folder)
    if found is None:
        return f"{folder} is not a git checkout, so its version is unknown"
    if found != commit:
        return f"{folder} is at commit {found[:12]}, not {commit[:12]}"
    return None


def head(folder: Path) -> str | None:
    """The commit checked out in ``folder``, or ``None`` where there is no git repository."""
    with contextlib.suppress(OSError):
        git = folder / ".git"
        if git.is_file():  # a worktree or a submodule
            git = folder / git.read_text().removeprefix("gitdir:").strip()
        text = (git / "HEAD").read_text().strip()
        if not text.startswith("ref:"):
            return text
        return _reference(git, text.removeprefix("ref:").strip())
    return None


def _reference(git: Path, name: str) -> str | None:
    with contextlib.suppress(OSError):
        return (git / name).read_text().strip()
    with contextlib.suppress(OSError):
        for line in (git / "packed-refs").read_text().splitlines():
            commit, _, packed = line.partition(" ")
            if packed == name:
                return commit
    return None


def changed_files(folder: Path) -> list[str]:
    """The files of a checkout that differ from what was committed.

    Raises:
        HarnessError: git cannot tell.
    """
    # The user named this folder, whoever may own it.
    command = ["git", "-c", f"safe.directory={folder}", "status", "--porcelain"]
    done = subprocess.run(
        [*command, "--untracked-files=no", "--ignore-submodules"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HarnessError(f"git cannot read {folder}: {done.stderr.strip()}")
    return [line[3:] for line in done.stdout.splitlines()]

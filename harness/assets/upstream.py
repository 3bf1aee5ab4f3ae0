"""Clones the codec authors' repositories, each at the commit its adapter was written for."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.assets.checkout import changed_files, head, wrong_checkout
from harness.assets.download import is_offline, unwritable
from harness.catalog.codec_spec import CodecSpec, Upstream
from harness.errors import HarnessError
from harness.paths import find_upstream


def fetch_upstream(spec: CodecSpec) -> Path:
    """Clone the checkout that a codec needs into the cache, unless it is there already.

    The checkout appears whole and verified, or not at all.

    Returns:
        Its folder.

    Raises:
        HarnessError: The codec needs none; the folder is another checkout, or was changed; git
            or the repository does not answer.
    """
    if spec.upstream is None:
        raise HarnessError(f"codec '{spec.name}' needs no upstream repository")
    folder = find_upstream(spec.folder.name)
    if folder.exists():
        _verify(folder, spec.upstream)
        return folder
    if shutil.which("git") is None:
        raise HarnessError(
            "the program git was not found", "install it, or name a checkout in HARNESS_UPSTREAM"
        )
    if is_offline():
        raise HarnessError(
            f"{spec.upstream.repository} was not cloned: HARNESS_OFFLINE is set",
            "unset it, or name a checkout in HARNESS_UPSTREAM",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            clone = Path(scratch) / folder.name
            _clone(spec.upstream, clone)
            _verify(clone, spec.upstream)
            clone.rename(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def _clone(upstream: Upstream, folder: Path) -> None:
    folder.mkdir()
    for command in (
        ["init", "--quiet"],
        ["remote", "add", "origin", upstream.repository],
        ["fetch", "--depth", "1", "--progress", "origin", upstream.commit],
        ["-c", "advice.detachedHead=false", "checkout", "--quiet", upstream.commit],
    ):
        if subprocess.run(["git", *command], cwd=folder, check=False).returncode:
            raise HarnessError(
                f"commit {upstream.commit[:12]} of {upstream.repository} could not be fetched",
                "git says why above; or name a checkout of your own in HARNESS_UPSTREAM",
            )


def _verify(folder: Path, upstream: Upstream) -> None:
    """Refuse another commit, and files that are not as it holds them.

    What git does not track, such as an extension that was built there, is the user's own.
    """
    if reason := wrong_checkout(folder, upstream.commit):
        raise HarnessError(reason, f"delete it, or check out {upstream.commit} there")
    if changed := changed_files(folder):
        raise HarnessError(
            f"{folder} is at commit {head(folder)}, but {changed[0]} was changed",
            f"run: git -C {folder} checkout -- .",
        )

"""Downloads a file: with progress, resumed after an interruption, and checked by sha256."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

logger = logging.getLogger(__name__)

ATTEMPTS = 5
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_CHUNK = 1 << 13  # the most that a broken connection loses
_PARTIAL, _NOT_SATISFIABLE = 206, 416


class DownloadError(HarnessError):
    """A file that could not be downloaded, or is not the expected one."""


def unwritable(path: Path, error: OSError) -> DownloadError:
    """The error to raise when a file or folder of the cache could not be written."""
    return DownloadError(
        f"{path} cannot be written: {error.strerror or error}",
        "free some space, or set HARNESS_CACHE to a folder that can be written",
    )


def is_offline() -> bool:
    """Whether ``HARNESS_OFFLINE`` forbids downloads."""
    return os.environ.get("HARNESS_OFFLINE", "") not in ("", "0")


def download(url: str, path: Path, sha256: str | None) -> str:
    """Download the file at ``url`` to ``path``, unless it is there already.

    An interrupted download is kept in ``<path>.part``, and the next call resumes it. ``path``
    appears complete and checked, or not at all.

    Args:
        url: An http or https address.
        path: Where the file goes; its folder is created.
        sha256: The file's hash, or ``None`` when it is not known yet.

    Returns:
        The file's sha256.

    Raises:
        DownloadError: The address does not answer, or gives another file; the disk is full.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    part = path.with_name(path.name + ".part")

    def fetch(url: str, output_file: str, _: Any) -> None:
        logger.info("downloading %s", url)
        _fetch(url, part)
        part.replace(output_file)

    by_hand = f"try again later, or put the file at {path} by hand"
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}" if sha256 else None,
            fname=path.name,
            path=path.parent,
            downloader=fetch,
        )
    except requests.RequestException as error:
        reason = getattr(next(iter(error.args), None), "reason", error)  # urllib3's own, if any
        raise DownloadError(f"{url} could not be downloaded: {reason}", by_hand) from error
    except OSError as error:
        raise unwritable(path, error) from error
    except ValueError as error:  # pooch's answer to a wrong hash; it has deleted the file
        raise DownloadError(
            f"{url} gives a file whose sha256 is not {sha256}",
            f"the publisher may have changed it; put the right one at {path} by hand",
        ) from error
    hashed: str = pooch.file_hash(str(path))
    return hashed


def _fetch(url: str, part: Path) -> None:
    """Fetch the missing rest of ``part``, and resume when the connection breaks."""
    import requests

    for left in reversed(range(ATTEMPTS)):
        try:
            return _fetch_rest(url, part)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if not left or isinstance(error, requests.ConnectTimeout):
                raise
    return None


def _fetch_rest(url: str, part: Path) -> None:
    import requests

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    timeouts = (_CONNECT_SECONDS, _READ_SECONDS)
    with requests.get(url, headers=headers, stream=True, timeout=timeouts) as response:
        if response.status_code == _NOT_SATISFIABLE:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # it was complete already
            part.unlink()
            raise requests.ConnectionError(f"{part} was longer than the file at {url}")
        response.raise_for_status()
        resumes = response.status_code == _PARTIAL
        _save(response, part, have if resumes else 0)


def _save(response: Any, part: Path, have: int) -> None:
    from tqdm import tqdm

    length = response.headers.get("Content-Length")
    with (
        part.open("r+b" if have else "wb") as file,
        tqdm(
            desc=part.name.removesuffix(".part"),
            initial=have,
            total=have + int(length) if length else None,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,  # unless the output is a terminal
        ) as progress,
    ):
        file.seek(have)
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            progress.update(len(chunk))

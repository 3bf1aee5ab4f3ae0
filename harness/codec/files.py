"""The files that a rate point needs: weights, and the checkout of the authors' repository."""

from __future__ import annotations

from pathlib import Path

from harness.codec import RatePoint, Unavailable


def weights_path(rate: RatePoint, remedy: str, *, file: str = "") -> Path | None:
    """The checkpoint to load: the user's, else the rate point's own.

    Args:
        rate: The rate point.
        remedy: What to do where the file is missing.
        file: Its name, for a codec whose rate points need other files besides.

    Returns:
        The path, or ``None`` for random weights.

    Raises:
        Unavailable: The file is not there.
    """
    if "checkpoint" in rate.files:
        return rate.files["checkpoint"]
    if rate.weights == "random":
        return None
    names = [file] if file else list(rate.files)
    for name in names:
        if (path := rate.files.get(name)) is not None and path.is_file():
            return path
    missing = " or ".join(names) or f"of rate point {rate.id}"
    raise Unavailable(f"weights {missing} not found", remedy)


def checkout(rate: RatePoint, codec: str) -> Path:
    """The pinned checkout of the authors' repository, which is read-only.

    Args:
        rate: The rate point.
        codec: The codec's name, as users type it.

    Raises:
        Unavailable: There is none.
    """
    if rate.upstream is None:
        raise Unavailable(f"no checkout of {codec}", f"run 'harness upstream fetch {codec}'")
    return rate.upstream

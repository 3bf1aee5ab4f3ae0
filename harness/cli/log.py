"""Prints what the harness logs."""

from __future__ import annotations

import logging


def show_downloads() -> None:
    """Print the addresses of downloads, which the harness logs, as plain lines on stderr."""
    logger = logging.getLogger("harness")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)

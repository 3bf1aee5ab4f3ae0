"""Benchmarks learned image codecs.

The three names that a notebook needs are here; each is loaded when it is first used::

    import harness

    frame = harness.run(codec=["jpeg", "avif"], dataset="sample")
    frame = harness.load_results("results")
    with harness.load_codec("jpeg", rate="q50") as codec:
        image = codec.decode(codec.encode(image))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness._version import __version__

if TYPE_CHECKING:
    from harness.api import load_codec, load_results, run

__all__ = ["__version__", "load_codec", "load_results", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")

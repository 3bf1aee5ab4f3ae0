"""Chooses the cases to verify: by a seed, spread over codecs."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

CASES_PER_PHOTOGRAPH = 5
"""How many chosen cases share a photograph, if that many codecs and rate points have it: what a
metric computes of an original is then computed once for all of them."""

Record = dict[str, Any]


def choose(records: Sequence[Record], size: int, seed: int) -> list[Record]:
    """At most ``size`` of the records, each of which can be among them.

    The order of photographs, codecs and cases is drawn by the seed. Codecs take turns, on the first
    ``size / 5`` photographs, and on further ones as far as those do not suffice. The same seed
    chooses the same cases of the same records, in whatever order they are given.
    """
    by_photograph: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: _drawn(seed, str(r["case"]), str(r["run"]))):
        by_photograph.setdefault(photograph(record), []).append(record)
    drawn = sorted(by_photograph, key=lambda name: _drawn(seed, name))
    first = -(-size // CASES_PER_PHOTOGRAPH)
    pool = [record for name in drawn[:first] for record in by_photograph[name]]
    for name in drawn[first:]:
        if len(pool) >= size:
            break
        pool += by_photograph[name]
    return _in_turn(sorted(pool, key=lambda r: _drawn(seed, str(r["case"]))), seed)[:size]


def photograph(record: Record) -> str:
    """What cases have in common that are scored against the same original."""
    return f"{record['dataset']}\0{record['image_sha256']}\0{record['resolution']}"


def _in_turn(records: Sequence[Record], seed: int) -> list[Record]:
    """The records, one of each codec after the other."""
    by_codec: dict[str, list[Record]] = {}
    for record in records:
        by_codec.setdefault(str(record["codec"]), []).append(record)
    codecs = sorted(by_codec, key=lambda name: _drawn(seed, name))
    rounds = itertools.zip_longest(*(by_codec[name] for name in codecs))
    return [record for turn in rounds for record in turn if record is not None]


def _drawn(seed: int, *names: str) -> bytes:
    """A place in an order that the seed decides."""
    return hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "replace")).digest()

"""Scores reconstructions image by image, so that a reference's features are computed once.

All codecs' and rate points' reconstructions of one image at one resolution are scored together
and written as one shard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.codec import Image
from harness.errors import HarnessError, ImageError
from harness.metrics import Scorer
from harness.plan.cases import Batch, Case
from harness.store.run_store import RunStore

Pending = tuple[Batch, Case]


@dataclass(frozen=True)
class Scoring:
    """Where the images come from, and where the values go."""

    store: RunStore
    scorer: Scorer
    reference: Callable[[Batch, Case], Image]
    reconstruction: Callable[[Batch, Case], Image]
    done_with: Callable[[Batch, Case], None]
    warn: Callable[[str], None]
    finished: Callable[[int], None]


def groups(pending: Sequence[Pending]) -> list[list[Pending]]:
    """The cases that share a reference: the same image at the same resolution."""

    def key(item: Pending) -> tuple[str, str, str]:
        batch, case = item
        return batch.dataset, str(batch.resolution), case.image.name

    return [list(group) for _, group in groupby(sorted(pending, key=key), key)]


def score_group(group: Sequence[Pending], scoring: Scoring) -> None:
    """Score the reconstructions of one reference and write the values.

    A reconstruction that cannot be read is left out with a warning; the next run measures it.
    """
    try:
        reference = scoring.scorer.reference(scoring.reference(*group[0]))
    except HarnessError as error:
        scoring.warn(str(error))
        scoring.finished(len(group))
        return
    rows = []
    for batch, case in group:
        try:
            image = scoring.reconstruction(batch, case)
        except ImageError as error:
            scoring.warn(f"{error.problem}; give the same command again to measure it anew")
            scoring.finished(1)
            continue
        start = time.perf_counter()
        scores = scoring.scorer.score(reference, image)
        elapsed = (time.perf_counter() - start) * 1e3
        rows += [
            {
                "case": case.id,
                "metric": metric,
                "value": score.value,
                "reason": score.reason,
                "final": score.final,
                "card": scoring.scorer.cards[metric].id,
                "score_ms": elapsed,
            }
            for metric, score in scores.items()
            if metric in scoring.scorer.cards
        ]
        rows += [
            {"case": case.id, "metric": metric, "reason": reason, "final": False}
            for metric, reason in scoring.scorer.unavailable.items()
        ]
        scoring.finished(1)
    if rows:
        scoring.store.add_scores(rows)
    for batch, case in group:
        scoring.done_with(batch, case)

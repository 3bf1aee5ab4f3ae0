"""Verifies records: makes their cases again, and compares bytes, pictures and metrics."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.assets.digests import sha256_of
from harness.catalog.codec_spec import EnvironmentName
from harness.catalog.metrics import METRICS
from harness.codec import Image
from harness.errors import HarnessError, Lack
from harness.images.files import read_image
from harness.metrics import Scorer
from harness.metrics.base import Score
from harness.metrics.scorer import Reference
from harness.paths import scratch_folder
from harness.plan.request import Request
from harness.store.files import CASE_DIGITS
from harness.verify.again import Bench, Coded
from harness.verify.compare import coding_fields, failure_field, metric_fields
from harness.verify.elsewhere import Here
from harness.verify.finding import Field, Outcome, Verdict
from harness.verify.manifests import Manifests, read_mapping
from harness.verify.originals import Originals, original
from harness.verify.sample import photograph
from harness.verify.subject import Record, Subject, Subjects


@dataclass(frozen=True)
class Conditions:
    """How cases are made again.

    Attributes:
        codecs: Codecs that the user named; ``name@checkpoint`` says where a checkpoint is.
        datasets: Data sets and folders in which photographs are looked for first.
        metrics: The metrics to compare, of those that are recorded.
        environment: Where codecs run whose manifests name an environment.
        timeout: The time limit of one call, in seconds.
        memory_bytes: The limit on the resident memory of a codec's processes, in bytes.
        download: Whether data sets may be downloaded.
        paths: Whether files and folders that the records' manifests name may be opened; not
            where the records are someone else's.
    """

    codecs: Sequence[str] = ()
    datasets: Sequence[str] = ()
    metrics: Sequence[str] = tuple(METRICS)
    environment: EnvironmentName = Request.environment
    timeout: float = Request.timeout
    memory_bytes: int = 1 << 40
    download: bool = True
    paths: bool = True


def verify(
    records: Sequence[Record],
    folders: Mapping[str, Path],
    conditions: Conditions,
    alone: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Verdict]:
    """Make cases again, and compare them with their records; a verdict for each, as it is found.

    Args:
        records: Rows of :func:`harness.load_results` whose status is ``ok``.
        folders: The folders of their runs, by the runs' names.
        conditions: How they are made.
        alone: Entered while codecs run or metrics are computed, so that nothing is timed beside.
    """
    verification = Verification(folders, conditions)
    subjects = []
    for record in records:
        found = verification.subject(record)
        if isinstance(found, Lack):
            yield Verdict(record, reason=str(found))
        else:
            subjects.append(found)
    with scratch_folder() as scratch:
        bench = Bench(conditions.timeout, conditions.memory_bytes, scratch)
        coded: list[tuple[Subject, Coded]] = []
        for _, group in groupby(sorted(subjects, key=_worker), _worker):
            cases = list(group)
            with alone():
                made = list(bench.code(cases))
            for subject, result in zip(cases, made, strict=True):
                if isinstance(result, Coded):
                    coded.append((subject, result))
                else:
                    yield verification.verdict(subject, None, [failure_field(result)])
        for _, shared in groupby(sorted(coded, key=_shared), _shared):
            with alone():
                verdicts = list(verification.compared(list(shared)))
            yield from verdicts


def _worker(subject: Subject) -> tuple[str, ...]:
    return subject.worker


def _shared(item: tuple[Subject, Coded]) -> tuple[str, str]:
    subject, _ = item
    return subject.model.device, photograph(subject.record)


class Verification:
    """What the verification of several records shares."""

    def __init__(self, folders: Mapping[str, Path], conditions: Conditions) -> None:
        self._folders = folders
        self._conditions = conditions
        self._manifests = Manifests(folders)
        originals = Originals(conditions.datasets, download=conditions.download)
        self._subjects = Subjects(conditions.codecs, originals, conditions.environment)
        self._here = Here()
        self._scorers: dict[tuple[str, tuple[str, ...]], Scorer] = {}
        self._kept: dict[str, dict[str, Path]] = {}

    def subject(self, record: Record) -> Subject | Lack:
        """What a record was made with, or why it cannot be made again here."""
        manifest = self._manifests.of(record)
        return self._subjects.of(record, manifest, paths=self._conditions.paths)

    def verdict(self, subject: Subject, facts: str | None, fields: Sequence[Field]) -> Verdict:
        """The verdict on a case, with what differs here if it is a difference."""
        differs = any(field.outcome is Outcome.DIFFERENT for field in fields)
        elsewhere = tuple(self._here.differs(subject, facts)) if differs else ()
        return Verdict(subject.record, tuple(fields), elsewhere=elsewhere)

    def compared(self, cases: Sequence[tuple[Subject, Coded]]) -> Iterator[Verdict]:
        """The verdicts on cases of one photograph."""
        scorer, reference = self._reference(cases)
        for subject, coded in cases:
            kept = functools.partial(self._picture, subject)
            fields = list(coding_fields(subject.record, coded, kept))
            unsteady = fields[0].outcome is Outcome.IMPOSSIBLE
            if scorer is not None and reference is not None and not unsteady:
                fields += self._metrics(subject, coded, scorer, reference)
            yield self.verdict(subject, coded.facts, fields)

    def _reference(
        self, cases: Sequence[tuple[Subject, Coded]]
    ) -> tuple[Scorer | None, Reference | None]:
        """A scorer of the metrics that any of the cases has, and their original."""
        wanted = tuple(
            name
            for name in self._conditions.metrics
            if any(subject.record.get(f"{name}_card") for subject, _ in cases)
        )
        if not wanted:
            return None, None
        subject = cases[0][0]
        key = subject.model.device, wanted
        if key not in self._scorers:
            self._scorers[key] = Scorer(wanted, subject.model.device)
        scorer = self._scorers[key]
        return scorer, scorer.reference(original(subject.source, subject.resolution))

    def _metrics(
        self, subject: Subject, coded: Coded, scorer: Scorer, reference: Reference
    ) -> list[Field]:
        image = coded.picture
        if image.shape != reference.image.shape:
            return []  # which the picture's comparison says
        scores: dict[str, Score] = scorer.score(reference, image)
        cards = self._folders[str(subject.record["run"])] / "cards"

        def recorded(card: str) -> dict[str, Any]:
            return (
                read_mapping(cards / f"{card}.json") if re.fullmatch(r"[0-9a-f]{12}", card) else {}
            )

        return list(metric_fields(subject.record, scores, scorer.cards, recorded))

    def _picture(self, subject: Subject) -> Image | None:
        """The reconstruction that is kept beside a record, if it is what was written."""
        run, case = str(subject.record["run"]), str(subject.record["case"])
        if run not in self._kept:
            files = (self._folders[run] / "reconstructions").rglob("*.png")
            self._kept[run] = {path.stem.rpartition(".")[2]: path for path in files}
        path = self._kept[run].get(case[:CASE_DIGITS])
        if path is None:
            return None
        try:
            written = subject.record.get("reconstruction_sha256")
            return read_image(path) if written in {None, sha256_of(path)} else None
        except (HarnessError, OSError):
            return None

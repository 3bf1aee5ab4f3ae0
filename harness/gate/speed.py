"""Whether the candidate is slower: a rank test and a ratio, and both must say so.

Times are compared only under the same conditions: see :mod:`harness.analysis.conditions`. With
enough images the medians of each image are paired: signed ranks (Wilcoxon, Biometrics Bulletin
1, 1945), whose p-values come from sign flips and are adjusted over all times at once, as
:mod:`harness.gate.flips` explains. The ranks are of all times of all images together:
ranks of each time by itself are alike for a large change and for noise, and with six images a
flip that turns the noise one way would equal any change. With fewer images the raw samples
of each are set against each other (Mann and Whitney, Annals of Mathematical Statistics 18, 1947);
the least certain image counts, and p-values are adjusted by Holm's method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.analysis.conditions import CONDITIONS
from harness.analysis.curves import Floats
from harness.analysis.intervals import LEVEL, MIN_IMAGES, median_interval
from harness.analysis.records import ImageSet
from harness.gate.finding import Finding, Verdict
from harness.gate.flips import FlipFamily, holm
from harness.gate.limits import Limits

MIN_SAMPLES = 5
"""Raw samples that each side of an image needs where there are too few images to pair. Five against
five is the least whose smallest one-sided p-value, 1 / 252, survives Holm's method on a few
tests."""


@dataclass(frozen=True)
class Timing:
    """One codec's encode or decode times at a rate point, on both sides.

    Attributes:
        finding: What is to be judged; its note says why where it cannot be.
        pairs: By image, the raw samples of base and candidate in ms.
        places: Each image's place among the images of the comparison.
    """

    finding: Finding
    pairs: Sequence[tuple[Floats, Floats]] = ()
    places: Sequence[int] = ()

    @property
    def medians(self) -> Floats:
        """float64, N x 2: each image's median of base and candidate."""
        return np.array([[np.median(a), np.median(b)] for a, b in self.pairs])

    @property
    def is_paired(self) -> bool:
        """Whether there are enough images to pair."""
        return len(self.pairs) >= MIN_IMAGES

    @property
    def has_a_test(self) -> bool:
        """Whether its samples suffice for either test, whatever the times are."""
        return self.is_paired or self.is_ranked

    @property
    def is_ranked(self) -> bool:
        """Whether there are too few images to pair, and enough raw samples of each."""
        least = min((len(side) for pair in self.pairs for side in pair), default=0)
        return not self.is_paired and least >= MIN_SAMPLES


def judges_time(timings: Sequence[Timing], limits: Limits) -> bool:
    """Whether any of the times is judged. The times themselves do not decide it."""
    return limits.slower is not None and any(timing.has_a_test for timing in timings)


def speed_findings(timings: Sequence[Timing], limits: Limits) -> list[Finding]:
    """The times of a comparison, judged at half of the level.

    Args:
        timings: From :func:`timings_of`.
        limits: When the candidate is slower.
    """
    paired = [n for n, timing in enumerate(timings) if timing.is_paired]
    ranked = [n for n, timing in enumerate(timings) if timing.is_ranked]
    chances = {
        **dict(zip(paired, _signed_ranks([timings[n] for n in paired], limits), strict=True)),
        **dict(zip(ranked, _ranks([timings[n] for n in ranked]), strict=True)),
    }
    groups = bool(paired) + bool(ranked)
    return [
        _judged(timing, limits, [min(1.0, groups * p) for p in chances.get(n, ())])
        for n, timing in enumerate(timings)
    ]


def _judged(timing: Timing, limits: Limits, chances: Sequence[float]) -> Finding:
    if not timing.pairs:
        return timing.finding
    medians = timing.medians
    ratios = medians[:, 1] / medians[:, 0]
    finding = replace(
        timing.finding,
        base=float(np.median(medians[:, 0])),
        candidate=float(np.median(medians[:, 1])),
        change=float(np.median(ratios)),
        interval=median_interval(ratios, LEVEL),
        images=len(medians),
    )
    if not chances or limits.slower is None:
        few = f"fewer than {MIN_IMAGES} images and than {MIN_SAMPLES} timed calls of each a side"
        why = few if not chances else "reported only"
        return replace(finding, note="; ".join(filter(None, (finding.note, why))))
    ratio = float(np.median(ratios))
    p = chances[0] if ratio >= 1 else chances[1]
    difference = abs(float(np.median(medians[:, 1] - medians[:, 0])))
    large = max(ratio, 1 / ratio) >= limits.slower and difference >= limits.floor_ms
    verdict: Verdict = "no change"
    if p <= limits.level / 2:
        verdict = "small" if not large else "worse" if ratio >= 1 else "better"
    return replace(finding, verdict=verdict, p=p)


def timings_of(base: pd.DataFrame, candidate: pd.DataFrame) -> Iterator[Timing]:
    """What there is to compare in speed.

    Args:
        base: ``ok`` rows of the base; see :class:`harness.gate.pairs.Pairs`.
        candidate: The candidate's rows of the same cases, in the same order.
    """
    images = base[["dataset", "image"]].drop_duplicates()
    units = {key: n for n, key in enumerate(zip(images["dataset"], images["image"], strict=True))}
    keys = ["dataset", "resolution", "codec", "random"]
    for (dataset, resolution, codec, random), rows in base.groupby(keys, sort=True):
        points = rows.groupby("rate")["rate_index"].min().sort_values(kind="stable").index
        # One encode may serve all rate points; it is compared once.
        once = bool(rows["shared_encode"].eq(other=True).all())
        for rate in points:
            for which in ("encode", "decode"):
                shared = once and which == "encode"
                if shared and rate != points[-1]:
                    continue
                point = rows[rows["rate"] == rate]
                finding = Finding(
                    kind="speed",
                    subject=f"{which}_ms",
                    codec=str(codec),
                    title=str(rows["title"].iloc[0]),
                    image_set=ImageSet(str(dataset), str(resolution)),
                    rate="" if shared else str(rate),
                    verdict="not judged",
                    note="random weights" if random else "",
                )
                yield _timing(finding, which, point, candidate.loc[point.index], units)


def _timing(
    finding: Finding,
    which: str,
    base: pd.DataFrame,
    candidate: pd.DataFrame,
    units: dict[tuple[str, str], int],
) -> Timing:
    if reason := _differs(base, candidate):
        return Timing(replace(finding, note=reason))
    samples = zip(_samples(base, which), _samples(candidate, which), strict=True)
    keys = zip(base["dataset"], base["image"], strict=True)
    timed = [
        (pair, units[key])
        for pair, key in zip(samples, keys, strict=True)
        if len(pair[0]) and len(pair[1])
    ]
    if not timed:
        return Timing(replace(finding, note="no times"))
    pairs, places = zip(*timed, strict=True)
    return Timing(finding, pairs, places)


def _signed_ranks(timings: Sequence[Timing], limits: Limits) -> Iterator[tuple[float, float]]:
    """The p-values of slower and of faster, of times that are paired by image."""
    from scipy.stats import rankdata  # slow to import

    if not timings:
        return
    family = FlipFamily(1 + max(max(timing.places) for timing in timings), limits.samples)
    logs = np.concatenate([np.log(t.medians[:, 1] / t.medians[:, 0]) for t in timings])
    ranks = np.sign(logs) * rankdata(np.abs(logs))
    ends = np.cumsum([len(timing.places) for timing in timings])
    found = []
    for timing, own in zip(timings, np.split(ranks, ends[:-1]), strict=True):
        by_image = np.zeros(family.signs.shape[1])
        by_image[list(timing.places)] = own
        found.append(family.add(family.means(by_image)))
    for statistic in found:
        yield family.p_above(statistic), family.p_below(statistic)


def _ranks(timings: Sequence[Timing]) -> Iterator[tuple[float, float]]:
    """The p-values of slower and of faster, of times of few images."""
    from scipy.stats import mannwhitneyu  # slow to import

    chances: list[list[float]] = [[], []]
    for timing in timings:
        for way, p_values in zip(("greater", "less"), chances, strict=True):
            of_images = (mannwhitneyu(b, a, alternative=way).pvalue for a, b in timing.pairs)
            p_values.append(float(max(of_images)))
    yield from zip(holm(chances[0]), holm(chances[1]), strict=True)


def _samples(rows: pd.DataFrame, which: str) -> list[Floats]:
    """Every timed call of each row in ms; the median alone where no calls were kept."""
    if f"{which}_samples_ms" in rows:
        calls = [np.asarray([] if c is None else c, float) for c in rows[f"{which}_samples_ms"]]
    elif f"{which}_ms" in rows:
        calls = [np.atleast_1d(np.asarray(ms, float)) for ms in rows[f"{which}_ms"]]
    else:
        return [np.empty(0)] * len(rows)
    return [times[times > 0] for times in calls]  # also drops NaN


def _differs(base: pd.DataFrame, candidate: pd.DataFrame) -> str:
    """Which condition keeps the times apart; empty where they compare."""
    for column, name in CONDITIONS.items():
        a, b = (
            {"unknown" if pd.isna(value) or value == "" else str(value)
             for value in rows[column].unique()}
            for rows in (base, candidate)
        )  # fmt: skip
        if len(a | b) > 1:
            return f"not the same {name}: {', '.join(sorted(a))} against {', '.join(sorted(b))}"
    return "" if base["machine"].astype(bool).all() else "the machine is not known"

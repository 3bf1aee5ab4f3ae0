"""How often the gate calls a regression that is not there, and how often it finds one that is.

Simulated pairs of the size of Kodak: 24 images, five rate points, four metrics, bits, BD-rates
and times. Base and candidate differ from image to image by noise that metrics and rate points
share in part, heavy-tailed and wider on some images than on others. Targets: of 5,000 equal
pairs at most 5 % are called a regression, within the standard error of their number; a loss of 1 %
in DISTS is found. The seed is drawn anew and printed, so that no figure is one seed's.

``--spread RUN CODEC BASE CANDIDATE`` prints how wide the noise is between two checkpoints of a run.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import load_results
from harness.analysis.records import metrics_in
from harness.catalog.metrics import Limit
from harness.gate.compare import compare
from harness.gate.finding import Finding
from harness.gate.limits import Limits
from harness.gate.pairs import Side
from harness.gate.pairs import pair as pair_up

IMAGES, RATES = 24, 5
METRICS = {"psnr": 24.0, "ms_ssim": 0.8, "lpips": 0.35, "dists": 0.25}
FALLS = {"lpips", "dists"}
CASE_COLUMNS: dict[str, Any] = {
    "codec": "made", "title": "Made", "dataset": "kodak", "resolution": "native", "status": "ok",
    "weights": "pretrained", "machine": "made", "threads": 2, "device": "cpu",
    "started": pd.Timestamp("2026-01-01", tz="UTC"),
}  # fmt: skip
NO_LIMITS = Limits(
    bits=Limit(absolute=0.0),
    bd_rate=Limit(absolute=0.0),
    metrics={name: Limit(absolute=0.0) for name in METRICS},
    slower=1.0,
    floor_ms=0.0,
)
"""Every change counts: the tests alone keep false alarms rare."""


@dataclass(frozen=True)
class World:
    """Where pairs are drawn from.

    Attributes:
        noise: Standard deviation of an image's difference in LPIPS and DISTS, relative to its
            value; PSNR and MS-SSIM move a tenth, bits a quarter of that.
        loss: The candidate's relative loss in DISTS.
        skewed: Whether what an image's columns share has an exponential's distribution, and
            not Student's t with four degrees of freedom.
        timed: Whether times compare; else the two sides ran on different machines.
    """

    noise: float
    loss: float = 0.0
    skewed: bool = False
    timed: bool = True

    @property
    def title(self) -> str:
        """What tables call it."""
        marks = [", skewed"] * self.skewed + [", no time judged"] * (not self.timed)
        return f"{self.noise:.1%}{''.join(marks)}"


Seed = tuple[int, int]
"""That of the whole simulation, and a pair's number."""


def pair(seed: Seed, world: World) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One base and one candidate."""
    random = np.random.default_rng(seed)
    place = np.tile(np.arange(RATES), IMAGES)
    image = np.repeat(np.arange(IMAGES), RATES)
    busy = random.lognormal(0, 0.3, IMAGES)[image]
    width = random.lognormal(-0.25, 0.5, IMAGES)[image]  # mean square 1
    drawn = random.exponential(1, IMAGES) - 1 if world.skewed else random.standard_t(4, IMAGES)
    shared = (drawn if world.skewed else drawn / np.sqrt(2))[image]

    def factor(size: float) -> np.ndarray:
        """Around 1; half of its variance is common to all columns of an image."""
        own = random.normal(0, 1, len(image))
        varied: np.ndarray = 1 + size * width * (shared + own) / np.sqrt(2)
        return varied

    base = pd.DataFrame({
        "image": [f"image{n:02}" for n in image], "rate": [f"s{k}" for k in place],
        "rate_index": place, "bpp": 0.04 * (place + 1) * busy, "encode_ms": 50.0, "decode_ms": 30.0,
    }).assign(**CASE_COLUMNS)  # fmt: skip
    candidate = base.copy()
    for name, value in METRICS.items():
        step = 0.85**place if name in FALLS else 1 + 0.03 * place
        base[name] = value * step * (busy**0.1)
        less = 1.0 if name in FALLS else 0.1  # PSNR and MS-SSIM move less in proportion
        candidate[name] = base[name] * factor(world.noise * less)
    candidate["dists"] *= 1 + world.loss
    candidate["bpp"] *= factor(world.noise / 4)
    for name in ("encode_ms", "decode_ms"):
        base[name], candidate[name] = (ms * random.lognormal(0, 0.05, len(image))
                                       for ms in (base[name], candidate[name]))  # fmt: skip
    if not world.timed:
        candidate["machine"] = "another"
    return base, candidate


def outcome(seed: Seed, world: World, limits: Limits) -> tuple[bool, bool]:
    """Whether the gate failed, and whether DISTS was among what it named."""
    findings = findings_of(seed, world, limits)
    return any(f.fails for f in findings), any(f.fails and f.subject == "dists" for f in findings)


def false_alarms(seed: Seed, world: World) -> tuple[bool, bool]:
    """Whether the gate failed on an equal pair where every change counts, and by default.

    Limits do not touch the tests: where nothing was certain for the worse without them, nothing
    is with them.
    """
    findings = findings_of(seed, world, NO_LIMITS)
    if not any(f.fails or f.verdict == "traded" for f in findings):
        return False, False
    return any(f.fails for f in findings), outcome(seed, world, Limits())[0]


def findings_of(seed: Seed, world: World, limits: Limits) -> tuple[Finding, ...]:
    """What the gate says of one pair."""
    base, candidate = pair(seed, world)
    return compare(Side("base", base), Side("candidate", candidate), limits).findings


def spread(run: Path, codec: str, base: str, candidate: str) -> None:
    """How two checkpoints differ from image to image, by metric and rate point."""
    frame = load_results(run)
    pairs = pair_up(
        Side(str(run), frame, f"{codec}@{base}"), Side(str(run), frame, f"{codec}@{candidate}")
    )
    print("| metric | rate point | images | mean change | standard deviation |")
    print("| :-- | :-- | --: | --: | --: |")
    for metric in metrics_in(pairs.base):
        before, after = (side[metric.name].astype(float) for side in (pairs.base, pairs.candidate))
        for rate, rows in pairs.base.groupby("rate"):
            change = (after - before)[rows.index] / before[rows.index].mean()
            print(
                f"| {metric.title} | {rate} | {change.count()} | {change.mean():+.2%} | "
                f"{change.std():.2%} |"
            )


EQUAL = (World(0.02), World(0.02, timed=False), World(0.02, skewed=True))
WORSE = tuple(World(noise, 0.01) for noise in (0.012, 0.02, 0.03))


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5000, help="equal pairs; worse ones: a fifth")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None, help="drawn anew when not given")
    parser.add_argument("--spread", nargs=4, metavar=("RUN", "CODEC", "BASE", "CANDIDATE"))
    arguments = parser.parse_args()
    if arguments.spread:
        spread(Path(arguments.spread[0]), *arguments.spread[1:])
        return
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}; behind each share its standard error\n")
    numbers = itertools.count()

    def seeds(count: int) -> list[Seed]:
        return [(seed, number) for number in itertools.islice(numbers, count)]

    worse = max(1, arguments.pairs // 5)
    with ProcessPoolExecutor(arguments.processes) as pool:
        print("| equal pairs, noise of an image | pairs | failed, no limits | failed, default |")
        print("| :-- | --: | --: | --: |")
        for world in EQUAL:
            task = partial(false_alarms, world=world)
            print_row(world, pool.map(task, seeds(arguments.pairs), chunksize=10))
        print("\n| 1 % loss in DISTS, noise of an image | pairs | failed | DISTS named |")
        print("| :-- | --: | --: | --: |")
        for world in WORSE:
            losses = partial(outcome, world=world, limits=Limits())
            print_row(world, pool.map(losses, seeds(worse), chunksize=10))


def print_row(world: World, ends: Iterable[tuple[bool, bool]]) -> None:
    """Print a row: how many pairs, and in what share of them each came true."""
    outcomes = list(ends)
    shares = [sum(end[k] for end in outcomes) / len(outcomes) for k in (0, 1)]
    errors = [np.sqrt(share * (1 - share) / len(outcomes)) for share in shares]
    cells = (
        world.title,
        str(len(outcomes)),
        *(f"{share:.1%} ± {error:.1%}" for share, error in zip(shares, errors, strict=True)),
    )
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

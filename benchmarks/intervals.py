"""How often a 95 % interval holds the true figure, on simulated pairs of codecs.

A pair is an anchor and a test with five rate points each on images that differ in bits, in quality
and in how much the test saves. The truth is that of very many images of the same kind. Target: 94
to 96 % with 24 images. Where images differ in a strongly skewed way, intervals of means fall short.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.analysis import pchip
from harness.analysis.curves import Curve, Floats
from harness.analysis.intervals import (
    LEVEL,
    Interval,
    mean_curve_interval,
    mean_interval,
    median_interval,
)

BPP = np.array([0.1, 0.2, 0.4, 0.8, 1.6])
PSNR = np.array([28.0, 31.0, 34.0, 37.0, 40.0])
TRUTH_IMAGES = 2_000_000
SAMPLES = 4_000

Draw = Callable[[np.random.Generator, int], Floats]
DRAWS: dict[str, Draw] = {
    "normal": lambda random, n: random.normal(size=n),
    "heavy tails (Student, 4 degrees)": lambda random, n: random.standard_t(4, n) / np.sqrt(2),
    "skewed (log-normal, 0.3)": lambda random, n: _standardised_lognormal(random, n, 0.3),
    "strongly skewed (exponential)": lambda random, n: random.exponential(size=n) - 1,
}
"""How images differ in what the test saves: mean 0, variance 1."""


def _standardised_lognormal(random: np.random.Generator, n: int, sigma: float) -> Floats:
    mean = np.exp(sigma**2 / 2)
    spread = mean * np.sqrt(np.expm1(sigma**2))
    drawn: Floats = (random.lognormal(0, sigma, n) - mean) / spread
    return drawn


@dataclass(frozen=True)
class Images:
    """Anchor and test on N images.

    Attributes:
        anchor_bpp: float64, N x K.
        anchor_psnr: float64, N x K.
        test_bpp: float64, N x K.
        test_psnr: float64, N x K.
    """

    anchor_bpp: Floats
    anchor_psnr: Floats
    test_bpp: Floats
    test_psnr: Floats

    @property
    def difference(self) -> Floats:
        """float64, N: of PSNR at the middle rate point, as the gate compares it."""
        middle = len(PSNR) // 2
        return self.test_psnr[:, middle] - self.anchor_psnr[:, middle]

    def own_bd_rates(self) -> Floats:
        """float64, N."""
        anchor, test = (self.anchor_bpp.T, self.anchor_psnr.T), (self.test_bpp.T, self.test_psnr.T)
        return pchip.bd_rates(*anchor, *test)

    def bd_rate_of_means(self) -> float:
        """Of the curves of means."""
        means = Images(
            *(
                columns.mean(axis=0, keepdims=True)
                for columns in (self.anchor_bpp, self.anchor_psnr, self.test_bpp, self.test_psnr)
            )
        )
        return float(means.own_bd_rates()[0])


def draw(random: np.random.Generator, count: int, kind: str) -> Images:
    """Images whose savings differ in the manner of ``kind``."""
    busy = random.lognormal(0, 0.4, count)[:, None]
    saving = 0.8 + 0.08 * DRAWS[kind](random, count)[:, None]
    better = 0.3 * DRAWS[kind](random, count)[:, None]
    psnr = PSNR + random.normal(0, 2, count)[:, None]
    own = random.normal(0, 0.1, (count, len(PSNR)))
    return Images(BPP * busy, psnr, BPP * busy * saving, psnr + better + own)


def intervals(images: Images) -> dict[str, Interval | None]:
    """The three intervals that tables show."""
    anchor, test = (
        Curve(
            name, name, "", tuple("abcde"), tuple(map(str, range(len(bpp)))), bpp, psnr,
            frozenset(), (),
        )
        for name, bpp, psnr in (
            ("anchor", images.anchor_bpp, images.anchor_psnr),
            ("test", images.test_bpp, images.test_psnr),
        )
    )  # fmt: skip
    return {
        "mean difference": mean_interval(images.difference, SAMPLES, LEVEL),
        "BD-rate of the curves of means": mean_curve_interval(anchor, test, 1, SAMPLES, LEVEL),
        "median of the images' BD-rates": median_interval(images.own_bd_rates(), LEVEL),
    }


def truth(kind: str, seed: int) -> dict[str, float]:
    """What the intervals should hold, of very many images."""
    images = draw(np.random.default_rng([seed]), TRUTH_IMAGES, kind)
    return {
        "mean difference": float(images.difference.mean()),
        "BD-rate of the curves of means": images.bd_rate_of_means(),
        "median of the images' BD-rates": float(np.nanmedian(images.own_bd_rates())),
    }


def held(pair: int, kind: str, seed: int, count: int, true: dict[str, float]) -> dict[str, bool]:
    """Which intervals of one pair hold the truth; one that is not given does not."""
    found = intervals(draw(np.random.default_rng([seed, pair]), count, kind))
    return {
        name: interval is not None and interval.low <= true[name] <= interval.high
        for name, interval in found.items()
    }


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None, help="drawn anew when not given")
    arguments = parser.parse_args()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"{arguments.pairs} pairs of {arguments.images} images each, seed {seed}\n")
    print("| images differ | interval of the | covered | standard error |")
    print("| :-- | :-- | --: | --: |")
    with ProcessPoolExecutor(arguments.processes) as pool:
        for kind in DRAWS:
            task = partial(
                held, kind=kind, seed=seed, count=arguments.images, true=truth(kind, seed)
            )
            outcomes = list(pool.map(task, range(1, arguments.pairs + 1), chunksize=20))
            for name in outcomes[0]:
                share = sum(outcome[name] for outcome in outcomes) / len(outcomes)
                error = np.sqrt(share * (1 - share) / len(outcomes))
                print(f"| {kind} | {name} | {share:.1%} | {error:.1%} |", flush=True)


if __name__ == "__main__":
    main()

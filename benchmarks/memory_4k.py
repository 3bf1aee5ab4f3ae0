"""Peak memory of scoring one 3840 x 2160 pair under all full-reference metrics.

Run ``python benchmarks/memory_4k.py [photograph]``. Without a photograph it enlarges one that
scikit-image ships: what the metrics keep depends on the size alone.
"""

from __future__ import annotations

import io
import resource
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from harness.catalog.metrics import METRICS
from harness.metrics import Scorer

SIZE = (3840, 2160)
LIMIT_GIB = 8


def main() -> int:
    """Score the pair, print the table; 1 when the peak is over the limit."""
    if len(sys.argv) > 1:
        photograph = Image.open(Path(sys.argv[1])).convert("RGB")
    else:
        from skimage import data

        astronaut: np.ndarray = data.astronaut()  # type: ignore[no-untyped-call]
        photograph = Image.fromarray(astronaut)
    original = ImageOps.fit(photograph, SIZE)
    file = io.BytesIO()
    original.save(file, "JPEG", quality=50)
    decoded = np.asarray(Image.open(file))

    scorer = Scorer([m.name for m in METRICS.values() if m.needs_reference])
    start = _peak_gib()
    scores = scorer.score(scorer.reference(np.asarray(original)), decoded)
    peak = _peak_gib()

    print("| what | value |\n|---|---|")
    for name, score in scores.items():
        print(f"| {METRICS[name].label} | {score.reason or round(score.value or 0, 5)} |")
    print(f"| peak before scoring, GiB | {start:.2f} |\n| peak, GiB | {peak:.2f} |")
    print(f"| limit, GiB | {LIMIT_GIB} |")
    return int(peak > LIMIT_GIB or bool(scorer.unavailable))


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


if __name__ == "__main__":
    sys.exit(main())

"""Estimates what a plan will take, from earlier records of the same codecs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.images.resolution import target_size
from harness.plan.cases import Batch
from harness.plan.request import Settings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Cost:
    """Expected cost of some cases, in seconds and bytes; ``None`` if no record can tell."""

    seconds: float | None
    disk_bytes: float | None


class Estimator:
    """Costs per pixel from earlier records, by codec and rate point."""

    def __init__(self, records: pd.DataFrame | None, settings: Settings) -> None:
        """Use the records measured on this device, or the CPU, with the same number of threads."""
        self._by_rate: dict[tuple[str, str], tuple[float, float]] = {}
        self._by_codec: dict[str, tuple[float, float]] = {}
        if records is None:
            return
        here = records["device"].isin([settings.device, "cpu"])
        same = here & (records["threads"] == settings.threads)
        ok = records[same & (records["status"] == "ok")]
        pixels = ok["height"].astype("float64") * ok["width"]
        costs = ok[["codec", "rate"]].assign(
            ms=(ok["wall_ms"] + ok["score_ms"].fillna(0.0)) / pixels,
            disk=ok["kept_bytes"] / pixels,
        )
        for (codec, rate), group in costs.groupby(["codec", "rate"]):
            self._by_rate[str(codec), str(rate)] = group["ms"].mean(), group["disk"].mean()
        for codec, group in costs.groupby("codec"):
            self._by_codec[str(codec)] = group["ms"].mean(), group["disk"].mean()

    def cost(self, batches: Iterable[Batch]) -> Cost:
        """What measuring and scoring the cases of ``batches`` will take."""
        seconds = disk = 0.0
        for batch in batches:
            if batch.lack is not None:
                continue
            for case in batch.cases:
                known = self._by_rate.get((batch.codec.name, case.rate.id))
                known = known or self._by_codec.get(batch.codec.name)
                if known is None:
                    return Cost(None, None)
                size = (case.image.height, case.image.width)
                height, width = target_size(size, batch.resolution)
                seconds += known[0] * height * width / 1e3
                disk += known[1] * height * width
        return Cost(seconds, disk)

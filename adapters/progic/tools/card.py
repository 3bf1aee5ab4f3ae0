"""What a checkpoint's card states of it: measured through the harness, never written by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import PIL.Image
from scipy.interpolate import PchipInterpolator

import harness
from harness.cli.progress import reporter
from harness.errors import HarnessError
from harness.images.datasets import resolve
from harness.images.files import read_image
from harness.paths import find_weights

from .figures.measures import codebook_entropy
from .figures.sheet import STYLE, Sheet, picture_grid, show, write_sheet
from .figures.subject import Photograph, Subject, bpp

METRICS = ("psnr", "ms_ssim", "lpips", "dists")
PERCEPTUAL = ("lpips", "dists")
"""Smaller is better in both."""

PEERS = ("jpeg", "webp")
ALWAYS_HERE = "sample"
"""A data set that needs no download: what tests can compare with everywhere."""

RD_FILE, TEXT_FILE, WORST_FILE = "rd.csv", "measured.md", "worst.jpg"
DIGITS = 6
BLANK = "-"
_ADAPTER = Path(__file__).parents[1]
_NAMES = {"psnr": "PSNR (dB) ↑", "ms_ssim": "MS-SSIM ↑", "lpips": "LPIPS ↓", "dists": "DISTS ↓"}


def write_card(preset: str, dataset: str, results: Path, name: str, out: Path) -> list[Path]:
    """Measure a preset's shipped weights and write what its card states.

    Args:
        preset: Such as ``progic-tiny``.
        dataset: The data set that is reported, such as ``kodak``.
        results: The results folder.
        name: The run in it; what it holds already is not measured again.
        out: The card's folder.

    Returns:
        The paths written: per-image R-D points, the tables, the three worst images.

    Raises:
        HarnessError: There are no weights, or some case did not end well.
    """
    weights = find_weights(_ADAPTER, f"{preset}.safetensors")
    if not weights.is_file():
        raise HarnessError(f"no weights of {preset} at {weights}", "train them, and ship them")
    common: dict[str, Any] = {"metric": METRICS, "results": results, "name": name}
    with reporter() as observer:
        common["observer"] = observer
        ours = harness.run(preset, list(dict.fromkeys([dataset, ALWAYS_HERE])), **common)
        peers = harness.run(PEERS, dataset, **common)
    failed = pd.concat([ours, peers]).query("status != 'ok'")
    if not failed.empty:
        first = failed.iloc[0]
        raise HarnessError(
            f"{len(failed)} cases did not end well, the first: {first['codec']} {first['rate']} "
            f"{first['image']}: {first['message']}",
            f"run 'harness report {results}': its page lists every failure",
        )
    out.mkdir(parents=True, exist_ok=True)
    points = rd_points(ours)
    points.to_csv(out / RD_FILE, index=False)
    shown = points[points["dataset"] == dataset]
    subject = Subject(str(weights))
    photographs = [
        Photograph(Path(image.name).stem, read_image(image.path))
        for image in resolve(dataset).images
    ]
    entropy = codebook_entropy(subject, photographs)
    text = "\n\n".join(
        [
            f"<!-- Written by: python adapters/progic card {preset} --dataset {dataset} -->",
            f"## {dataset}: means over {shown['image'].nunique()} images\n\n{_means(shown)}",
            f"## Each stage against the one before\n\n{_progress(shown)}",
            f"## At the bits of all stages\n\n{_against(shown, peers)}",
            f"## Codebooks\n\n{_entropies(entropy)}",
        ]
    )
    (out / TEXT_FILE).write_text(text + "\n", encoding="utf-8")
    with mpl.rc_context(STYLE), tempfile.TemporaryDirectory() as folder:
        png, *_ = write_sheet(_worst(subject, photographs, shown), subject, Path(folder))
        # Photographs over a whole page: a tenth of what PNG takes.
        PIL.Image.open(png).convert("RGB").save(out / WORST_FILE, quality=92)
    return [out / name for name in (RD_FILE, TEXT_FILE, WORST_FILE)]


def rd_points(records: pd.DataFrame) -> pd.DataFrame:
    """One row an image and stage: bytes and scores, from the records of a run."""
    points = records.assign(stage=records["rate"].str.removeprefix("s").astype(int))
    columns = ["dataset", "image", "stage", "bytes", "bpp", *METRICS]
    return points[columns].sort_values(columns[:3], ignore_index=True).round(DIGITS)


def better_stages(points: pd.DataFrame, metric: str) -> pd.DataFrame:
    """For each image (row) and stage from the second on: whether it improved on the one before."""
    table = points.pivot_table(index="image", columns="stage", values=metric)
    return table.diff(axis=1).iloc[:, 1:] < 0


def _means(points: pd.DataFrame) -> str:
    means = points.groupby("stage")[["bpp", *METRICS]].mean()
    rows = [
        [str(stage), f"{row['bpp']:.4f}", f"{row['psnr']:.2f}"]
        + [f"{row[name]:.4f}" for name in METRICS[1:]]
        for stage, row in means.iterrows()
    ]
    return _table(["Stages", "bpp", *_NAMES.values()], rows)


def _progress(points: pd.DataFrame) -> str:
    better = {name: better_stages(points, name) for name in PERCEPTUAL}
    stages = [int(stage) for stage in better["lpips"].columns]
    rows = [
        [f"{stage - 1} to {stage}", *(f"{better[name][stage].mean():.1%}" for name in PERCEPTUAL)]
        for stage in stages
    ]
    rows.append(["every one", *(f"{better[name].all(axis=1).mean():.1%}" for name in PERCEPTUAL)])
    return "Share of the images that are better with one stage more.\n\n" + _table(
        ["Stages", "LPIPS", "DISTS"], rows
    )


def _against(points: pd.DataFrame, peers: pd.DataFrame) -> str:
    last = points[points["stage"] == points["stage"].max()].mean(numeric_only=True)
    rows = [["this checkpoint", f"{last['bpp']:.4f}", *_scores(last), "", ""]]
    for codec, records in peers.groupby("codec", sort=False):
        curve = records.groupby("rate")[["bpp", *METRICS]].mean().sort_values("bpp")
        at = {name: _at(curve["bpp"], curve[name], last["bpp"]) for name in METRICS}
        equal = [_bpp_for(curve, name, last[name]) for name in PERCEPTUAL]
        rows.append([str(codec), f"{last['bpp']:.4f}", *_scores(at), *equal])
    return (
        "The other codecs' mean curves, interpolated (PCHIP over the logarithm of the bitrate); "
        f"`{BLANK}` where a curve does not reach.\n\n"
        + _table(["Codec", "bpp", *_NAMES.values(), "bpp for this LPIPS", "for this DISTS"], rows)
    )


def _scores(values: Any) -> list[str]:
    return [
        BLANK if np.isnan(values[name]) else f"{values[name]:.{2 if name == 'psnr' else 4}f}"
        for name in METRICS
    ]


def _at(rates: pd.Series[float], quality: pd.Series[float], rate: float) -> float:
    return float(PchipInterpolator(np.log(rates), quality, extrapolate=False)(np.log(rate)))


def _bpp_for(curve: pd.DataFrame, metric: str, value: float) -> str:
    by_quality = curve.sort_values(metric)
    if by_quality[metric].duplicated().any() or not by_quality["bpp"].is_monotonic_decreasing:
        return BLANK
    found = PchipInterpolator(by_quality[metric], np.log(by_quality["bpp"]), extrapolate=False)
    rate = float(np.exp(found(value)))
    return BLANK if np.isnan(rate) else f"{rate:.3f}"


def _entropies(sheet: Sheet) -> str:
    rows = [
        [str(r["stage"]), f"{r['entropy_bits']:.2f}", f"{r['words_used']} of {r['words']}"]
        for r in sheet.rows
    ]
    return f"{sheet.about}\n\n" + _table(["Codebook", "Entropy (bits)", "Words used"], rows)


def _worst(subject: Subject, photographs: list[Photograph], points: pd.DataFrame) -> Sheet:
    last = points[points["stage"] == points["stage"].max()]
    names = [Path(name).stem for name in last.nlargest(3, "dists")["image"]]
    chosen = [next(p for p in photographs if p.name == name) for name in names]
    stages = subject.shown_stages(3)
    tallest = max(p.image.shape[0] / p.image.shape[1] for p in chosen)
    figure, axes = picture_grid(len(chosen), 1 + len(stages), tallest, 2)
    rows = []
    for line, photograph in zip(axes, chosen, strict=True):
        show(line[0], photograph.image, photograph.name, "original")
        prefixes = subject.prefixes(photograph.image)
        for ax, stage in zip(line[1:], stages, strict=True):
            stream = prefixes[stage - 1]
            of_image = points["image"].map(lambda name: Path(name).stem) == photograph.name
            row = points[of_image & (points["stage"] == stage)].iloc[0]
            rate = bpp(stream, photograph.image)
            below = f"{row['dists']:.4f} / {rate:.4f}"
            show(ax, subject.decode(stream), below, f"{stage} stages" if stage > 1 else "1 stage")
            rows.append(
                {"image": photograph.name, "stage": stage, "bpp": rate, "dists": row["dists"]}
            )
    about = "The three images of the data set that are worst in DISTS. DISTS / bpp."
    return Sheet("worst", figure, rows, about)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

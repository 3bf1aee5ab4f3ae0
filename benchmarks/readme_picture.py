"""Draws the picture at the head of README from the example report: curves, table and commands.

Run ``python benchmarks/readme_picture.py``; it reads ``reports/example/tables`` and writes
``docs/images/overview.png``. ``tox -e example`` measures the example anew and draws it as well.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.catalog.codecs import load_catalog
from harness.catalog.metrics import METRICS, Metric
from harness.report.style import Style, style_of
from harness.report.tables import BLANK, number

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "reports" / "example" / "tables"
PICTURE = ROOT / "docs" / "images" / "overview.png"

DRAWN = ("psnr", "dists")
DARK, GREY, PALE, PROMPT = "#1f2328", "#59636e", "#d1d9e0", "#7ee787"
COMMANDS = """\
harness run --codec all --dataset kodak
harness report --out reports/kodak
harness compare base candidate"""


def main() -> None:
    """Compose the picture: two panels of curves, and beside them the commands and the table."""
    rates = pd.read_csv(TABLES / "rates-kodak.csv")
    bd_rates = pd.read_csv(TABLES / "bdrate-kodak.csv").set_index("codec")
    styles = {c.title: style_of(c.name, c.family) for c in load_catalog().codecs.values()}

    figure = Figure(figsize=(13.2, 4.3), dpi=150, facecolor="white")
    panels = figure.subplots(
        1, 3, gridspec_kw={"width_ratios": (1, 1, 1.22), "left": 0.045, "right": 0.99,
                           "bottom": 0.22, "top": 0.91, "wspace": 0.17},
    )  # fmt: skip
    for axes, name in zip(panels, DRAWN, strict=False):
        draw_curves(axes, rates, METRICS[name], styles)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower center", bbox_to_anchor=(0.305, 0.0), ncols=len(labels),
        frameon=False, fontsize=8.5, columnspacing=1.2, handlelength=2.2,
    )  # fmt: skip
    draw_summary(panels[-1], bd_rates, int(rates["images"].max()))
    figure.savefig(PICTURE)


def draw_curves(axes: Axes, rates: pd.DataFrame, metric: Metric, styles: dict[str, Style]) -> None:
    """Means over the images against bits per pixel, a curve a codec."""
    for title, points in rates.groupby("codec", sort=False):
        style = styles[str(title)]
        axes.plot(
            points["bpp"], points[metric.name], label=str(title), color=style.color,
            marker=style.marker, markersize=5, linewidth=1.6,
            linestyle="--" if style.classical else "-",
            markerfacecolor="white" if style.classical else style.color,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([0.05, 0.1, 0.2, 0.5, 1, 2]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_xlabel("bitrate (bits per pixel)", color=GREY)
    axes.set_title(metric.label, loc="left", fontweight="bold", color=DARK)
    axes.tick_params(colors=GREY, labelsize=9)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(PALE)


def draw_summary(axes: Axes, bd_rates: pd.DataFrame, images: int) -> None:
    """The commands as in a terminal, and below them the table of BD-rates."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    screen = FancyBboxPatch((0.01, 0.79), 0.98, 0.26, boxstyle="round,pad=0,rounding_size=0.02",
                            facecolor=DARK, edgecolor="none", clip_on=False)  # fmt: skip
    axes.add_patch(screen)
    for line, command in enumerate(COMMANDS.splitlines()):
        axes.text(0.04, 0.99 - 0.07 * line, f"$ {command}", color=PROMPT, fontfamily="monospace",
                  fontsize=9, va="center")  # fmt: skip

    metrics = [METRICS[name] for name in bd_rates.columns if name in METRICS]
    names = [metric.name for metric in metrics]
    anchor = next(codec for codec, row in bd_rates[names].iterrows() if (row == 0).all())
    heading = f"BD-rate (%) on Kodak, {images} images; anchor {anchor}"
    axes.text(0.01, 0.69, heading, color=DARK, fontsize=10, fontweight="bold")
    columns = np.linspace(0.53, 0.99, len(metrics))
    for x, metric in zip(columns, metrics, strict=True):
        axes.text(x, 0.605, metric.title, color=GREY, fontsize=9, ha="right")
    for line, (codec, row) in enumerate(bd_rates.iterrows()):
        y = 0.52 - 0.08 * line
        axes.axhline(y + 0.064, 0.01, 0.99, color=PALE, linewidth=0.7)
        axes.text(0.01, y, str(codec), color=DARK, fontsize=9.5)
        for x, metric in zip(columns, metrics, strict=True):
            text = "anchor" if codec == anchor else entry(row[metric.name])
            best = row[metric.name] == bd_rates[metric.name].min()
            axes.text(x, y, text, color=DARK, fontsize=9.5, ha="right",
                      fontweight="bold" if best else "normal")  # fmt: skip
    axes.text(0.01, y - 0.09, f"{BLANK} the curves overlap too little: refused, not guessed",
              color=GREY, fontsize=8.5)  # fmt: skip


def entry(bd_rate: float) -> str:
    """A cell of the table; blank where the BD-rate was refused."""
    return BLANK if math.isnan(bd_rate) else number(bd_rate, 1).text


if __name__ == "__main__":
    main()

"""Figures 3, 4, 5 and 7: codebook use, entropy coding, the latent's vectors, and rate ranges."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from harness.errors import HarnessError
from harness.metrics.scorer import Scorer
from harness.report.figures import COLUMN_WIDTH, PAGE_WIDTH
from harness.report.style import STYLES

from ...presets import PRESETS
from .sheet import Sheet
from .subject import Photograph, Subject, bpp, entropy, names

COLOR, OTHER_COLOR = STYLES["progic"].color, "#333333"

STAGES_SHOWN = 5
VECTORS = 500
"""How many vectors of each kind t-SNE places; its time grows faster than their number."""

PERPLEXITY = 30
ENOUGH_A_WORD = 20
"""From this many indices a word on, the entropy of a sample is within 0.05 bits of the truth."""

RATE_PRESETS = ("progic", "progic-n16-f32", "progic-n48-f64")


def codebook_entropy(subject: Subject, photographs: Sequence[Photograph]) -> Sheet:
    """Figure 3: how evenly each codebook's words are used."""
    settings = subject.settings
    counts = np.zeros((settings.stages, settings.words))
    for photograph in photographs:
        for stage, indices in enumerate(subject.indices(photograph.image)):
            counts[stage] += np.bincount(indices.ravel(), minlength=settings.words)
    usage = subject.network.quantizer.usage.numpy()
    in_training = [entropy(row) for row in usage] if subject.steps != 0 else None
    stages = np.arange(1, settings.stages + 1)
    measured = [entropy(row) for row in counts]
    figure = Figure(figsize=(COLUMN_WIDTH, 2.5), layout="constrained")
    ax = figure.subplots()
    ax.bar(stages, measured, 0.6, color=COLOR, label="on these photographs")
    if in_training:
        ax.plot(stages, in_training, "D", color=OTHER_COLOR, label="over the training", ms=4)
    ax.axhline(settings.index_bits, color=OTHER_COLOR, lw=0.8, ls="--", label="most possible")
    if settings.stages <= STAGES_SHOWN:
        for stage, bits in enumerate(measured, 1):
            ax.annotate(f"{bits:.2f}", (stage, bits / 2), ha="center", color="white")
    ax.set(xlabel="Codebook", ylabel="Entropy (bits)", ylim=(0, settings.index_bits * 1.02))
    ax.set_xticks(subject.shown_stages(12))
    figure.legend(loc="outside upper center", ncols=3, handlelength=1.4, columnspacing=1)
    a_word = counts[0].sum() / settings.words
    few = " Too few: the bars are below the truth." if a_word < ENOUGH_A_WORD else ""
    rows = [
        {
            "stage": stage,
            "entropy_bits": measured[stage - 1],
            "training_entropy_bits": in_training[stage - 1] if in_training else None,
            "words_used": int((counts[stage - 1] > 0).sum()),
            "words": settings.words,
            "indices": int(counts[stage - 1].sum()),
        }
        for stage in stages.tolist()
    ]
    about = f"{names(photographs)}: {a_word:.1f} indices a word.{few}"
    return Sheet("figure-3-codebook-entropy", figure, rows, about)


def entropy_coding(subject: Subject, photographs: Sequence[Photograph]) -> Sheet:
    """Figure 4: R-D curves with the indices packed and range coded; the images are the same."""
    scorer = Scorer(("dists", "psnr"))
    range_coded = subject.codec(range_coding=True)
    stages = range(1, subject.settings.stages + 1)
    values: list[dict[str, list[float]]] = [
        {"packed": [], "range coded": [], "dists": [], "psnr": []} for _ in stages
    ]
    for photograph in photographs:
        image, reference = photograph.image, scorer.reference(photograph.image)
        both = zip(
            values,
            subject.prefixes(image),
            subject.prefixes(image, codec=range_coded),
            strict=True,
        )
        for of_stage, packed, coded in both:
            scores = scorer.score(reference, subject.decode(packed))
            of_stage["packed"].append(bpp(packed, image))
            of_stage["range coded"].append(bpp(coded, image))
            for name, score in scores.items():
                of_stage[name].append(np.nan if score.value is None else score.value)
    means = [{name: fmean(column) for name, column in row.items()} for row in values]
    figure = Figure(figsize=(PAGE_WIDTH, 2.7), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, (metric, label) in zip(
        axes, (("dists", "DISTS ↓"), ("psnr", "PSNR (dB) ↑")), strict=True
    ):
        quality = [row[metric] for row in means]
        lines = (("packed", "o-", COLOR), ("range coded", "s--", OTHER_COLOR))
        for coding, mark, color in lines:
            rates = [row[coding] for row in means]
            ax.plot(rates, quality, mark, color=color, label=coding, markerfacecolor="none")
        ax.set(xlabel="Bits per pixel", ylabel=label, xlim=(0, None))
        ax.grid(visible=True)
        ax.legend()
    gain = 1 - means[-1]["range coded"] / means[-1]["packed"]
    rows = [{"stage": stage, **row} for stage, row in zip(stages, means, strict=True)]
    verb = "saves" if gain >= 0 else "costs"
    about = (
        f"Means over {names(photographs)}. With all stages, range coding by the frequencies "
        f"in the checkpoint {verb} {abs(gain):.1%}."
    )
    return Sheet("figure-4-entropy-coding", figure, rows, about)


def latent_map(subject: Subject, photographs: Sequence[Photograph]) -> Sheet:
    """Figure 5: t-SNE of the latent, of the first stage's words and of the later ones.

    One embedding holds all of them, so that the panels can be compared.

    Raises:
        HarnessError: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
    except ModuleNotFoundError as error:
        remedy = "pip install 'codec-harness[progic]'"
        raise HarnessError("t-SNE needs scikit-learn", remedy) from error
    kinds = _vectors(subject, photographs)
    embedding = TSNE(2, perplexity=PERPLEXITY, init="pca", random_state=0)
    placed = embedding.fit_transform(np.concatenate(list(kinds.values())))
    panels = dict(zip(kinds, np.split(placed, len(kinds)), strict=True))
    columns = -(-len(panels) // 2)
    size = PAGE_WIDTH * 0.8
    figure = Figure(figsize=(size, size / columns * 2 + 0.6), layout="constrained")
    axes = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[], box_aspect=1)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    for ax, (kind, points) in zip(axes.flat, panels.items(), strict=False):
        ax.scatter(*placed.T, s=1, color="#e4e4e4", linewidths=0, rasterized=True)
        ax.scatter(*points.T, s=3, color=COLOR, linewidths=0, alpha=0.8, rasterized=True)
        ax.set_title(kind)
    rows = [
        {"vectors": kind.replace("$", ""), "x": x, "y": y}
        for kind, points in panels.items()
        for x, y in points.tolist()
    ]
    about = (
        f"{len(next(iter(panels.values())))} positions of {names(photographs)}; one t-SNE, "
        f"perplexity {PERPLEXITY}, of all panels; grey: the other panels."
    )
    return Sheet("figure-5-tsne", figure, rows, about)


def rate_ranges(subject: Subject, photograph: Photograph) -> Sheet:
    """Figure 7: the rates that N, L and f give; bytes of real encodes, whatever the weights."""
    presets = [*RATE_PRESETS, *({subject.preset} - set(RATE_PRESETS))]
    figure = Figure(figsize=(PAGE_WIDTH, 0.62 * len(presets) + 0.9), layout="constrained")
    ax = figure.subplots()
    rows: list[dict[str, Any]] = []
    for place, preset in enumerate(presets):
        settings = PRESETS[preset]
        one = subject if preset == subject.preset else Subject(f"random:{preset}")
        rates = [bpp(stream, photograph.image) for stream in one.prefixes(photograph.image)]
        step = float(settings.stage_bpp)
        rows += [
            {"preset": preset, "stage": n, "bpp": rate, "equation_1_bpp": n * step}
            for n, rate in enumerate(rates, 1)
        ]
        ax.hlines(place, 0, rates[-1], color="#cccccc", lw=1)
        ax.plot(rates, [place] * len(rates), "|", color=COLOR, ms=11, mew=1.1)
        ax.annotate(
            f"{preset}: N = {settings.stages}, L = {settings.index_bits}, f = {settings.factor}; "
            f"steps of {step:.4g}, from {rates[0]:.4f} to {rates[-1]:.4f} bpp",
            (0, place),
            (0, 9),
            textcoords="offset points",
            va="bottom",
        )
    ax.set(xlabel="Bits per pixel", yticks=[], xlim=(0, None), ylim=(len(presets) - 0.6, -0.7))
    ax.spines[["left", "top", "right"]].set_visible(False)
    height, width, _ = photograph.image.shape
    about = (
        f"Rates do not depend on the weights. Real bytes with the header, {width} x {height}; "
        "Equation 1 counts neither it nor the filling up to whole squares of f x f pixels."
    )
    return Sheet("figure-7-rate-ranges", figure, rows, about)


def _vectors(
    subject: Subject, photographs: Sequence[Photograph]
) -> dict[str, npt.NDArray[np.float32]]:
    """Vectors of the same random positions, by what they are: latent, then words."""
    stages = subject.shown_stages(STAGES_SHOWN)
    codebooks = subject.network.quantizer.codebooks.detach().numpy()
    latent: list[npt.NDArray[np.float32]] = []
    indices: list[npt.NDArray[np.uint16]] = []
    for photograph in photographs:
        height, width = (
            side // subject.settings.factor * subject.settings.factor
            for side in photograph.image.shape[:2]
        )
        image = np.ascontiguousarray(photograph.image[:height, :width])
        latent.append(subject.latent(image))
        indices.append(subject.indices(image).reshape(subject.settings.stages, -1))
    all_latent, all_indices = np.concatenate(latent), np.concatenate(indices, 1)
    count = min(VECTORS, len(all_latent))
    chosen = np.random.default_rng(0).choice(len(all_latent), count, replace=False)
    kinds = {"latent $y$": all_latent[chosen]}
    for stage in stages:
        name = r"first stage $\hat{y}_1$" if stage == 1 else f"residual, stage {stage}"
        kinds[name] = codebooks[stage - 1][all_indices[stage - 1, chosen]]
    return kinds

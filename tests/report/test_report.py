"""What is claimed of figures and of the whole report."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
from made_results import changed, curve, real_results, together
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from skimage.color import rgb2lab

from harness.analysis.panels import rd_panels
from harness.errors import HarnessError, UnknownName
from harness.report import write_report
from harness.report.figures import draw_image_set, draw_panel, uses_log_axis
from harness.report.style import MARKERS, STYLES, legend_order, style_of

RATES = [0.1, 0.2, 0.4, 0.8, 1.6]
PSNR = [28.0, 31.0, 34.0, 37.0, 40.0]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    random = curve("glc", RATES, PSNR, weights="random", dataset="photographs")
    return out, write_report(together(real_results(), random), out)


def test_every_path_that_is_returned_was_written_and_nothing_else(report):
    out, paths = report
    assert set(paths) == {path for path in out.rglob("*") if path.is_file()}
    assert all(path.stat().st_size > 0 for path in paths)
    assert {"rd-photographs-psnr.pdf", "rd-photographs-psnr.png"} <= {p.name for p in paths}


def test_the_fonts_in_the_pdf_are_truetype(report):
    pdf = next(p for p in report[1] if p.suffix == ".pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_the_same_results_give_the_same_bytes(report, tmp_path):
    out, paths = report
    random = curve("glc", RATES, PSNR, weights="random", dataset="photographs")
    again = write_report(together(real_results(), random), tmp_path)
    assert {p.relative_to(tmp_path): p.read_bytes() for p in again} == {
        p.relative_to(out): p.read_bytes() for p in paths
    }


def test_the_page_needs_no_network_and_its_data_reads(report):
    page = report[1][0].read_text(encoding="utf-8")
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)|url\(([^)]+)""", page)
    assert all(a.startswith(("data:image/png;base64,", "#")) for a, _ in loaded)
    assert "@import" not in page
    data = re.search(r'<script type="application/json" id="panels">(.*?)</script>', page, re.DOTALL)
    panels = json.loads(data[1])
    assert [line["title"] for line in panels[0]["lines"]] == ["AVIF", "WebP", "JPEG"]
    assert len(panels[0]["lines"][0]["points"]) == 6


def test_the_markdown_page_shows_figures_that_were_written_and_every_table(report):
    out, _ = report
    text = (out / "report.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert shown
    assert all((out / figure).is_file() for figure in shown)
    for table in out.glob("tables/*.md"):
        assert table.read_text(encoding="utf-8").strip() in text
    assert text.count("<details>") == text.count("</details>") > 0


def test_random_weights_are_in_the_runtime_table_and_nowhere_else(report):
    out, paths = report
    holding = {p.stem for p in paths if p.suffix == ".csv" and "GLC" in p.read_text()}
    assert holding == {"runtime-photographs"}
    assert "glc,random" in (out / "tables" / "coverage.csv").read_text()


def test_names_with_markup_in_them_stay_names(tmp_path):
    title = "</script><script>alert(1)</script>"
    frame = curve("evil", RATES, PSNR, title=title, dataset="a/../b <x>")
    index = write_report(frame, tmp_path)[0]
    page = index.read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert all(p.is_relative_to(tmp_path) for p in tmp_path.rglob("*"))
    assert (tmp_path / "figures" / "rd-a-..-b--x--psnr.png").is_file()


def test_a_run_in_which_everything_failed_is_a_report_of_failures(tmp_path):
    paths = write_report(curve("vtm", RATES, PSNR, status="unavailable"), tmp_path)
    assert "unavailable" in paths[0].read_text()
    assert not [p for p in paths if p.suffix == ".png"]


def test_empty_results_are_refused(tmp_path):
    with pytest.raises(HarnessError, match="no case"):
        write_report(real_results().head(0), tmp_path)


def test_an_unknown_anchor_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UnknownName, match="did you mean jpeg"):
        write_report(real_results(), tmp_path, anchor="jpegg")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"cannot write the report to .*file"):
        write_report(curve("jpeg", RATES, PSNR), tmp_path / "file")


def many_codecs(count: int) -> pd.DataFrame:
    names = [*STYLES, *(f"new-codec-{n}" for n in range(count))][:count]
    return together(
        *(curve(name, [r * (1 + n / 9) for r in RATES], PSNR) for n, name in enumerate(names))
    )


@pytest.mark.parametrize("count", [1, 2, 5, 18, 26])
def test_the_legend_never_covers_the_curves(count):
    figure = draw_panel(rd_panels(many_codecs(count))[0])
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    axes = figure.axes[0].get_tightbbox()
    box = legend.get_window_extent()
    assert not box.overlaps(axes)
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= 0
    assert figure.axes[0].bbox.height > 0.4 * figure.bbox.height or count > 18


def test_long_names_take_fewer_columns_and_stay_inside():
    frame = many_codecs(9)
    frame["title"] = "A codec with a name, " + frame["codec"]
    figure = draw_panel(rd_panels(frame)[0])
    FigureCanvasAgg(figure).draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert not box.overlaps(figure.axes[0].get_tightbbox())


@pytest.mark.parametrize("metrics", [2, 4, 5])
def test_nor_does_that_of_a_whole_image_set(metrics):
    frame = many_codecs(18)
    for name in ("lpips", "ms_ssim", "dists", "clip_iqa")[: metrics - 1]:
        frame[name] = frame["psnr"] / 50
    figure = draw_image_set(rd_panels(frame))
    FigureCanvasAgg(figure).draw()
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    assert len(legends) == 1
    box = legends[0].get_window_extent()
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes if axes.lines)
    assert box.x1 <= figure.bbox.x1


def test_a_codec_looks_the_same_whatever_stands_beside_it():
    alone, among = (
        draw_panel(rd_panels(many_codecs(1))[0]),
        draw_panel(rd_panels(many_codecs(9))[0]),
    )

    def looks(figure):
        return {
            line.get_label(): (line.get_color(), line.get_marker()) for line in figure.axes[0].lines
        }

    assert looks(alone).items() <= looks(among).items()


def test_no_two_known_codecs_look_alike():
    assert len(set(STYLES.values())) == len(STYLES)
    assert len({(style.color, style.marker) for style in STYLES.values()}) == len(STYLES)


# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as a dichromat sees it.
DICHROMATS = {
    "protanope": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranope": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


@pytest.mark.parametrize("reader", DICHROMATS)
def test_codecs_whose_colours_a_colour_blind_reader_confuses_differ_in_shape(reader):
    def seen(color):
        encoded = np.array(to_rgb(color))
        linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
        light = np.clip(np.array(DICHROMATS[reader]) @ linear, 0, 1)
        again = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        return rgb2lab(again[None, None])[0, 0]

    def shape(style):
        round_or_not = "round" if style.marker in "oph" else style.marker
        return round_or_not, style.classical

    for one, other in itertools.combinations(STYLES.values(), 2):
        near = np.linalg.norm(seen(one.color) - seen(other.color)) < 15
        assert not near or shape(one) != shape(other)


def test_variants_have_the_colour_of_their_codec_and_another_marker():
    for name, base in (
        ("jpeg-444", "jpeg"),
        ("jpeg-xl-e9", "jpeg-xl"),
        ("ms-illm@a.ckpt", "ms-illm"),
    ):
        assert style_of(name).color == STYLES[base].color
        assert style_of(name).marker != STYLES[base].marker
        assert style_of(name).marker in MARKERS
        assert legend_order(name) > legend_order(base)


def test_a_codec_nobody_knows_has_a_look_of_its_own_that_stays():
    # The literal is the claim: a figure redrawn in years has the same colours.
    assert (style_of("my-codec").color, style_of("my-codec").marker) == ("#228833", "D")


def test_bitrates_that_span_much_are_drawn_on_a_logarithmic_axis():
    assert uses_log_axis(rd_panels(curve("jpeg", RATES, PSNR))[0])
    narrow = curve("jpeg", [0.5, 0.6, 0.8, 1.0, 1.2], PSNR)
    assert not uses_log_axis(rd_panels(narrow)[0])


def test_all_lines_of_a_panel_are_means_over_the_same_images():
    short = changed(curve("webp", RATES, PSNR), {"image": "two", "rate": "r0"}, status="crashed")
    (panel,) = rd_panels(together(curve("jpeg", RATES, PSNR), short))
    assert panel.images == 2
    assert panel.notes == ("means over the 2 of 3 images that every codec has",)
    expected = np.array(RATES) * (1 + 1.2) / 2
    assert all(line.bpp == pytest.approx(expected) for line in panel.lines)


def test_a_codec_with_few_images_does_not_take_them_from_the_others():
    images = [f"i{n}" for n in range(8)]
    few = curve("webp", RATES, PSNR, images=images[:3])
    (panel,) = rd_panels(together(curve("jpeg", RATES, PSNR, images=images), few))
    assert [line.codec for line in panel.lines] == ["jpeg"]
    assert panel.images == 8
    assert "webp left out: 3 complete images, others have 8" in panel.notes


def test_lines_computed_in_another_way_are_left_out_of_the_panel_and_noted():
    frame = together(
        curve("jpeg", RATES, PSNR),
        curve("webp", RATES, PSNR),
        curve("avif", RATES, PSNR, psnr_card="psnr-2"),
    )
    (panel,) = rd_panels(frame)
    assert [line.codec for line in panel.lines] == ["jpeg", "webp"]
    assert "avif left out" in panel.notes[0]


def test_values_computed_in_two_ways_share_no_line():
    mixed = changed(curve("jpeg", RATES, PSNR), {"image": "two"}, psnr_card="psnr-2")
    assert rd_panels(mixed) == []

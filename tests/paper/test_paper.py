"""A paper's tables from what was measured: complete, partial, and never made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_results import changed, curve, together

from harness.errors import HarnessError, UnknownName
from harness.paper.bdrates import bd_part
from harness.paper.crops import Box, most_different_box, most_different_image, near_rate, of_image
from harness.paper.figures import draw_grid, paper_panels
from harness.paper.protocol import find_protocol
from harness.paper.rates import coverage, rates_reproduction
from harness.paper.reference import load_reference
from harness.paper.results import select_results
from harness.paper.runtime import TIMES, runtime_parts
from harness.paper.write import PaperOptions, paper_tables
from harness.paths import data_folder
from harness.report.latex import latex
from harness.report.render import csv_text, markdown
from harness.report.tables import BLANK

PROTOCOL = find_protocol("progic", data_folder("protocols"))
REFERENCE = load_reference()
RATES = [0.05, 0.1, 0.2, 0.4, 0.8]
DISTS = [0.25, 0.2, 0.15, 0.1, 0.05]
DATASETS = list(PROTOCOL.datasets)


def measured(codec, factor=1.0, dataset="kodak", **values):
    rates = [rate * factor for rate in RATES]
    return curve(codec, rates, DISTS, "dists", dataset=dataset, dists_card="dists-1", **values)


def everywhere(codec, factor=1.0):
    return together(*(measured(codec, factor, dataset) for dataset in DATASETS))


def part(frame, metric="dists", also=("all",), **options):
    return bd_part(select_results(frame, PROTOCOL, also), REFERENCE, metric, **options)


def cell(table, row, key):
    at = [column.key for column in table.columns].index(key)
    return next(cells[at] for cells in table.rows if cells[0].text == row)


def pair(table, *where):
    rows = [c for c in table.rows if [x.text for x in c[: len(where)]] == list(where)]
    assert len(rows) == 1
    return dict(zip([column.key for column in table.columns], rows[0], strict=True))


def test_the_table_has_the_papers_rows_and_an_average_over_all_data_sets():
    table = part(together(everywhere("ms-illm"), everywhere("progic", 0.5))).table
    assert [cells[0].text for cells in table.rows] == [
        "HiFiC", "Control-GIC", "MS-ILLM", "DiffEIC", "OSCAR", "ProGIC-s", "ProGIC",
    ]  # fmt: skip
    assert cell(table, "ProGIC", "div2k").value == pytest.approx(-50)
    assert cell(table, "ProGIC", "average").value == pytest.approx(-50)
    assert cell(table, "ProGIC", "average").place == 1
    assert cell(table, "MS-ILLM", "average").place == 2
    assert cell(table, "HiFiC", "codec").note == "not measured"


def test_an_average_over_some_data_sets_is_blank():
    frame = together(everywhere("ms-illm"), measured("progic", 0.5))
    table = part(frame).table
    assert cell(table, "ProGIC", "kodak").value == pytest.approx(-50)
    assert cell(table, "ProGIC", "tecnick").note == "not measured"
    assert cell(table, "ProGIC", "average").value is None


def test_without_the_anchor_there_is_no_figure_and_the_table_says_so():
    table = part(measured("progic")).table
    assert all(c.value is None for cells in table.rows for c in cells)
    assert cell(table, "ProGIC", "kodak").note == "the anchor MS-ILLM not measured"
    assert "The anchor MS-ILLM was not measured" in markdown(table)


def test_another_anchor_is_named_and_never_set_against_the_published_figures():
    frame = together(measured("jpeg"), measured("progic", 0.5))
    made = part(frame, anchor="jpeg")
    assert "anchor JPEG" in made.table.title
    assert "these are not the paper's figures" in markdown(made.table)
    reproduction = pair(made.reproduction, "ProGIC", "Kodak")
    assert reproduction["measured"].value == pytest.approx(-50)
    assert reproduction["published"].value == -57.57
    assert reproduction["difference"].value is None
    assert "another anchor" in reproduction["why"].text


def test_an_anchor_that_was_not_measured_is_refused_by_name():
    with pytest.raises(UnknownName, match="did you mean progic"):
        part(measured("progic"), anchor="progi")


def test_measured_published_only_and_missing_are_kept_apart():
    reproduction = part(together(everywhere("ms-illm"), everywhere("progic", 0.5))).reproduction
    progic = pair(reproduction, "ProGIC", "Kodak")
    assert progic["state"].text == "measured"
    assert progic["difference"].value == pytest.approx(-50 - -57.57)
    assert "over 3 images" in progic["why"].text
    assert "Table 1, ProGIC, Kodak" in progic["source"].text
    hific = pair(reproduction, "HiFiC", "CLIC")
    assert (hific["state"].text, hific["measured"].value) == ("published only", None)
    assert hific["published"].value == 124.45
    oscar = pair(reproduction, "OSCAR", "DIV2K")
    assert oscar["state"].text == "missing"
    assert "a dash in the document" in oscar["why"].text
    assert "Of 35 numbers: 10 measured; 22 published only; 3 missing." in markdown(reproduction)


def test_no_figure_on_lpips_is_taken_for_published():
    reproduction = part(everywhere("ms-illm"), "lpips").reproduction
    assert all(cells[3].value is None for cells in reproduction.rows)


def test_control_gic_is_excluded_below_its_bitrate_and_the_table_says_so():
    frame = together(everywhere("ms-illm"), everywhere("control-gic"))
    table = part(frame).table
    assert "control-gic under 0.15 bpp excluded: r0, r1" in cell(table, "Control-GIC", "kodak").note
    assert "Rate points of control-gic under 0.15 bpp are excluded." in markdown(table)


def three_points(codec, factor):
    rates = [rate * factor for rate in RATES[1:4]]
    return together(
        *(
            curve(codec, rates, DISTS[1:4], "dists", dataset=name, dists_card="dists-1")
            for name in DATASETS
        )
    )


def test_three_rate_points_give_a_figure_with_a_footnote_in_every_format():
    found = part(together(everywhere("ms-illm"), three_points("hific", 1.5)))
    figure = cell(found.table, "HiFiC", "kodak")
    assert figure.value == pytest.approx(50)
    assert figure.note == "hific has 3 rate points, 4 are usual"
    for table in (found.table, *found.details):
        for render in (markdown, latex, csv_text):
            assert figure.note in render(table)
        assert "Curves of 3 rate points are allowed, where 4 are usual." in markdown(table)


def test_three_rate_points_are_refused_where_the_protocol_does_not_allow_them():
    strict = replace(PROTOCOL, bdrate=replace(PROTOCOL.bdrate, min_points=4))
    frame = together(everywhere("ms-illm"), three_points("hific", 1.5))
    table = bd_part(select_results(frame, strict, ("all",)), REFERENCE, "dists").table
    assert cell(table, "HiFiC", "kodak").value is None
    assert cell(table, "HiFiC", "codec").note == "fewer than 4 rate points"
    assert "3 rate points" not in markdown(table)


def test_random_weights_never_enter_a_table_of_quality():
    frame = together(everywhere("ms-illm"), measured("progic", 0.5, weights="random"))
    made = part(frame)
    assert cell(made.table, "ProGIC", "kodak").value is None
    assert "random weights" in cell(made.table, "ProGIC", "kodak").note
    assert not any(line.codec == "progic" for p in paper_panels(select_results(frame, PROTOCOL))
                   for line in p.lines)  # fmt: skip


def test_why_a_codec_failed_is_said_in_its_records_words():
    failed = measured("oscar", status="out_of_memory", message="needs 90 GB")
    table = coverage(select_results(together(everywhere("ms-illm"), failed), PROTOCOL))
    assert cell(table, "OSCAR", "kodak").note == "out of memory: needs 90 GB"
    assert cell(table, "MS-ILLM", "kodak").value == 3


def test_codecs_beside_the_protocols_are_shown_unless_they_are_not_wanted():
    frame = together(everywhere("ms-illm"), everywhere("jpeg"), everywhere("webp"))
    rows = {also: [c[0].text for c in part(frame, also=also).table.rows][7:]
            for also in [("all",), ("webp",), ("none",)]}  # fmt: skip
    assert rows == {("all",): ["JPEG", "WEBP"], ("webp",): ["WEBP"], ("none",): []}
    with pytest.raises(HarnessError, match="'webpp' is not in the results"):
        part(frame, also=("webpp",))


def test_two_checkpoints_of_a_codec_are_two_rows():
    frame = together(
        everywhere("ms-illm"),
        measured("progic", 0.5, weights="pretrained", checkpoint="a.pt"),
        measured("progic", 0.6, weights="pretrained", checkpoint="b.pt"),
    )
    table = part(frame).table
    assert cell(table, "ProGIC@a.pt", "kodak").value == pytest.approx(-50)
    assert cell(table, "ProGIC@b.pt", "kodak").value == pytest.approx(-40)
    assert "ProGIC" not in [cells[0].text for cells in table.rows]


def runtime(*frames, **options):
    return runtime_parts(select_results(together(*frames), PROTOCOL), REFERENCE, **options)


def sized(codec, resolution="512x768", **values):
    height, width = map(int, resolution.split("x"))
    size = {"resolution": resolution, "height": height, "width": width}
    return measured(codec, weights="random", **{**size, **values})


def test_runtimes_stand_under_their_resolution_best_and_second_marked():
    ((table, _),) = runtime(
        sized("progic", encode_ms=8.0),
        sized("progic-s", encode_ms=6.0),
        sized("hific", encode_ms=500.0),
        sized("progic", "2160x3840", encode_ms=80.0),
    )
    assert cell(table, "ProGIC-s", "encode_ms_512x768").place == 1
    assert cell(table, "ProGIC", "encode_ms_512x768").place == 2
    assert cell(table, "ProGIC", "encode_ms_2160x3840").value == 80.0
    assert "random weights" in cell(table, "ProGIC", "codec").note
    assert r"\multicolumn{3}{c}{512$\times$768}" in latex(table)
    assert r"\cmidrule(lr){2-4}\cmidrule(lr){5-7}" in latex(table)
    assert f"512{TIMES}768 Enc." in markdown(table)


def test_native_photographs_of_that_size_count_upright_or_not():
    native = measured("progic", height=768, width=512, encode_ms=8.0)
    ((table, _),) = runtime(native)
    assert cell(table, "ProGIC", "encode_ms_512x768").value == 8.0


def test_slow_and_out_of_memory_are_marked_as_in_the_paper():
    slow = sized("vtm", encode_ms=25_000.0)
    full = sized("oscar", "2160x3840", status="out_of_memory", encode_ms=None, decode_ms=None)
    ((table, reproduction),) = runtime(slow, full, device_gb=80)
    assert cell(table, "VTM-23.10", "encode_ms_512x768").text == "> 10s"
    assert cell(table, "VTM-23.10", "encode_ms_512x768").place == 0
    assert "25000" in csv_text(table)
    assert cell(table, "OSCAR", "memory_gb_2160x3840").text == "> 80"
    assert cell(table, "OSCAR", "encode_ms_2160x3840").text == BLANK
    vtm = pair(reproduction, "VTM-23.10", f"512{TIMES}768", "Enc. (ms)")
    assert (vtm["published"].text, vtm["difference"].value) == ("> 10s", None)
    assert pair(reproduction, "OSCAR", f"2160{TIMES}3840", "Mem. (GB)")["state"].text == "measured"


def test_a_pass_that_timed_out_says_so_and_the_other_keeps_its_time():
    cut = sized("diffeic", status="timeout", reason="decode", encode_ms=200.0, decode_ms=None)
    ((table, _),) = runtime(cut)
    assert cell(table, "DiffEIC", "encode_ms_512x768").value == 200.0
    assert cell(table, "DiffEIC", "decode_ms_512x768").note == "timed out"


def test_the_reproduction_of_runtimes_gives_the_difference_in_percent_and_names_the_machine():
    ((_, reproduction),) = runtime(sized("progic", encode_ms=15.28))
    row = pair(reproduction, "ProGIC", f"512{TIMES}768", "Enc. (ms)")
    assert row["difference"].value == pytest.approx(100)
    assert "NVIDIA A100" in markdown(reproduction)


def test_two_machines_have_two_tables():
    assert len(runtime(sized("progic"), sized("hific", machine="m2"))) == 2


def test_a_codec_in_two_environments_has_two_rows_and_each_says_which():
    ((table, reproduction),) = runtime(
        sized("hific", environment="docker:hific@1a2b", encode_ms=500.0),
        sized("hific", environment="venv:hific@1a2b", encode_ms=400.0),
        sized("progic", encode_ms=8.0),
    )
    at = [column.key for column in table.columns].index("encode_ms_512x768")
    rows = [(cells[0].text, cells[1].text, cells[at].value) for cells in table.rows]
    assert ("HiFiC", "docker hific", 500.0) in rows
    assert ("HiFiC", "venv hific", 400.0) in rows
    assert ("ProGIC", "inline", 8.0) in rows
    assert sum(name == "HiFiC" for name, *_ in rows) == 2
    where = "HiFiC (venv hific, recipe 1a2b)", f"512{TIMES}768", "Enc. (ms)"
    assert pair(reproduction, *where)["measured"].value == 400.0


def test_without_any_runtime_the_published_ones_still_stand_in_the_reproduction():
    ((table, reproduction),) = runtime(measured("jpeg"))
    assert all(c.value is None for cells in table.rows for c in cells)
    assert pair(reproduction, "ProGIC", f"512{TIMES}768", "Dec. (ms)")["published"].value == 10.99


def test_rate_points_stand_beside_published_ones_of_near_bitrate():
    frame = curve(
        "ms-illm", [0.045, 0.3], [0.14, 0.07], "dists", dataset="kodak", dists_card="dists-1",
        lpips=0.4, images=["one"],
    )  # fmt: skip
    reproduction = rates_reproduction(select_results(frame, PROTOCOL), REFERENCE)
    first = pair(reproduction, "MS-ILLM", "Kodak", "quality_1", "DISTS")
    assert first["difference"].value == pytest.approx(0.14 - 0.1346)
    assert "over 1 images" in first["why"].text
    other = pair(reproduction, "MS-ILLM", "Kodak", "quality_1", "LPIPS")
    assert other["difference"].value is None
    assert "another LPIPS: AlexNet's" in other["why"].text
    far = pair(reproduction, "MS-ILLM", "Kodak", "quality_6", "bpp")
    assert "no rate point near this bitrate" in far["why"].text


def test_the_grid_has_a_row_a_metric_and_a_column_a_data_set():
    panels = paper_panels(
        select_results(together(everywhere("ms-illm"), everywhere("jpeg")), PROTOCOL)
    )
    assert [p.image_set.title for p in panels] == ["Kodak", "Tecnick", "DIV2K", "CLIC"]
    figure = draw_grid(panels)
    assert len([axes for axes in figure.axes if axes.lines]) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["MS-ILLM", "JPEG"]


def test_every_table_prints_in_every_format():
    of = select_results(together(measured("jpeg"), sized("progic")), PROTOCOL)
    for tables in paper_tables(of, REFERENCE, PaperOptions()).values():
        for table in tables:
            assert latex(table).count("{") == latex(table).count("}")
            assert csv_text(table).splitlines()[0].startswith(table.columns[0].key)
            assert markdown(table).startswith("**")


def test_a_picture_shows_the_rate_point_nearest_to_the_bitrate():
    cases = near_rate(together(measured("jpeg"), measured("progic", 0.5)), ["progic", "jpeg"],
                      "dists", 0.09)  # fmt: skip
    one = of_image(cases, "one")
    assert list(one["codec"]) == ["progic", "jpeg"]
    assert list(one["rate"]) == ["r2", "r1"]


def test_the_most_different_image_is_the_one_on_which_codecs_differ_most():
    frame = together(measured("jpeg"), measured("progic"))
    frame = changed(frame, {"codec": "progic", "image": "two"}, dists=0.01)
    assert (
        most_different_image(near_rate(frame, ["jpeg", "progic"], "dists", 0.1), "dists") == "two"
    )
    with pytest.raises(UnknownName, match="did you mean two"):
        of_image(near_rate(frame, ["jpeg"], "dists", 0.1), "twoo")


@pytest.mark.parametrize("side", [15, 16])
def test_the_most_different_part_is_where_reconstructions_differ_most(side):
    flat = np.full((60, 90, 3), 128, dtype=np.uint8)
    other = flat.copy()
    other[30 : 30 + side, 50 : 50 + side] = 200
    box = most_different_box([flat, other], side)
    assert box == Box(50, 30, side, side)
    assert (box.of(other) == 200).all()


def test_results_without_a_case_are_refused():
    with pytest.raises(HarnessError, match="no case"):
        select_results(pd.DataFrame({"codec": []}), PROTOCOL)

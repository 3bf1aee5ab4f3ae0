"""What is claimed of tables, whatever they are printed as."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_results import changed, curve, real_results, together

from harness.analysis import BDOptions, bd_rates
from harness.catalog.metrics import METRICS
from harness.report import summary_table
from harness.report.bdtables import detail_tables, overview_tables
from harness.report.coverage import coverage_table, failures_table
from harness.report.latex import latex
from harness.report.rates import rate_tables
from harness.report.render import csv_text, markdown
from harness.report.runtime import runtime_tables
from harness.report.summary import summary
from harness.report.tables import BLANK, Cell, Column, Table, make_table, number, words

RATES = [0.1, 0.2, 0.4, 0.8, 1.6]
PSNR = [28.0, 31.0, 34.0, 37.0, 40.0]


def column(values, better="lower", decimals=1):
    cells = [v if isinstance(v, Cell) else number(v, decimals) for v in values]
    return make_table("t", "T", [Column("x", "X", better)], [[cell] for cell in cells])


def places(table):
    return [cells[0].place for cells in table.rows]


def find(table, codec, key):
    at = [c.key for c in table.columns].index(key)
    return next(cells[at] for cells in table.rows if cells[0].text == codec)


def test_the_best_and_the_second_follow_the_direction_of_the_column():
    assert places(column([3, 1, 2])) == [0, 1, 2]
    assert places(column([3, 1, 2], "higher")) == [1, 0, 2]
    assert places(column([3, 1, 2], None)) == [0, 0, 0]


def test_values_that_print_alike_rank_alike():
    assert places(column([1.01, 1.04, 2.0, 3.0])) == [1, 1, 2, 0]


def test_blanks_and_what_is_not_ranked_take_no_place():
    assert places(column([None, 1, float("nan"), 2])) == [0, 1, 0, 2]
    assert places(column([Cell("anchor", 0.0, ranked=False), 1, 2])) == [0, 1, 2]


def test_a_single_entry_is_not_the_best_of_anything():
    assert places(column([1, None])) == [0, 0]


def test_minus_zero_is_zero():
    assert number(-0.04, 1).text == "0.0"


def awkward():
    columns = [Column("codec", "A_b & c%", is_text=True), Column("x", "PSNR (dB) ↑", "higher")]
    rows = [
        [words("my_codec {50%} ~ #1 ^ \\x $", note="so_so"), number(-1.5, 1)],
        [words("a|b *c* <d>"), number(2.25, 2, note="100% sure")],
        [words(""), number(None, 1, note="so_so")],
    ]
    return make_table("a_table", "50% & more", columns, rows, ["R_1"])


def test_latex_has_its_special_characters_escaped_and_its_rules():
    text = latex(awkward())
    assert (
        r"my\_codec \{50\%\} \textasciitilde{} \#1 \textasciicircum{} \textbackslash{}x \$" in text
    )
    assert r"A\_b \& c\% & PSNR (dB) $\uparrow$ \\" in text
    assert r"\textbf{2.25}$^{2}$" in text
    assert r"\underline{$-$1.5}" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert text.count("{") == text.count("}")


def wide(rows):
    columns = [
        Column("codec", "Method", is_text=True),
        *(Column(f"n{k}", f"Number {k}") for k in range(4)),
        Column("why", "Why", is_text=True),
        Column("source", "Source", is_text=True),
    ]
    why = "not measured, and a reason of many words that no line of a page has room for " * 2
    path = "/a/folder/of/long_names/codec@checkpoint.safetensors:0123456789abcdef"
    row = [words("Codec"), *(number(1.5, 2) for _ in range(4)), words(why), words(path)]
    return make_table("wide", "Measured beside published", columns, [row] * rows, ["Remark"])


def test_latex_of_a_wide_table_breaks_its_words_within_the_page():
    text = latex(wide(3))
    (columns,) = re.findall(r"\\begin\{tabularx\}\{\\linewidth\}\{(.*)\}", text)
    ragged = r">{\raggedright\arraybackslash}X"
    assert columns == f"lrrrr{ragged}{ragged}"
    assert r"\begin{table*}" in text
    assert r"codec@\allowbreak{}checkpoint.\allowbreak{}safetensors" in text


def test_latex_of_a_long_table_goes_on_in_another_with_one_label_and_one_set_of_remarks():
    text = latex(wide(100))
    parts = text.count(r"\begin{table*}")
    assert parts > 1
    assert f"(1 of {parts})" in text
    assert f"({parts} of {parts})" in text
    assert text.count("Codec &") == 100
    assert text.count(r"\label") == text.count("Remark") == 1


def test_latex_of_many_numbers_is_scaled_to_the_page_and_no_column_of_names_is_squeezed():
    columns = [
        Column("codec", "Codec", is_text=True),
        *(Column(f"n{k}", f"N{k}") for k in range(9)),
    ]
    row = [words("codec@checkpoint-1000"), *(number(123456.789, 3) for _ in range(9))]
    text = latex(make_table("numbers", "Numbers", columns, [row]))
    assert r"\begin{table*}" in text
    assert r"\begin{adjustbox}{max width=\linewidth}\begin{tabular}{lrrrrrrrrr}" in text


def test_latex_of_a_small_table_is_one_table_in_a_column():
    text = latex(make_table("small", "Small", [Column("x", "X")], [[number(1.0, 1)]]))
    assert r"\begin{table}" in text
    assert " of " not in text
    assert r"\small" in text


def test_markdown_cells_keep_to_their_columns():
    text = markdown(awkward())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {3}
    assert "**2.25**<sup>2</sup>" in text
    assert r"\<d\>" in text
    assert "<sup>1</sup> so\\_so" in text


def test_no_name_becomes_html_or_a_mark_on_the_page_of_a_repository():
    table = replace(column([1, 2]), title="<script>alert(1)</script>", folded=True)
    text = summary("<b>bold</b>", "a_data_set <i>", [], {"Runtime": [table]})
    assert "<summary>&lt;script&gt;" in text
    assert not re.search(r"(?<!\\)<(script|b|i)>", text)
    assert r"a\_data\_set" in text


def test_csv_has_the_numbers_in_full_and_blanks_empty():
    frame = together(curve("anchor", RATES, PSNR), curve("test", [r / 3 for r in RATES], PSNR))
    cells = bd_rates(frame, METRICS["psnr"], "anchor", BDOptions(samples=50))
    text = csv_text(detail_tables(cells, BDOptions())[0])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [r["codec"] for r in rows] == ["ANCHOR", "TEST"]
    assert float(rows[1]["bd_rate"]) == pytest.approx(-100 * 2 / 3, rel=1e-12)
    assert rows[1]["points_codec"] == rows[1]["points_anchor"] == "5"
    assert rows[1]["interval_low"] == ""  # three images are too few


def test_csv_tells_the_points_of_the_codec_from_those_of_the_anchor():
    frame = together(curve("anchor", RATES, PSNR), curve("test", RATES[1:], PSNR[1:]))
    cells = bd_rates(frame, METRICS["psnr"], "anchor", BDOptions(samples=50))
    table = detail_tables(cells, BDOptions())[0]
    (row,) = [r for r in csv.DictReader(io.StringIO(csv_text(table))) if r["codec"] == "TEST"]
    assert (row["points_codec"], row["points_anchor"]) == ("4", "5")
    assert find(table, "TEST", "points").text == "4 / 5"


def test_a_refused_bd_rate_is_a_blank_with_its_reason_in_every_format():
    frame = together(curve("anchor", RATES, PSNR), curve("test", RATES[:2], PSNR[:2]))
    cells = bd_rates(frame, METRICS["psnr"], "anchor")
    detail = detail_tables(cells, BDOptions())[0]
    overview = overview_tables([cells], BDOptions())[0]
    for render in (markdown, csv_text, latex):
        assert "test has 2 rate points, 4 are needed" in render(detail)
        assert "fewer than 4 rate points" in render(overview)


def test_the_tables_say_what_was_excluded_and_that_only_the_pareto_front_was_used():
    options = BDOptions(pareto=True, exclude={"control-gic": 0.15}, samples=50)
    cells = bd_rates(
        together(curve("anchor", RATES, PSNR), curve("control-gic", RATES, PSNR)),
        METRICS["psnr"],
        "anchor",
        options,
    )
    text = markdown(detail_tables(cells, options)[0])
    assert "Only rate points on the Pareto front are used." in text
    assert "Rate points of control-gic under 0.15 bpp are excluded." in text


def test_rate_points_are_means_with_their_counts():
    frame = changed(real_results(), {"codec": "webp", "image": "coffee-left"}, status="timeout")
    table = rate_tables(frame)[0]
    jpeg = real_results().query("codec == 'jpeg' and rate == 'q10'")
    assert find(table, "JPEG", "bpp").value == pytest.approx(jpeg["bpp"].mean())
    assert find(table, "JPEG", "psnr").value == pytest.approx(jpeg["psnr"].mean())
    assert find(table, "WebP", "images").text == "7"
    assert find(table, "WebP", "images").note == "1 timeout"
    assert "not comparable" in table.remarks[0]


def test_a_mean_over_values_computed_in_different_ways_is_blank():
    frame = changed(curve("jpeg", RATES, PSNR), {"image": "two"}, psnr_card="psnr-2")
    cell = find(rate_tables(frame)[0], "JPEG", "psnr")
    assert cell.value is None
    assert "different ways" in cell.note


def test_random_weights_appear_only_in_the_runtime_table_and_are_marked():
    random = curve("glc", RATES, PSNR, weights="random")
    frame = together(curve("jpeg", RATES, PSNR), random)
    assert all("GLC" not in markdown(table) for table in rate_tables(frame))
    cell = find(runtime_tables(frame)[0], "GLC", "codec")
    assert cell.note == "random weights: speed and memory only"
    table = summary_table(frame)
    assert find(table, "GLC", "psnr").note == "random weights"
    assert find(table, "GLC", "encode_ms").value == 10.0


def test_slow_is_marked_and_csv_has_the_number():
    table = runtime_tables(curve("vtm", RATES, PSNR, encode_ms=25_000.0))[0]
    assert find(table, "VTM", "encode_ms").text == "> 10s"
    assert "25000" in csv_text(table)


def test_out_of_memory_is_marked_with_the_devices_memory():
    oom = curve("oscar", RATES, PSNR, status="out_of_memory", device="cuda", encode_ms=None)
    cell = find(runtime_tables(oom, device_gb=80)[0], "OSCAR", "encode_peak_gb")
    assert cell.text == "> 80"
    assert cell.note == "out of memory"
    assert find(runtime_tables(oom)[0], "OSCAR", "encode_peak_gb").text == "> memory"


def test_memory_is_the_largest_peak_of_the_device_or_else_of_the_process():
    on_gpu = curve(
        "hific",
        RATES,
        PSNR,
        device="cuda:0",
        encode_peak_device_bytes=3e9,
        decode_peak_device_bytes=4e9,
    )
    on_gpu = changed(on_gpu, {"rate": "r2"}, encode_peak_device_bytes=5e9)
    table = runtime_tables(on_gpu)[0]
    assert find(table, "HIFIC", "encode_peak_gb").text == "5.00"
    assert "device allocator" in table.remarks[0]
    assert (
        find(runtime_tables(curve("jpeg", RATES, PSNR))[0], "JPEG", "encode_peak_gb").text == "0.10"
    )


@pytest.mark.parametrize(("what", "value"), [("threads", 8), ("machine", "m2"), ("device", "cuda")])
def test_times_under_different_conditions_never_share_a_table(what, value):
    frame = together(curve("jpeg", RATES, PSNR), curve("webp", RATES, PSNR, **{what: value}))
    tables = runtime_tables(frame)
    assert [len(table.rows) for table in tables] == [1, 1]
    assert len({table.slug for table in tables}) == 2


HERE, THERE = "inline:pillow@13.0.0", "docker:jpeg@1a2b"


def test_times_of_a_codec_in_two_environments_never_share_a_row():
    frame = together(
        curve("jpeg", RATES, PSNR, environment=HERE, encode_ms=10.0),
        curve("jpeg", RATES, PSNR, environment=THERE, encode_ms=30.0),
        curve("webp", RATES, PSNR, environment="inline"),
    )
    (table,) = runtime_tables(frame)
    shown = [[cells[k].text for k in range(3)] for cells in table.rows]
    assert sorted(shown) == [
        ["JPEG", "docker jpeg", "30.0"],
        ["JPEG", "inline", "10.0"],
        ["WEBP", "inline", "10.0"],
    ]
    notes = {cells[1].text: cells[0].note for cells in table.rows if cells[0].text == "JPEG"}
    assert notes == {"inline": "with pillow 13.0.0", "docker jpeg": "recipe 1a2b"}
    assert find(table, "WEBP", "codec").note == ""


def test_two_versions_of_a_codecs_library_are_two_rows_with_a_footnote_each():
    frame = together(
        curve("jpeg", RATES, PSNR, environment=HERE),
        curve("jpeg", RATES, PSNR, environment="inline"),
    )
    (table,) = runtime_tables(frame)
    assert [cells[0].note for cells in table.rows] == [
        "versions of libraries not recorded",
        "with pillow 13.0.0",
    ]
    assert "environment" not in [column.key for column in table.columns]


def test_where_all_ran_inline_no_column_says_so():
    (table,) = runtime_tables(curve("jpeg", RATES, PSNR, environment=HERE))
    assert "environment" not in [column.key for column in table.columns]
    assert table.notes == []


def test_a_summary_has_no_median_of_times_taken_under_different_conditions():
    frame = together(
        curve("jpeg", RATES, PSNR, images=["one"]),
        curve("jpeg", RATES, PSNR, images=["two"], environment=THERE),
    )
    cell = find(summary_table(frame), "JPEG", "encode_ms")
    assert (cell.text, cell.value) == (BLANK, None)
    assert "different conditions" in cell.note


def test_every_case_is_counted_and_every_failure_has_its_reason():
    frame = changed(
        curve("jpeg", RATES, PSNR),
        {"image": "two", "rate": "r1"},
        status="crashed",
        reason="SIGSEGV",
        message="killed by signal 11; log at x",
    )
    frame = changed(frame, {"image": "one"}, blanks=json.dumps({"lpips": "no weights"}))
    coverage = coverage_table(frame)
    assert [c.text for c in coverage.rows[0]] == ["jpeg", "none", "15", "14", "1"]
    failures = [[c.text for c in cells] for cells in failures_table(frame).rows]
    assert ["jpeg", "crashed", "SIGSEGV", "1", "15", "killed by signal 11; log at x"] in failures
    assert ["jpeg", "lpips blank", BLANK, "5", "14", "no weights"] in failures


def test_a_complete_run_says_so_and_which_metrics_it_has():
    remarks = failures_table(curve("jpeg", RATES, PSNR)).remarks
    assert remarks[0] == "Every case ended ok and has a value of PSNR."
    assert remarks[1] == (
        "Without any value: MS-SSIM, LPIPS, DISTS, CLIP-IQA (not asked for, or not finished)."
    )


def test_values_that_one_invocation_did_not_ask_for_are_blank_in_the_report():
    """The same run, given first with DISTS for one codec, then without it for another."""
    frame = together(
        curve("jpeg", RATES, PSNR).assign(dists=0.1),
        curve("webp", RATES, PSNR),
        curve("glc", RATES, PSNR, weights="random"),
    )
    frame = changed(frame, {"image": "two", "codec": "jpeg"}, dists=np.nan,
                    blanks=json.dumps({"dists": "under 16 pixels"}))  # fmt: skip
    table = failures_table(frame)
    assert [[c.text for c in cells] for cells in table.rows] == [
        ["webp", "dists blank", BLANK, "15", "15", "not asked for, or not finished"],
        ["jpeg", "dists blank", BLANK, "5", "15", "under 16 pixels"],
    ]
    assert not any("Every case" in remark for remark in table.remarks)
    assert "Cases with random weights are never scored" in table.remarks[-1]


def test_two_checkpoints_of_a_codec_are_two_rows_and_per_rate_weights_are_one():
    mine = curve("ms-illm", RATES, PSNR, weights="pretrained", checkpoint="mine.ckpt")
    theirs = curve("ms-illm", RATES, PSNR, weights="pretrained")
    theirs["checkpoint"] = theirs["rate"] + ".ckpt"
    names = {cells[0].text for cells in rate_tables(together(mine, theirs))[0].rows}
    assert names == {"MS-ILLM", "MS-ILLM@mine.ckpt"}


def test_of_two_records_of_a_case_the_newest_counts():
    old = curve("jpeg", RATES, PSNR)
    later = pd.Timestamp("2026-02-01", tz="UTC")
    new = curve("jpeg", RATES, [p + 1 for p in PSNR], started=later)
    table = rate_tables(together(new, old))[0]
    assert find(table, "JPEG", "psnr").value == pytest.approx(29)
    assert find(table, "JPEG", "images").text == "3"


def test_one_row_is_enough_for_a_summary():
    table = summary_table(together(curve("jpeg", [0.5], [30.0], images=["one"])))
    assert isinstance(table, Table)
    assert [c.text for c in table.rows[0]] == ["JPEG", "r0", "1", "0.5000", "30.00", "10.0", "5.0"]

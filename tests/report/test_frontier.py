"""The table of the largest image that fits: what a search found, and why it ended."""

from __future__ import annotations

import pandas as pd
from made_results import row

from harness.report.frontier import frontier_table

TRIED = "tried"
ENDED = "no size above 4,000,000 pixels is tried"


def at(side, codec="jpeg", **values):
    return row(codec=codec, resolution=f"{side}x{side}", height=side, width=side, **values)


def texts(*records):
    table = frontier_table(pd.DataFrame(records))
    assert table is not None
    return [[cell.text for cell in cells] for cells in table.rows]


def test_a_codec_that_never_failed_stands_with_the_largest_size_and_why_the_search_ended():
    found = texts(at(1000, frontier=TRIED), at(2000, frontier=ENDED))
    assert found == [["JPEG", "2000x2000", "4.0", "\N{EN DASH}", ENDED]]


def test_a_codec_that_failed_stands_with_the_smallest_size_that_fails_and_how():
    found = texts(
        at(1000, frontier="an image of 1.10 times the pixels fails"),
        at(1050, frontier=TRIED, status="out_of_memory"),
        at(2000, frontier=TRIED, status="timeout"),
    )
    assert found == [["JPEG", "1000x1000", "1.0", "1050x1050", "out of memory"]]


def test_a_search_that_was_interrupted_is_not_taken_for_one_that_ended():
    assert texts(at(1000, frontier=TRIED))[0][-1] == "the search has not ended"


def test_a_codec_that_codes_nothing_fits_nothing():
    found = texts(at(64, frontier=TRIED, status="crashed"))
    assert found == [["JPEG", "none", "\N{EN DASH}", "64x64", "crashed"]]


def test_codecs_that_were_not_searched_are_left_out_beside_one_that_was():
    records = at(1000), at(500, codec="webp", frontier=ENDED)
    assert [cells[0] for cells in texts(*records)] == ["WEBP"]
    assert frontier_table(pd.DataFrame([at(1000), at(2000, status="unavailable")])) is None


def test_results_without_the_column_show_what_failed():
    assert texts(at(1000), at(2000, status="timeout")) == [
        ["JPEG", "1000x1000", "1.0", "2000x2000", "timeout"]
    ]

"""The published numbers: every one has its source, and reads as measured ones do."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from harness.analysis import bd_rates, curve_records
from harness.catalog.metrics import METRICS
from harness.errors import HarnessError
from harness.paper.reference import TABLES, load_reference
from harness.paths import data_folder

FOLDER = data_folder("results") / "reference"


@pytest.fixture(scope="module")
def reference():
    return load_reference()


@pytest.mark.parametrize("table", TABLES)
def test_every_number_names_its_source_and_the_place_in_it(reference, table):
    frame = getattr(reference, table)
    assert len(frame)
    assert set(frame["source"]) <= set(reference.sources)
    kind = frame["source"].map(lambda name: reference.sources[name].kind)
    assert (frame["cell"].ne("") | kind.eq("told")).all()


def test_the_tables_of_the_supplement_are_complete(reference):
    assert len(reference.bdrate) == 7 * 4
    assert len(reference.runtime) == 10 * 4 * 3
    assert reference.runtime["value"].isna().eq(reference.runtime["mark"].ne("")).all()


def test_the_figures_that_the_text_states_agree_with_the_tables(reference):
    progic = reference.runtime.query("codec == 'progic' and resolution == '2160x3840'")
    assert progic.query("quantity != 'memory_gb'")["value"].lt(200).all()  # "under 200 ms at 4K"
    best = reference.bdrate.loc[reference.bdrate.groupby("dataset")["percent"].idxmin(), "codec"]
    assert set(best) == {"progic"}  # "the best performance across all datasets"


def test_rate_points_have_the_columns_of_results_and_give_a_bd_rate(reference):
    records = reference.rate_records()
    kodak = curve_records(records)[lambda frame: frame["dataset"] == "kodak"]
    assert "hific" not in set(records["codec"])  # its rates were only aimed at
    own = kodak[kodak["codec"] == "ms-illm"]
    assert own["bpp"].is_monotonic_increasing
    (cell,) = bd_rates(own, METRICS["dists"], "ms-illm")
    assert cell.percent == 0.0


def test_published_values_are_never_compared_with_measured_ones(reference):
    ours = reference.rate_records().query("codec == 'ms-illm' and dataset == 'kodak'")
    ours = ours.assign(codec="ours", dists_card="dists-1")
    cells = bd_rates(
        pd.concat([reference.rate_records().query("dataset == 'kodak'"), ours]),
        METRICS["dists"],
        "ms-illm",
    )
    refused = next(cell for cell in cells if cell.codec == "ours")
    assert refused.reason == "the metric was computed in different ways"


def test_runtimes_have_the_columns_of_results_and_the_marks_are_statuses(reference):
    records = reference.runtime_records().set_index(["codec", "resolution"])
    assert len(records) == 40
    assert records.loc[("oscar", "2160x3840"), "status"] == "out_of_memory"
    assert records.loc[("hific", "2160x3840"), "status"] == "timeout"
    assert records.loc[("progic", "512x768"), "encode_ms"] == 7.64
    assert records.loc[("progic", "512x768"), "encode_peak_device_bytes"] == 0.66e9


def test_a_number_without_a_known_source_is_refused(tmp_path):
    folder = tmp_path / "reference"
    shutil.copytree(FOLDER, folder)
    path = folder / "bdrate.csv"
    path.write_text(path.read_text().replace("progic-supplement", "hearsay", 1))
    with pytest.raises(HarnessError, match="hearsay"):
        load_reference(folder)


def test_a_cell_that_is_not_a_number_is_refused(tmp_path):
    folder = tmp_path / "reference"
    shutil.copytree(FOLDER, folder)
    path = folder / "bdrate.csv"
    path.write_text(path.read_text().replace("-57.57", "-57.57%"))
    with pytest.raises(HarnessError, match="column percent"):
        load_reference(folder)

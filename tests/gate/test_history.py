"""A history has the checkpoints in their order, and marks the step where a metric changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_results import changed, real_results, together

from harness.errors import HarnessError, UnknownName
from harness.gate.history import histories, ordered
from harness.gate.history_report import change_lines, history_tables, write_history
from harness.gate.limits import Limits

QUICK = Limits(samples=1000)


def series(gains, name="step{}.pt"):
    """Real encodes of JPEG as if of a network's checkpoints, each better by so many dB."""
    frame = real_results()
    jpeg = frame[(frame["codec"] == "jpeg") & frame["rate"].isin(["q10", "q45"])]
    random = np.random.default_rng(0)
    return together(
        *(
            jpeg.assign(
                checkpoint=f"{name.format(5 * k)}:{str(k) * 16}",
                weights="pretrained",
                started=pd.Timestamp("2026-01-01", tz="UTC") - pd.Timedelta(days=k),
                psnr=jpeg["psnr"] + gain + 0.01 * random.standard_normal(len(jpeg)),
            )
            for k, gain in enumerate(gains, 1)
        )
    )


def labels(frame):
    checkpoints, by = ordered(frame)
    return [c.label for c in checkpoints], by


def test_the_step_where_a_metric_changed_is_marked():
    found, by = histories(series([0, 0, 0, -0.4, -0.4]), "jpeg", limits=QUICK)
    assert by == "name"
    assert [h.rate for h in found] == ["q10", "q45"]
    for history in found:
        (change,) = history.changes
        assert history.checkpoints[change.place].label == "step20"
        assert change.difference == pytest.approx(-0.4, abs=0.02)
        assert history.images == 8
    line = change_lines(found)[0]
    assert line.startswith(
        "photographs, PSNR at q10: worse from step15 to step20, \N{MINUS SIGN}0."
    )


def test_a_flat_history_has_no_marks():
    found, _ = histories(series([0] * 5), "jpeg", limits=QUICK)
    assert [h.changes for h in found] == [(), ()]


def test_checkpoints_are_ordered_by_the_numbers_in_their_names():
    assert labels(series([0, 0, 0])) == (["step5", "step10", "step15"], "name")


def test_where_names_do_not_decide_the_training_step_does():
    frame = series([0, 0, 0], name="best.pt")
    steps = {0: 300, 1: 100, 2: 200}
    place = frame["checkpoint"].str[-1].astype(int) - 1
    stated = frame.assign(facts=place.map(lambda k: f'{{"step": {steps[k]}}}'))
    names, by = labels(stated)
    assert by == "training step"
    assert len(set(names)) == 3
    assert ordered(stated)[0][0].id.endswith("2")


def test_where_nothing_else_decides_time_does():
    frame = series([0, 0, 0], name="best.pt").assign(facts="{}")
    checkpoints, by = ordered(frame)
    assert by == "time"
    assert [c.id[-1] for c in checkpoints] == ["3", "2", "1"]


def test_few_images_mark_nothing_and_say_so():
    frame = series([0, -3])
    few = frame[frame["image"].isin(sorted(set(frame["image"]))[:5])]
    found, _ = histories(few, "jpeg", limits=QUICK)
    assert found[0].changes == ()
    assert found[0].notes == ("changes are sought from 6 images on",)


def test_a_checkpoint_that_failed_is_left_out_and_noted():
    frame = changed(series([0, 0, 0]), {"checkpoint": f"step10.pt:{'2' * 16}"}, status="crashed")
    found, _ = histories(frame, "jpeg", limits=QUICK)
    assert [c.label for c in found[0].checkpoints] == ["step5", "step15"]
    assert found[0].notes == ("step10: crashed (8)",)


def test_values_under_different_cards_make_no_history():
    frame = series([0, 0])
    assert histories(frame.assign(psnr_card=frame["checkpoint"]), "jpeg", limits=QUICK)[0] == []


def test_a_codec_without_checkpoints_is_refused():
    with pytest.raises(HarnessError, match="no checkpoint of jpeg"):
        histories(real_results(), "jpeg")
    with pytest.raises(UnknownName, match="did you mean jpeg"):
        histories(real_results(), "jpg")


def test_tables_and_figures_hold_every_checkpoint(tmp_path):
    found, by = histories(series([0, 0, -0.4]), "jpeg", limits=QUICK)
    (table,) = history_tables(found, by)
    assert [row[0].text for row in table.rows] == ["step5", "step10", "step15"]
    assert [row[1].place for row in table.rows] == [0, 0, 1]
    paths = write_history(found, by, tmp_path / "new")
    assert [p.name for p in paths] == [
        f"history-jpeg-photographs-psnr.{suffix}" for suffix in ("pdf", "png")
    ]
    assert all(p.stat().st_size > 5000 for p in paths)

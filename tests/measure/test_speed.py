"""The speed sweep: rounds, the cap, failures as results, and the search for the largest image."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from harness.catalog.codecs import load_catalog
from harness.cli import group
from harness.measure.observer import Observer
from harness.measure.speed import CLOSE_ENOUGH, Rounds, SpeedSweep, next_size, shaped, speed_plan
from harness.plan.prepare import prepare
from harness.plan.request import Request
from harness.report.frontier import frontier_table
from harness.store.load import load_results


def asked(tmp_path, codec, *, cap_seconds=None, **options):
    request = Request(
        codec=[codec] if isinstance(codec, str) else codec,
        **{
            "dataset": ["sample"],
            "limit": 1,
            "resolution": "64x96,128x192",
            "metric": (),
            "keep": "none",
            "repeats": 10,  # a fast codec gets five in a process at least
            "results": tmp_path,
            "name": "runtime",
            "threads": 1,
            **options,
        },
    )
    return speed_plan(prepare(request), cap_seconds)


def swept(prepared, rounds=2):
    sweep = SpeedSweep(prepared, rounds, Observer())
    sweep.run()
    return load_results(prepared.request.folder)


def test_the_samples_of_all_rounds_make_one_record(tmp_path):
    frame = swept(asked(tmp_path, ["jpeg", "webp"]))
    assert list(frame["status"]) == ["ok"] * 4
    assert [len(samples) for samples in frame["decode_samples_ms"]] == [10] * 4
    assert list(frame["repeats"]) == [10] * 4


def test_codecs_take_turns(tmp_path):
    turns = []

    class Watching(Observer):
        def batch(self, batch):
            turns.append((batch.codec.name, batch.resolution.height))

    SpeedSweep(asked(tmp_path, ["jpeg", "webp"]), 2, Watching()).run()
    assert turns == [("jpeg", 64), ("webp", 64), ("jpeg", 128), ("webp", 128)] * 2


def test_each_codec_runs_at_its_middle_rate_point_and_a_progressive_one_at_its_last(tmp_path):
    catalog = load_catalog()
    prepared = asked(tmp_path, ["jpeg", "progic-tiny"], weights="random")
    rates = {batch.codec.name: batch.rates[0].id for batch in prepared.plan.batches}
    assert rates["jpeg"] == catalog.get("jpeg").rates[4].id
    assert rates["progic-tiny"] == "s5"


def test_a_call_over_the_cap_is_the_only_one(tmp_path):
    frame = swept(asked(tmp_path, "jpeg", cap_seconds=1e-9))
    assert [len(samples) for samples in frame["encode_samples_ms"]] == [1, 1]


def test_the_same_sweep_again_measures_nothing(tmp_path):
    before = swept(asked(tmp_path, "jpeg"))
    after = swept(asked(tmp_path, "jpeg"))
    assert list(before["started"]) == list(after["started"])


def test_a_stopped_sweep_continues_with_the_rounds_it_has(tmp_path):
    swept(asked(tmp_path, "jpeg", repeats=5), rounds=1)
    kept = load_results(tmp_path / "runtime")["encode_samples_ms"].iloc[0]
    frame = swept(asked(tmp_path, "jpeg"))
    assert list(frame["encode_samples_ms"].iloc[0])[:5] == list(kept)
    assert len(frame["encode_samples_ms"].iloc[0]) == 10


def test_running_out_of_memory_is_a_result_and_not_an_error(tmp_path):
    done = CliRunner().invoke(
        group,
        ["runtime", "--codec", "progic-tiny", "--weights", "random", "--resolution", "64x96",
         "--memory-limit", "0.001", "--results", str(tmp_path), "--repeats", "1"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert set(load_results(tmp_path)["status"]) == {"out_of_memory"}


def test_nothing_is_scored_and_nothing_kept_but_the_records(tmp_path):
    frame = swept(asked(tmp_path, "jpeg"))
    assert frame["psnr"].isna().all()
    assert not (tmp_path / "runtime" / "reconstructions").exists()
    assert {json.loads(blanks) == {} for blanks in frame["blanks"]} == {True}


def searched(prepared, max_pixels):
    """Search for the largest image of a codec whose manifest states a limit; its records."""
    batches = []
    for batch in prepared.plan.batches:
        constraints = replace(batch.codec.constraints, max_pixels=max_pixels)
        codec = replace(batch.codec, constraints=constraints)
        ready = replace(batch.model.ready, codec=codec)
        batches.append(replace(batch, model=replace(batch.model, codec=codec, ready=ready)))
    prepared = replace(prepared, plan=replace(prepared.plan, batches=tuple(batches)))
    sweep = SpeedSweep(prepared, 1, Observer())
    sweep.run()
    sweep.find_largest()
    return load_results(prepared.request.folder)


def test_a_codec_that_never_fails_is_searched_up_to_what_it_takes_and_says_so(tmp_path):
    frame = searched(asked(tmp_path, "jpeg", resolution="64x96", repeats=1), 200_000)
    pixels = frame["height"].astype(int) * frame["width"].astype(int)
    assert (frame["status"] == "ok").all()
    assert 100_000 < pixels.max() <= 200_000
    [reason] = set(frame["frontier"].dropna()) - {"tried"}
    assert reason == "the codec accepts at most 200,000 pixels"
    assert pixels[frame["frontier"] == reason].item() == pixels.max()
    [row] = frontier_table(frame).rows
    assert reason in {cell.text for cell in row}


def test_a_codec_that_fails_from_a_size_on_is_searched_up_to_it(tmp_path):
    frame = searched(asked(tmp_path, "fails-when-large", resolution="64x96", repeats=1), 400_000)
    pixels = frame["height"].astype(int) * frame["width"].astype(int)
    well = frame["status"] == "ok"
    assert pixels[well].max() <= 100_000 < pixels[~well].min()
    ratio = pixels[~well].min() / pixels[well].max()
    [reason] = set(frame["frontier"].dropna()) - {"tried"}
    assert reason == f"an image of {ratio:.2f} times the pixels fails"


def test_a_codec_that_fits_at_no_size_ends_the_search_and_stands_in_its_table(tmp_path):
    frame = searched(asked(tmp_path, "raises", resolution="64x96", repeats=1), 400_000)
    assert set(frame["status"]) == {"failed"}
    assert set(frame["frontier"].dropna()) == {"tried"}
    [row] = frontier_table(frame).rows
    assert "none" in {cell.text for cell in row}


def test_the_same_search_again_measures_nothing(tmp_path):
    for codec in ("jpeg", "fails-when-large"):
        before, after = (
            searched(asked(tmp_path, codec, resolution="64x96", repeats=1, name=codec), 200_000)
            for _ in range(2)
        )
        assert list(before["started"]) == list(after["started"])


@pytest.mark.parametrize("limit", [250_000, 3_000_000, 40_000_000])
def test_the_search_ends_within_a_tenth_of_the_limit_or_at_the_next_multiple_of_64(limit):
    tried = {}
    while (size := next_size(tried, 1 << 28)) is not None:
        tried[size.height * size.width] = size.height * size.width <= limit
    largest = max(pixels for pixels, well in tried.items() if well)
    smallest = min(pixels for pixels, well in tried.items() if not well)
    assert largest <= limit < smallest
    between = shaped((largest * smallest) ** 0.5)
    assert smallest / largest < CLOSE_ENOUGH or between.height * between.width in tried
    assert len(tried) < 20


def test_sizes_are_multiples_of_64():
    for pixels in (1, 5_000, 123_456, 9_999_999):
        size = shaped(pixels)
        assert size.height % 64 == size.width % 64 == 0
        assert size.height > 0
        assert size.width > 0


def test_samples_are_shared_out_over_the_rounds():
    assert Rounds.of(9, 3) == Rounds(3, 3)
    assert Rounds.of(10, 3) == Rounds(3, 4)
    assert Rounds.of(2, 5) == Rounds(2, 1)

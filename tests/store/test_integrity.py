"""A changed byte anywhere in a run's folder is found, and is never read as a number."""

import random
import shutil
import warnings
from pathlib import Path

import pandas as pd
import pytest

import harness
from harness.leftovers import mark
from harness.measure.observer import Observer
from harness.store import schema
from harness.store.documents import DamagedDocument, read_json
from harness.store.integrity import check_files
from harness.store.run_store import RunStore
from harness.store.shards import DamagedShard, read_shard

ADAPTERS = Path(__file__).parents[1] / "fixtures" / "adapters"

NUMBERS = ["case", "status", "bytes", "bpp", "bitstream_sha256", "picture_sha256",
           "reconstruction_sha256", "psnr", "ms_ssim"]  # fmt: skip

KINDS = {
    "cases": "cases/*.parquet",
    "scores": "scores/*.parquet",
    "manifests": "runs/*.json",
    "cards": "cards/*.json",
    "version": "store.json",
    "bitstreams": "bitstreams/**/*.bin",
    "reconstructions": "reconstructions/**/*.png",
}


class Notes(Observer):
    """What a run tells and does."""

    def __init__(self):
        self.notes = []
        self.measured = []

    def note(self, text):
        self.notes.append(text)

    def case(self, record):
        self.measured.append(record.case)


def measure(results, photographs, metric="psnr,ms_ssim", rate="bits5,bits8", **options):
    return harness.run(
        "well-behaved", str(photographs), rate=rate, limit=2, metric=metric, results=results,
        threads=1, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, photographs):
    """Three invocations, so that there are two files of each kind."""
    results = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_ADAPTERS", str(ADAPTERS))
        measure(results, photographs, "psnr", "bits5")
        measure(results, photographs, "psnr", "bits8")
        measure(results, photographs)
    return results


@pytest.fixture
def results(undisturbed, tmp_path):
    return shutil.copytree(undisturbed, tmp_path / "results")


def files(results, kind):
    return sorted((results / "default").glob(KINDS[kind]))


def numbers(results):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return harness.load_results(results)[NUMBERS].sort_values("case", ignore_index=True)


def verdicts(results):
    """What is not intact."""
    folder = results / "default"
    return {str(c.path): c.verdict for c in check_files(folder) if c.verdict != "intact"}


def flip(path, _other):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path, _other):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path, _other):
    path.write_bytes(b"")


def zero(path, _other):
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    path.write_bytes(data)


def swap(path, other):
    ours, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(ours)


def test_an_undisturbed_folder_is_intact_to_the_last_file(undisturbed):
    checks = list(check_files(undisturbed / "default"))
    assert {check.verdict for check in checks} == {"intact"}
    kinds = {check.path.parts[0] for check in checks}
    assert kinds == {"store.json", "runs", "cards", "cases", "scores", "bitstreams",
                     "reconstructions"}  # fmt: skip
    there = [p for p in (undisturbed / "default").rglob("*") if p.is_file() and p.suffix != ".log"]
    assert len(checks) == len(there)
    assert sum(check.bytes for check in checks) == sum(path.stat().st_size for path in there)


@pytest.mark.parametrize("attack", [flip, truncate, empty, zero, swap])
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_found_and_gives_no_number(results, undisturbed, kind, attack):
    first, *others = files(results, kind)
    other = others[0] if others else files(results, "cards")[0]
    attack(first, other)
    victims = {first, other} if attack is swap else {first}
    folder = results / "default"
    found = verdicts(results)
    if kind == "cases":  # whose files no record names any more
        found = {path: verdict for path, verdict in found.items() if verdict != "unverified"}
    assert found == {str(path.relative_to(folder)): "damaged" for path in victims}
    before = numbers(undisturbed).set_index("case")
    after = numbers(results).set_index("case")
    for column in after:
        told = after[column].dropna()
        pd.testing.assert_series_equal(told, before[column].loc[told.index])
    if kind not in {"cases", "scores"}:
        pd.testing.assert_frame_equal(after, before)


@pytest.mark.parametrize("kind", ["cards", "bitstreams", "reconstructions", "manifests", "version"])
def test_a_file_that_was_removed_is_missed(results, kind):
    first = files(results, kind)[0]
    first.unlink()
    assert verdicts(results) == {str(first.relative_to(results / "default")): "missing"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_run_sets_it_aside_and_completes_the_folder(
    results, undisturbed, photographs, kind
):
    victim = files(results, kind)[0]
    flip(victim, None)
    changed = victim.read_bytes()
    seen, again = Notes(), Notes()
    for path in (results / "default" / "scores").iterdir():  # so that reconstructions are read
        if kind == "reconstructions":
            path.unlink()
    measure(results, photographs, observer=seen)
    folder = results / "default"
    assert any(victim.name in n or kind == "bitstreams" for n in seen.notes), seen.notes
    assert (folder / "damaged" / victim.relative_to(folder)).read_bytes() == changed
    pd.testing.assert_frame_equal(numbers(results), numbers(undisturbed))
    lost = {str(victim.relative_to(folder)): "missing"}
    assert verdicts(results) == (lost if kind == "manifests" else {}), "which cannot be remade"
    expected = {"cases": 2, "bitstreams": 1, "reconstructions": 1}.get(kind, 0)
    assert len(seen.measured) == expected
    measure(results, photographs, observer=again)
    assert (again.measured, again.notes) == ([], [])


def test_a_picture_of_another_image_is_not_scored(results, undisturbed, photographs):
    for path in (results / "default" / "scores").iterdir():
        path.unlink()
    one, two = (p for p in files(results, "reconstructions") if "bits5" in p.parts)
    swap(one, two)
    seen = Notes()
    measure(results, photographs, observer=seen)
    assert len(seen.measured) == 2
    pd.testing.assert_frame_equal(numbers(results), numbers(undisturbed))


@pytest.mark.parametrize("kind", ["cards", "version", "manifests"])
def test_no_single_bit_of_a_json_file_can_change_unnoticed(results, kind):
    path = files(results, kind)[0]
    whole = path.read_bytes()
    for place in random.SystemRandom().sample(range(8 * len(whole)), min(200, 8 * len(whole))):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        with pytest.raises(DamagedDocument):
            read_json(path)


@pytest.mark.parametrize(("kind", "columns"), [("cases", schema.CASES), ("scores", schema.SCORES)])
def test_no_single_bit_of_a_shard_can_change_unnoticed(results, kind, columns):
    path = files(results, kind)[0]
    whole = path.read_bytes()
    for place in random.SystemRandom().sample(range(8 * len(whole)), 300):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        with pytest.raises(DamagedShard, match=path.name):
            read_shard(path, columns)


def test_a_shard_of_scores_is_no_shard_of_cases(results):
    score = files(results, "scores")[0]
    score.rename(results / "default" / "cases" / score.name)
    with pytest.warns(UserWarning, match="other records"):
        harness.load_results(results)


def test_what_a_killed_process_left_is_a_leftover_and_what_a_live_one_writes_is_not(
    results, photographs
):
    folder = results / "default" / "bitstreams"
    machine, *_ = mark().split("-")
    dead = folder / f".x.bin.{machine}-{2**22 + 1}-7-00000000.part"
    alive = folder / f".y.bin.{mark()}.part"
    for path in (dead, alive):
        path.write_bytes(b"half")
    assert verdicts(results) == {str(dead.relative_to(results / "default")): "leftover"}
    measure(results, photographs)
    assert alive.exists()
    assert not dead.exists()


def test_shards_that_a_run_merges_while_they_are_checked_are_checked_as_they_are_then(
    results, monkeypatch
):
    monkeypatch.setattr("harness.store.run_store.MERGE_FROM", 2)
    checks = check_files(results / "default")
    assert next(check for check in checks if check.path.parent == Path("cases"))
    RunStore(results / "default").merge()
    assert {check.verdict for check in checks} == {"intact"}

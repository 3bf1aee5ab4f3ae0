"""Results survive damage, full disks and newer versions, and say so."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

import harness
from harness.errors import HarnessError, Status
from harness.store import schema
from harness.store.documents import DamagedDocument, read_json
from harness.store.records import CaseRecord, ScoreRecord
from harness.store.run_store import MERGE_FROM, RunStore
from harness.store.shards import (
    VERSION_KEY,
    DamagedShard,
    list_shards,
    read_shard,
    write_shard,
)
from tests.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]


def case(name, **fields):
    record = {
        **dict.fromkeys(("codec", "title", "family", "rate", "checkpoint", "weights"), "c"),
        **dict.fromkeys(("options", "dataset", "image_sha256", "device", "timing_scope"), "d"),
        **dict.fromkeys(("machine", "invocation"), "m"),
        "resolution": "native",
        "rate_index": 0,
        "threads": 1,
        "repeats": 1,
        "shared_encode": False,
        "started": datetime.now(UTC),
        "status": Status.OK,
    }
    return CaseRecord(case=name, image=name, **{**record, **fields})


def score(name, value, metric="psnr", **fields):
    return ScoreRecord(case=name, metric=metric, value=value, card="x", **fields)


def test_the_later_row_of_a_case_counts(tmp_path):
    store = RunStore(tmp_path / "run")
    store.add_cases([case("a", status=Status.FAILED, bytes=1), case("b", bytes=2)])
    store.add_cases([case("a", bytes=3)])
    frame = harness.load_results(tmp_path).set_index("case")
    assert list(frame.index) == ["a", "b"]
    assert frame.loc["a", "status"] == "ok"
    assert frame.loc["a", "bytes"] == 3


def test_scores_of_a_reconstruction_that_was_replaced_do_not_count(tmp_path):
    store = RunStore(tmp_path / "run")
    store.add_cases([case("a")])
    store.add_scores([score("a", 30.0)])
    assert store.states["a"].cards == {"psnr": "x"}
    store.add_cases([case("a")])
    assert store.states["a"].cards == {}
    assert RunStore(tmp_path / "run").states["a"].cards == {}
    assert harness.load_results(tmp_path)["psnr"].isna().all()


def test_blank_cells_carry_their_reason(tmp_path):
    store = RunStore(tmp_path / "run")
    store.add_cases([case("a")])
    store.add_scores([score("a", None, "ms_ssim", reason="undefined under 161 pixels")])
    row = harness.load_results(tmp_path).iloc[0]
    assert json.loads(row["blanks"]) == {"ms_ssim": "undefined under 161 pixels"}


def test_every_documented_column_is_there_and_no_other(tmp_path):
    RunStore(tmp_path / "run").add_cases([case("a")])
    frame = harness.load_results(tmp_path)
    assert list(frame.columns) == [column.name for column in schema.COLUMNS]


def test_merging_changes_no_row(tmp_path):
    store = RunStore(tmp_path / "run")
    for number in range(MERGE_FROM + 5):
        store.add_cases([case(f"c{number % 40}", bytes=number)])
        store.add_scores([score(f"c{number % 40}", float(number))])
    before = harness.load_results(tmp_path)
    store.merge()
    assert len(list_shards(tmp_path / "run" / "cases")) == 1
    assert harness.load_results(tmp_path).equals(before)
    assert RunStore(tmp_path / "run").states == store.states


def test_merging_what_another_process_has_merged_meanwhile_harms_nothing(tmp_path):
    store = RunStore(tmp_path / "run")
    store.add_cases([case("a")])
    for number in range(MERGE_FROM):  # listed, and gone before they are read
        (tmp_path / "run" / "cases" / f"{number:032}.parquet").symlink_to(tmp_path / "gone")
    for shard in list_shards(tmp_path / "run" / "cases"):
        if not shard.is_symlink():
            shard.rename(tmp_path / "kept")
    store.merge()
    (tmp_path / "kept").rename(tmp_path / "run" / "cases" / "merged.parquet")
    assert list(harness.load_results(tmp_path)["case"]) == ["a"]


def test_a_damaged_shard_is_set_aside_by_a_merge_and_the_others_are_merged(tmp_path):
    store = RunStore(tmp_path / "run")
    for number in range(MERGE_FROM):
        store.add_cases([case(f"c{number}")])
    victim = list_shards(tmp_path / "run" / "cases")[7]
    victim.write_bytes(victim.read_bytes()[:-1])
    store.merge()
    assert [error.path for error in store.damaged] == [victim]
    assert (tmp_path / "run" / "damaged" / "cases" / victim.name).is_file()
    assert len(list_shards(tmp_path / "run" / "cases")) == 1
    assert len(harness.load_results(tmp_path)) == MERGE_FROM - 1


def test_a_merge_of_damaged_shards_alone_writes_nothing(tmp_path):
    store = RunStore(tmp_path / "run")
    for _ in range(MERGE_FROM):
        store.add_cases([case("a")])
    for shard in list_shards(tmp_path / "run" / "cases"):
        shard.write_bytes(b"")
    store.merge()
    assert len(store.damaged) == MERGE_FROM
    assert not list_shards(tmp_path / "run" / "cases")


MERGE_OFTEN = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from harness.store import run_store
from test_store import case, score
run_store.MERGE_FROM = 3
store = run_store.RunStore(Path({folder!r}))
for number in range(25):
    name = f"{{sys.argv[1]}}-{{number}}"
    store.add_cases([case(name, bytes=number)])
    store.add_scores([score(name, float(number), measured=store.states[name].written)])
    store.merge()
"""


def test_processes_that_merge_at_the_same_time_lose_no_row(tmp_path):
    folder = tmp_path / "run"
    script = MERGE_OFTEN.format(paths=[str(ROOT), str(Path(__file__).parent)], folder=str(folder))
    command = [sys.executable, "-W", "error", "-c", script]
    merging = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in "abc"]
    for process in merging:
        _, errors = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0, errors.decode()
    frame = harness.load_results(folder)
    assert len(frame) == frame["case"].nunique() == 3 * 25
    assert (frame["psnr"] == frame["bytes"]).all()
    states = RunStore(folder).states
    assert all(state.cards == {"psnr": "x"} for state in states.values())


def test_a_score_counts_for_the_record_that_was_scored_and_for_no_older_one(tmp_path):
    """The newer record is lost; what was scored of it says nothing of the older one."""
    store = RunStore(tmp_path / "run")
    store.add_cases([case("a", bytes=1)])
    older = set(list_shards(tmp_path / "run" / "cases"))
    store.add_cases([case("a", bytes=2)])
    store.add_scores([score("a", 30.0, measured=store.states["a"].written)])
    assert list(harness.load_results(tmp_path)["psnr"]) == [30.0]
    (newer,) = set(list_shards(tmp_path / "run" / "cases")) - older
    newer.unlink()
    assert harness.load_results(tmp_path)["psnr"].isna().all()
    assert RunStore(tmp_path / "run").states["a"].cards == {}


def test_a_folder_that_is_only_read_is_not_changed(tmp_path):
    RunStore(tmp_path / "run").add_cases([case("a")])
    (victim,) = list_shards(tmp_path / "run" / "cases")
    victim.write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    with pytest.warns(UserWarning, match=victim.name):
        assert not RunStore(tmp_path / "run", create=False).states
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_takes_up_what_another_process_wrote(tmp_path):
    one, two = RunStore(tmp_path / "run"), RunStore(tmp_path / "run")
    two.add_cases([case("a")])
    one.refresh()
    assert one.states["a"].status == "ok"


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all" * 20])
def test_a_corrupted_shard_is_named_and_the_rest_is_read(tmp_path, damage):
    store = RunStore(tmp_path / "run")
    store.add_cases([case("a")])
    victim = list_shards(tmp_path / "run" / "cases")[0]
    store.add_cases([case("b")])
    victim.write_bytes(damage)
    with pytest.warns(UserWarning, match=victim.name):
        frame = harness.load_results(tmp_path)
    assert list(frame["case"]) == ["b"]
    reopened = RunStore(tmp_path / "run")
    assert set(reopened.states) == {"b"}
    assert victim.name in str(reopened.damaged[0])
    assert "measured again" in reopened.damaged[0].remedy
    assert not RunStore(tmp_path / "run").damaged, "it was set aside, and is not told twice"


def test_a_folder_of_a_newer_schema_is_refused(tmp_path):
    RunStore(tmp_path / "run").add_cases([case("a")])
    (tmp_path / "run" / "store.json").write_text('{"schema": 99}')
    for opening in (lambda: RunStore(tmp_path / "run"), lambda: harness.load_results(tmp_path)):
        with pytest.raises(HarnessError, match="newer harness") as caught:
            opening()
        assert "upgrade" in caught.value.remedy


def test_a_shard_of_a_newer_schema_is_refused(tmp_path):
    RunStore(tmp_path / "run")
    table = pa.Table.from_pylist([vars(case("a"))], schema.CASES)
    newer = table.replace_schema_metadata({VERSION_KEY: b"99"})
    (tmp_path / "run" / "cases").mkdir()
    pa.parquet.write_table(newer, tmp_path / "run" / "cases" / "newer.parquet")
    with pytest.raises(HarnessError, match="newer harness"):
        harness.load_results(tmp_path)


def test_a_folder_without_results_says_so(tmp_path):
    with pytest.raises(HarnessError, match="no results"):
        harness.load_results(tmp_path)
    with pytest.raises(HarnessError, match="no results"):
        harness.load_results(tmp_path / "missing")


def test_results_that_cannot_be_written_name_the_folder(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HarnessError, match="cannot be written") as caught:
        RunStore(tmp_path / "file" / "run")
    assert "--results" in caught.value.remedy


def with_mounts(script):
    """Run a shell's script in a mount namespace of its own; the test is skipped where none is."""
    if shutil.which("unshare") is None:
        pytest.skip("needs the program unshare (util-linux)")
    done = subprocess.run(
        ["unshare", "--map-root-user", "--user", "--mount", "sh", "-c", script],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespace of one's own here: {done.stderr.strip()}")
    return done


FILL = """
import os, sys
sys.path.insert(0, {root!r})
import harness
from harness.errors import HarnessError, Status
small = {small!r}
try:
    harness.run("well-behaved", {photographs!r}, metric=["psnr"], results=small, threads=1)
except HarnessError as error:
    print("REFUSED", error)
before = harness.load_results(small)
os.remove(small + "/ballast")
after = harness.run("well-behaved", {photographs!r}, metric=["psnr"], results=small, threads=1)
kept = after.set_index("case").loc[before["case"], "started"]
print("KEPT", len(before), (kept.values == before["started"].values).all())
print("DONE", len(after), set(after["status"]), after["psnr"].notna().all())
"""


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, photographs):
    """On a real file system of 3 MB, in a mount namespace of its own."""
    small = tmp_path / "small"
    small.mkdir()
    script = tmp_path / "fill.py"
    script.write_text(FILL.format(root=str(ROOT), small=str(small), photographs=str(photographs)))
    done = with_mounts(
        f"mount -t tmpfs -o size=3m tmpfs {small} && "
        f"head -c 2500000 /dev/zero > {small}/ballast && exec {sys.executable} {script}"
    )
    assert "the disk is full" in done.stdout, done.stdout + done.stderr
    assert "free some space" in done.stdout
    kept = next(line for line in done.stdout.splitlines() if line.startswith("KEPT"))
    assert kept.endswith("True")
    assert "DONE 9 {'ok'} True" in done.stdout


@pytest.mark.slow
def test_full_temporary_folders_are_an_error_with_a_remedy(tmp_path):
    """On a real file system of 64 KB in place of all folders that are usual for temporary files."""
    done = with_mounts(
        f"mount -t tmpfs -o size=64k tmpfs {tmp_path}; cd {tmp_path}; "
        "head -c 100000 /dev/zero > ballast 2> message; "
        "mkdir results; mount -t tmpfs -o size=9m tmpfs results; "
        "for place in /usr/tmp /var/tmp /tmp; do "
        "if [ -d $place ]; then mount --rbind . $place; fi; done; cd /tmp; "
        f"exec {sys.executable} -m harness run --codec jpeg --rate q60 --metric psnr --limit 1 "
        "--results results --no-report"
    )
    assert done.returncode == 2, done.stderr
    assert "no temporary folder that can be written to" in done.stderr
    assert "TMPDIR" in done.stderr
    assert "unexpected" not in done.stderr


def test_a_shard_of_other_types_is_damaged_and_no_surprise(tmp_path):
    """As anyone can make one, under a name that fits its bytes, for a bundle."""
    foreign = pa.table({"case": ["c"], "metric": ["psnr"], "value": ["text"]})
    path = write_shard(tmp_path, foreign)
    with pytest.raises(DamagedShard, match="text"):
        read_shard(path, schema.SCORES)


def test_a_document_of_endless_brackets_is_damaged_and_no_surprise(tmp_path):
    path = tmp_path / "store.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DamagedDocument):
        read_json(path)

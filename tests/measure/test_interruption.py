"""Whatever ends a run, the same command finishes the work: no record lost, none doubled."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import harness
from harness.store.shards import list_shards
from tests.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]
COLUMNS = ["case", "codec", "rate", "image", "status", "bytes", "bpp", "bitstream_sha256", "psnr"]
ADAPTERS = ROOT / "tests" / "fixtures" / "adapters"


def command(photographs, results, codec="well-behaved,bit-planes"):
    """What a user types."""
    return [
        *(sys.executable, "-m", "harness", "run", "--codec", codec),
        *("--dataset", str(photographs), "--results", str(results)),
        *("--metric", "psnr", "--threads", "1", "--no-report"),
    ]


def popen(arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HARNESS_ADAPTERS": str(ADAPTERS)}
    pipe = subprocess.PIPE
    arguments = ["env", "--default-signal=INT", *arguments]  # a job of a shell may ignore it
    return subprocess.Popen(arguments, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def start():
    """Starts runs, and ends those that a test leaves behind."""
    started = []

    def begin(*arguments, **options):
        started.append(popen(command(*arguments, **options)))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def numbers(results):
    """What must be the same however often a run was interrupted."""
    return harness.load_results(results)[COLUMNS].sort_values("case", ignore_index=True)


@pytest.fixture(scope="module")
def undisturbed(photographs, tmp_path_factory):
    results = tmp_path_factory.mktemp("undisturbed")
    run = popen(command(photographs, results))
    _, errors = run.communicate(timeout=HANG_SECONDS)
    assert run.returncode == 0, errors
    return results


def wait_for(condition, process):
    """Wait until something is so, as long as the process lives."""
    while process.poll() is None and not condition():
        time.sleep(0.005)


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_like_an_undisturbed_one(
    start, photographs, tmp_path, undisturbed
):
    seed = random.SystemRandom().randrange(10**6)
    moments = random.Random(seed)
    kills = 0
    for _ in range(12):
        run = start(photographs, tmp_path)
        try:
            run.communicate(timeout=moments.uniform(0.3, 5.0))
            break
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
            kills += 1
    run = start(photographs, tmp_path)
    _, errors = run.communicate(timeout=HANG_SECONDS)
    assert run.returncode == 0, errors
    assert kills > 0
    assert numbers(tmp_path).equals(numbers(undisturbed)), f"seed {seed}"


@pytest.mark.slow
def test_killed_between_measuring_and_scoring_only_scores(
    start, photographs, tmp_path, undisturbed
):
    run = start(photographs, tmp_path)
    batches = len(list_shards(undisturbed / "default" / "cases"))
    wait_for(lambda: len(list_shards(tmp_path / "default" / "cases")) == batches, run)
    run.kill()
    run.communicate()
    again = start(photographs, tmp_path)
    _, errors = again.communicate(timeout=HANG_SECONDS)
    assert again.returncode == 0, errors
    assert ", 0 to measure" in errors
    assert numbers(tmp_path).equals(numbers(undisturbed))


@pytest.mark.slow
def test_two_runs_into_one_folder_share_the_work(start, photographs, tmp_path, undisturbed):
    runs = [start(photographs, tmp_path) for _ in range(2)]
    for run in runs:
        _, errors = run.communicate(timeout=HANG_SECONDS)
        assert run.returncode == 0, errors
    assert numbers(tmp_path).equals(numbers(undisturbed))
    shards = list_shards(tmp_path / "default" / "cases")
    rows = sum(pq.ParquetFile(shard).metadata.num_rows for shard in shards)
    assert rows == len(numbers(undisturbed)), "a case was measured twice"


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_loses_nothing_finished(start, photographs, tmp_path, undisturbed):
    run = start(photographs, tmp_path)
    wait_for(lambda: list_shards(tmp_path / "default" / "cases"), run)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=HANG_SECONDS)
    assert run.returncode == 130
    assert "the same command continues it" in errors
    assert "Traceback" not in errors
    finished = harness.load_results(tmp_path)
    assert len(finished) > 0
    again = start(photographs, tmp_path)
    again.communicate(timeout=HANG_SECONDS)
    after = harness.load_results(tmp_path).set_index("case")
    assert list(after.loc[finished["case"], "started"]) == list(finished["started"])
    assert numbers(tmp_path).equals(numbers(undisturbed))


@pytest.mark.slow
def test_a_worker_dies_with_the_harness(start, photographs, tmp_path):
    run = start(photographs, tmp_path, codec="hangs")
    log = tmp_path / "default" / "logs" / "hangs"
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    wait_for(lambda: log.is_dir() and children.read_text().strip(), run)
    pids = [int(pid) for pid in children.read_text().split()]
    assert pids
    run.kill()
    run.communicate()
    deadline = time.monotonic() + HANG_SECONDS
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "the worker outlived the harness"
        time.sleep(0.01)

"""What killed processes leave is removed, and what live ones write is not touched."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.environments.base import scratch
from harness.errors import HarnessError
from harness.leftovers import STALE_SECONDS, remove_parts
from harness.paths import new_scratch_folder, runtime_folder, scratch_folder, whole

ROOT = Path(__file__).parents[2]

HOLD = """
import sys, time
from pathlib import Path
from harness.paths import scratch_folder, whole
with scratch_folder() as folder, whole(Path(sys.argv[1])) as part:
    part.write_bytes(b"half")
    print(folder, part, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process in the middle of its work: its scratch folder, and the file that it writes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "deep" / "file.bin")], stdout=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    folder, part = map(Path, process.stdout.readline().split())
    yield process, folder, part
    process.kill()
    process.communicate()


def test_what_a_live_process_uses_stays_and_goes_once_it_is_killed(holder, tmp_path):
    process, folder, part = holder
    remove_parts(tmp_path)
    with scratch_folder():
        assert part.exists()
        assert folder.is_dir()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    remove_parts(tmp_path)
    with scratch_folder() as ours:
        assert not part.exists()
        assert not folder.exists()
        assert ours.is_dir()
    assert not ours.exists()


def test_a_killed_process_that_nobody_waited_for_counts_as_gone(holder, tmp_path):
    process, _, part = holder
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays as a zombie
    remove_parts(tmp_path)
    assert not part.exists()


def test_what_another_machine_writes_stays_for_a_day(tmp_path):
    part = tmp_path / ".x.bin.00000000-1-1-00000000.part"
    part.write_bytes(b"half")
    remove_parts(tmp_path)
    assert part.exists()
    long_ago = time.time() - STALE_SECONDS - 60
    os.utime(part, (long_ago, long_ago))
    remove_parts(tmp_path)
    assert not part.exists()


def test_files_that_are_no_leftovers_are_never_removed(tmp_path):
    names = ["a.part", ".hidden", "a.tmp", ".x.partial", "data.parquet"]
    long_ago = time.time() - STALE_SECONDS - 60
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
        os.utime(tmp_path / name, (long_ago, long_ago))
    remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_the_longest_name_of_a_file_can_be_written(tmp_path):
    path = tmp_path / ("ö" * 125 + ".txt")
    with whole(path) as part:
        part.write_bytes(b"all")
    assert path.read_bytes() == b"all"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def test_no_other_user_can_enter_a_scratch_folder(temporary):
    with scratch_folder() as folder:
        assert folder.is_relative_to(temporary)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_the_runtime_folder_is_not_followed(temporary, tmp_path):
    (tmp_path / "planted").mkdir()
    (temporary / f"codec-harness-{os.getuid()}").symlink_to(tmp_path / "planted")
    assert runtime_folder() == tmp_path / "cache" / "runtime"
    with scratch_folder():
        assert not list((tmp_path / "planted").iterdir())


def test_a_scratch_folder_that_its_owner_made_unwritable_is_removed(temporary):
    with scratch_folder() as folder:
        (folder / "closed" / "file").mkdir(parents=True)
        (folder / "closed").chmod(0o500)
    assert not folder.exists()


def test_a_temporary_folder_that_cannot_be_made_is_named_with_a_remedy(temporary):
    shutil.rmtree(temporary)
    temporary.write_text("in the way")
    with pytest.raises(HarnessError, match="temporary folder") as caught:
        new_scratch_folder()
    assert "TMPDIR" in caught.value.remedy


def test_a_temporary_folder_whose_path_is_too_long_for_a_socket_is_named_with_a_remedy(
    temporary, monkeypatch
):
    long = temporary / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    problem = r"temporary folder .*: AF_UNIX path too long"
    with pytest.raises(HarnessError, match=problem) as caught, scratch():
        pass
    assert "TMPDIR" in caught.value.remedy
    assert not list(long.glob("*/*"))

"""Another user cannot hold, block or lead elsewhere what gives a run the machine to itself."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.measure.lock import machine_to_itself

NAME = "codec-harness.lock"


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A temporary folder of this test's own, as any user may write to."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return folder


def taken() -> bool:
    """Whether the lock can be taken without waiting."""
    waited: list[bool] = []
    with machine_to_itself(lambda: waited.append(True)):
        return not waited


def private(temporary: Path) -> Path:
    return temporary / f"codec-harness-{os.getuid()}"


def test_the_lock_lies_in_a_folder_of_the_user_s_own(temporary):
    assert taken()
    folder, file = private(temporary), private(temporary) / NAME
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


def test_the_user_s_runtime_folder_holds_it_where_there_is_one(temporary, tmp_path, monkeypatch):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert taken()
    assert (runtime / NAME).is_file()
    assert not private(temporary).exists()


@pytest.mark.parametrize("kind", ["open to others", "not there", "a link", "relative"])
def test_a_runtime_folder_that_is_not_private_is_not_used(kind, temporary, tmp_path, monkeypatch):
    runtime = tmp_path / "runtime"
    match kind:
        case "open to others":
            runtime.mkdir()
            runtime.chmod(0o755)
        case "a link":
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            runtime.symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "runtime" if kind == "relative" else str(runtime))
    assert taken()
    assert (private(temporary) / NAME).is_file()


def test_a_second_process_waits_until_the_first_has_ended(temporary):
    code = (
        "from harness.measure.lock import machine_to_itself\n"
        "with machine_to_itself(lambda: print('waits', flush=True)):\n    print('has it')"
    )
    with machine_to_itself(lambda: None):
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "waits\n"
        assert other.poll() is None
    assert other.communicate(timeout=60)[0] == "has it\n"


@pytest.mark.parametrize("planted", ["the old lock, held", "a file", "a link", "an open folder"])
def test_what_others_plant_in_the_temporary_folder_does_not_block_in_silence(planted, temporary):
    folder = private(temporary)
    victim = temporary / "victim"
    match planted:
        case "the old lock, held":
            import fcntl

            file = (temporary / f"codec-harness-{os.getuid()}.lock").open("a")
            fcntl.flock(file, fcntl.LOCK_EX)
            assert taken()
            file.close()
            return
        case "a file":
            folder.write_text("")
        case "a link":
            victim.mkdir(mode=0o700)
            folder.symlink_to(victim)
        case "an open folder":
            folder.mkdir()
            folder.chmod(0o777)
    with pytest.raises(HarnessError, match="lock cannot be taken") as refused:
        taken()
    assert str(folder) in refused.value.problem
    assert "XDG_RUNTIME_DIR" in refused.value.remedy
    assert not victim.exists() or not list(victim.iterdir())


@pytest.mark.parametrize("planted", ["a link", "a folder", "a named pipe"])
def test_nothing_else_is_taken_for_the_lock_s_file(planted, temporary):
    place = private(temporary) / NAME
    place.parent.mkdir(mode=0o700)
    match planted:
        case "a link":
            place.symlink_to(temporary / "victim")
        case "a folder":
            place.mkdir()
        case "a named pipe":
            os.mkfifo(place)
    with pytest.raises(HarnessError, match="lock cannot be taken") as refused:
        taken()
    assert refused.value.remedy == "remove it"
    assert not (temporary / "victim").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another user's folder")
def test_another_user_s_folder_is_refused(temporary):
    folder = private(temporary)
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(HarnessError, match="others own it"):
        taken()

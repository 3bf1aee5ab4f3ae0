"""A worker in another interpreter, whichever, keeps what an inline one promises."""

import ast
import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from harness.environments import Inline
from harness.environments.client import Limits, WorkerFailure
from harness.environments.venv import OLDEST_PYTHON
from harness.worker.timing import Calls
from harness.worker.wire import rate_fields
from tests.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]
PROBE = ROOT / "tests" / "fixtures" / "probe"
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=1 << 30)
photograph = np.ascontiguousarray(skimage.data.astronaut()[:64, 64:160])


@contextmanager
def loaded(environment, spec, log, limits=LIMITS):
    """A worker with the codec at five bits."""
    with environment.worker(log, 1, limits, reads=[spec.folder]) as running:
        running.open(spec.folder, spec.entry, spec.options, "cpu")
        running.load(rate_fields("bits5", {"bits": 5}, "none", {}))
        yield running


def seen(environment, look, log, reads=()):
    """What an expression evaluates to inside a worker."""
    with environment.worker(log, 1, LIMITS, reads=[PROBE, *reads]) as running:
        running.open(PROBE, "codec:Probe", {"look": look}, "cpu")
        return json.loads(running.encode(photograph)[0])


def failure_of(environment, spec, log, limits=LIMITS):
    """How encoding a photograph fails."""
    with pytest.raises(WorkerFailure) as failed:  # noqa: SIM117 - the worker outlives the failure
        with loaded(environment, spec, log, limits) as running:
            running.encode(photograph)
    return failed.value


def test_it_codes_as_it_does_inline(environment, codec, tmp_path):
    spec = codec("well-behaved")
    with loaded(environment, spec, tmp_path / "log") as running:
        bitstream, measured, same = running.encode(photograph, Calls(repeats=2))
    with loaded(environment, spec, tmp_path / "log") as running:
        decoded, _ = running.decode(bitstream)
    with loaded(Inline(), spec, tmp_path / "log") as running:
        assert running.encode(photograph)[0] == bitstream
        assert np.array_equal(running.decode(bitstream)[0], decoded)
    assert same
    assert measured.peak_rss_bytes > 1 << 20


def test_it_sees_only_its_own_packages_and_the_harness(environment, tmp_path):
    look = (
        "[attempt(lambda: __import__(name).__version__)"
        " for name in ('numpy', 'harness', 'PIL', 'torch', 'pytest')]"
    )
    found = seen(environment, look, tmp_path / "log")
    assert found[0] == "2.2.6"
    assert found[2:] == ["ModuleNotFoundError"] * 3
    assert seen(environment, "sys.version_info[:2]", tmp_path / "log") == [3, 11]


def test_a_call_that_takes_too_long_is_ended(environment, codec, tmp_path):
    limits = Limits(call_seconds=0.5, load_seconds=HANG_SECONDS, memory_bytes=1 << 30)
    failure = failure_of(environment, codec("hangs"), tmp_path / "log", limits)
    assert (failure.status, failure.reason) == ("timeout", "encode")


def test_a_codec_that_takes_too_much_memory_is_ended(environment, codec, tmp_path):
    limits = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=256 << 20)
    failure = failure_of(environment, codec("eats-memory"), tmp_path / "log", limits)
    assert (failure.status, failure.reason) == ("out_of_memory", "host")
    assert not failure.alive


def test_a_crash_is_reported_by_its_signal(environment, codec, tmp_path):
    failure = failure_of(environment, codec("crashes"), tmp_path / "log")
    assert (failure.status, failure.reason) == ("crashed", "SIGSEGV")


def test_a_worker_killed_by_somebody_does_not_count_as_out_of_memory(environment, tmp_path):
    with pytest.raises(WorkerFailure) as failed:
        seen(environment, "os.kill(os.getpid(), 9)", tmp_path / "log")
    assert (failed.value.status, failed.value.reason) == ("crashed", "SIGKILL")


def test_an_exit_is_reported_by_its_code(environment, codec, tmp_path):
    failure = failure_of(environment, codec("exits-at-once"), tmp_path / "log")
    assert (failure.status, failure.reason) == ("crashed", "exit")
    assert "code 3" in failure.lack.problem


def test_an_exception_leaves_the_worker_alive(environment, codec, tmp_path):
    failure = failure_of(environment, codec("raises"), tmp_path / "log")
    assert (failure.status, failure.alive) == ("failed", True)


def test_what_the_codec_prints_goes_to_the_log(environment, codec, tmp_path):
    log = tmp_path / "logs" / "log"
    with loaded(environment, codec("prints"), log) as running:
        running.encode(photograph)
    assert b"progress: 50 %" in log.read_bytes()
    assert b"past Python's own stream" in log.read_bytes()


def test_the_scratch_folder_is_the_working_folder_and_is_removed(environment, tmp_path):
    look = "[os.getcwd(), os.environ['TMPDIR'], Path('file').write_text('text')]"
    working, temporary, written = seen(environment, look, tmp_path / "log")
    assert (working, written) == (temporary, 4)
    assert not Path(working).parent.exists()


def test_it_has_the_threads_that_it_was_given(environment, tmp_path):
    assert seen(environment, "os.environ['OMP_NUM_THREADS']", tmp_path / "log") == "1"


def test_the_worker_is_written_for_the_oldest_python_that_a_recipe_may_ask_for():
    package = ROOT / "harness"
    rooms = [*package.glob("codec/*.py"), *package.glob("worker/*.py")]
    assert len(rooms) > 10
    for path in (package / "__init__.py", package / "errors.py", *rooms):
        ast.parse(path.read_text(), str(path), feature_version=OLDEST_PYTHON)

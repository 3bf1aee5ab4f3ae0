"""Whatever comes from a worker, or does not come, its case ends with a status and in its time.

The codecs are those of the campaign (``campaigns/faults``), which has many more.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import harness
from campaigns.codecs import FAULTS, SOUND, Fault, manifest
from campaigns.containment import RECIPE
from harness.environments import Inline
from harness.environments.client import Limits, Worker, WorkerFailure
from harness.environments.process import ChildProcess
from harness.worker.family import descendants, is_alive, resident_bytes, with_variable
from harness.worker.supervisor import CUT, LOG_BYTES
from harness.worker.timing import Calls
from harness.worker.wire import rate_fields
from tests.environments.test_workers import ROOT, photograph

LIMITS = Limits(call_seconds=60.0, load_seconds=60.0, memory_bytes=1 << 30)
RATE = rate_fields("only", {}, "none", {})


@contextmanager
def loaded(fault, log, during="encode", kind="Sound", limits=LIMITS):
    """A worker with a codec that commits the fault."""
    with Inline().worker(log, 1, limits) as running:
        running.open(FAULTS, f"codec:{kind}", {"fault": fault, "during": during}, "cpu")
        running.load(RATE)
        yield running


def failure_of(fault, log, during="encode", kind="Sound", limits=LIMITS):
    """How one image fails."""
    with pytest.raises(WorkerFailure) as failed:  # noqa: PT012, SIM117 - whichever fails
        with loaded(fault, log, during, kind, limits) as running:
            stream = running.encode(photograph)[0]
            if kind == "Prefixed":
                running.prefixes(stream, [RATE])
            running.header_bytes(stream)
            running.decode(stream, most_pixels=photograph.shape[0] * photograph.shape[1])
    return failed.value


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def adapters(tmp_path, monkeypatch):
    """Writes an adapter with faults; names the codecs."""

    def write(*faults):
        folder = tmp_path / "adapters" / "sound"
        shutil.copytree(FAULTS, folder)
        shutil.copytree(RECIPE.recipe, folder / "container")
        (folder / "codec.toml").write_text(manifest("Sound", faults))
        monkeypatch.setenv("HARNESS_ADAPTERS", str(folder.parent))
        return [fault.codec for fault in faults]

    return write


@pytest.mark.parametrize(
    "lie",
    ["garbage", "list_of_json", "huge_payload", "huge_answer", "other_request", "error_that_is_ok",
     "times_negative", "times_huge_integer", "calls_without_end"],
)  # fmt: skip
def test_an_answer_that_cannot_be_one_ends_its_case_and_its_worker(lie, log):
    failure = failure_of(lie, log)
    assert (failure.status, failure.reason, failure.alive) == ("wrong_output", "answer", False)


@pytest.mark.parametrize(
    ("fault", "during", "kind", "reason"),
    [
        ("billion", "prefix", "Prefixed", "value"),
        ("negative", "prefix", "Prefixed", "value"),
        ("report_negative", "report", "Timed", "value"),
        ("report_not_a_number", "report", "Timed", "value"),
        ("huge", "header", "Headed", "value"),
        ("too_many_bytes", "bytes", "Sound", "value"),
        ("endless_array", "output", "Sound", "shape"),
        ("objects", "output", "Sound", "dtype"),
        ("facts_not_a_number", "facts", "Sound", "value"),
        ("clock_not_a_number", "encode", "Sound", "value"),
    ],
)
def test_a_value_that_cannot_be_is_wrong_output_of_a_worker_that_lives(
    fault, during, kind, reason, log
):
    failure = failure_of(fault, log, during, kind)
    assert (failure.status, failure.reason, failure.alive) == ("wrong_output", reason, True)


def test_a_larger_image_than_was_encoded_is_not_received(log):
    failure = failure_of("large_image", log, "output")
    assert (failure.status, failure.reason) == ("wrong_output", "shape")
    assert "4000x4000" in failure.lack.problem


def test_subclasses_are_taken_for_the_memory_that_they_are(log):
    with loaded("lying_bytes", log, "bytes") as running:
        stream, _, same = running.encode(photograph, Calls(repeats=2))
    assert (type(stream), same) == (bytes, True)
    with loaded("lying_array", log, "output") as running:
        assert np.array_equal(running.decode(stream)[0], photograph)


def test_texts_hold_nothing_that_a_file_or_a_terminal_stumbles_over(log):
    failure = failure_of("raise_surrogates", log)
    assert (failure.status, failure.alive) == ("failed", True)
    assert r"weights-\udce9\ud800.pt" in failure.lack.problem
    assert "\x1b" not in failure_of("raise_control_characters", log).lack.problem


@pytest.mark.parametrize("fault", ["half_a_frame", "half_a_payload", "trickle"])
def test_the_time_limit_holds_to_the_last_byte_of_an_answer(fault, log):
    limits = Limits(call_seconds=1.0, load_seconds=60.0, memory_bytes=1 << 30)
    failure = failure_of(fault, log, limits=limits)
    assert (failure.status, failure.reason, failure.alive) == ("timeout", "encode", False)


def test_the_time_limit_holds_while_a_request_is_sent(log):
    limits = Limits(call_seconds=1.0, load_seconds=60.0, memory_bytes=1 << 30)
    large = np.zeros((2000, 2000, 3), np.uint8)
    with loaded("never_reads_again", log, limits=limits) as running:
        running.encode(photograph)
        with pytest.raises(WorkerFailure) as failed:
            running.encode(large)
    assert (failed.value.status, failed.value.reason) == ("timeout", "encode")


@pytest.mark.parametrize(
    "fault",
    ["grow_while_answering", "eat_memory_in_daemon", "eat_memory_in_thread_of_child"],
)
def test_the_memory_limit_holds_for_all_that_a_codec_starts_and_at_all_times(fault, log):
    limits = Limits(call_seconds=60.0, load_seconds=60.0, memory_bytes=256 << 20)
    failure = failure_of(fault, log, limits=limits)
    assert (failure.status, failure.reason) == ("out_of_memory", "host")


def test_one_bad_answer_ends_neither_the_run_nor_the_next_codec(adapters, photographs, tmp_path):
    faults = [
        Fault("raise_surrogates", "encode", frozenset()),
        Fault("times_huge_integer", "encode", frozenset()),
        Fault("huge_answer", "decode", frozenset()),
        Fault("no_json", "encode", frozenset()),
        Fault("large_image", "output", frozenset()),
    ]
    codecs = [*adapters(*faults, SOUND), "sound"]
    frame = harness.run(
        codecs, str(photographs), metric="psnr", limit=2, threads=1, environment="inline",
        results=tmp_path,
    )  # fmt: skip
    ends = frame.groupby("codec", sort=False)["status"].agg(list)
    assert ends["raise-surrogates-in-encode"] == ["failed"] * 2
    for codec in codecs[1:5]:
        assert ends[codec] == ["wrong_output"] * 2
    assert list(frame.set_index("codec").loc["large-image-in-output", "reason"]) == ["shape"] * 2
    assert ends["sound"] == ["ok"] * 2
    assert (frame[frame["codec"] == "sound"]["psnr"] > 1e9).all()


def test_the_header_of_a_bitstream_is_recorded(tmp_path, log):
    with loaded("none", log, "never", "Headed") as running:
        stream = running.encode(photograph)[0]
        assert running.header_bytes(stream) == 8
    with loaded("none", log, "never") as running:
        assert running.header_bytes(stream) is None


def left(temporary):
    return [pid for pid in with_variable("TMPDIR", str(temporary)) if is_alive(pid)]


@pytest.mark.parametrize("fault", ["many_daemons", "restless_daemon", "deaf_daemon"])
def test_what_a_codec_started_ends_with_its_worker(fault, log):
    with loaded(fault, log) as running:
        running.encode(photograph)
        temporary = running.process._temporary
        assert left(temporary)
    assert not left(temporary)


@pytest.mark.parametrize("fault", ["daemon_then_exit", "daemon_then_crash", "outlive_its_parent"])
def test_what_a_codec_started_ends_also_with_a_worker_that_ends_itself(fault, log):
    with loaded(fault, log) as running:
        temporary = running.process._temporary
        with pytest.raises(WorkerFailure) as failed:
            running.encode(photograph)
        assert failed.value.status == "crashed"
    assert not left(temporary)


HARNESS = """
import signal, sys
from pathlib import Path
from tests.environments.test_boundary import loaded, photograph
with loaded(sys.argv[1], Path(sys.argv[2])) as running:
    running.encode(photograph)
    print(running.process._temporary, flush=True)
    signal.pause()
"""
STARTING = """
import os, signal, sys
from harness.environments.base import scratch
from harness.environments.process import ChildProcess
with scratch() as place:
    command = [sys.executable, "-m", "harness.worker", str(place.address)]
    variables = {**os.environ, "TMPDIR": str(place.temporary)}
    child = ChildProcess(command, variables, sys.stderr.buffer)
    os.kill(child.pid, signal.SIGSTOP)
    print(place.temporary, flush=True)
    signal.pause()
"""


def killed(script, *arguments):
    """Start a harness in a process of its own, kill it; the folder of its worker."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        temporary = process.stdout.readline().strip()
        assert temporary, "the harness did not start"
        assert left(temporary)
        process.kill()
    return temporary


@pytest.mark.parametrize("fault", ["many_daemons", "stop_its_parent"])
def test_nothing_outlives_a_killed_harness_and_nothing_is_left(fault, log):
    temporary = killed(HARNESS, fault, str(log))
    while left(temporary) or Path(temporary).parent.exists():
        time.sleep(0.01)  # the test's time limit ends it


def test_a_worker_that_was_stopped_while_it_started_ends_with_the_harness():
    temporary = killed(STARTING)
    while left(temporary):
        time.sleep(0.01)


def test_a_worker_that_does_not_start_is_ended(tmp_path):
    limits = Limits(call_seconds=60.0, load_seconds=0.5, memory_bytes=1 << 30)
    address = tempfile.mktemp(dir=tempfile.gettempdir())  # noqa: S306 - paths of sockets are short
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(1)
    command = [sys.executable, "-c", "import time; time.sleep(1000)"]
    with (tmp_path / "log").open("wb") as output:
        process = ChildProcess(command, {**os.environ, "TMPDIR": str(tmp_path)}, output)
    with pytest.raises(WorkerFailure) as failed:
        Worker(process, server, tmp_path / "log", limits)
    assert (failed.value.status, failed.value.reason) == ("timeout", "start")
    assert process.has_ended()


def test_a_log_has_an_end(log):
    with loaded("fill_its_log", log) as running:
        running.encode(photograph)
    with loaded("fill_its_log", log) as running:
        running.encode(photograph)
    assert log.stat().st_size == LOG_BYTES + len(CUT)
    assert log.read_bytes().endswith(CUT)


def test_a_crash_keeps_its_signal_and_its_last_words(log):
    failure = failure_of("segfault", log)
    assert (failure.status, failure.reason) == ("crashed", signal.SIGSEGV.name)
    failure = failure_of("raise_base", log)
    assert (failure.status, failure.reason) == ("crashed", "exit")
    assert "past every except" in log.read_text()


def test_processes_may_end_while_they_are_counted():
    """Each process is looked at while others begin and end."""
    script = "import os\nwhile True:\n    if os.fork() == 0: os._exit(0)\n    os.wait()"
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        try:
            for _ in range(2000):
                assert resident_bytes([process.pid, *descendants(process.pid)]) > 0
        finally:
            process.kill()
    assert descendants(process.pid) == []


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from tests.environments.test_boundary import loaded
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
try:
    with loaded("none", Path(sys.argv[1]), "never"):
        print("went on")
except KeyboardInterrupt:
    print("interrupted", Path(f"/proc/self/task/{os.getpid()}/children").read_text())
"""


def test_an_interrupt_while_a_worker_is_started_is_not_lost(log):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(log)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["interrupted"], done.stderr

"""Pairs of command lines as codecs: a manifest and two programs, in a real worker."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from lacking import lack_of

from harness.catalog.codec_manifest import read_codec
from harness.catalog.codec_spec import EXTERNAL_ENTRY
from harness.codec.external import read_ppm, write_image
from harness.environments import Inline
from harness.environments.client import Limits, WorkerFailure
from harness.errors import ManifestError
from harness.worker.wire import rate_fields
from tests.patience import HANG_SECONDS

FIXTURE = Path(__file__).parents[1] / "fixtures" / "adapters" / "external_pair"
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=8 << 30)
MEBIBYTE = 1 << 20

photograph = np.ascontiguousarray(skimage.data.chelsea()[60:200, 90:301])

MANIFEST = """
name = "{name}"
title = "A manifest written by a test"
family = "fixture"
licence = "MIT"
rate = [{{ id = "q50", options = {{ quality = 50 }} }}]
[external]
{external}
"""


@pytest.fixture
def specs():
    return {spec.name: spec for spec in read_codec(FIXTURE / "codec.toml")}


@pytest.fixture
def loaded(tmp_path):
    """Opens a spec in a worker at its first rate point, and closes it at the end."""
    with Inline().worker(tmp_path / "log", 1, LIMITS) as running:

        def load(spec):
            running.open(spec.folder, spec.entry, spec.options, "cpu")
            rate = spec.rates[0]
            running.load(rate_fields(rate.id, rate.options, "none", {}))
            return running

        yield load


def manifest(folder, external):
    path = folder / "codec.toml"
    path.write_text(MANIFEST.format(name="written", external=external))
    return path


def test_two_command_lines_are_a_codec(specs, loaded):
    spec = specs["external-pair"]
    running = loaded(spec)
    bitstream, *_ = running.encode(photograph)
    decoded, _ = running.decode(bitstream)
    assert spec.entry == EXTERNAL_ENTRY
    assert spec.timing_scope == "process"
    assert lack_of(spec) is None
    assert np.array_equal(decoded, photograph & 0b11100000)


def test_the_programs_run_in_a_folder_of_their_own_that_is_removed(specs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Inline().worker(tmp_path / "log", 1, LIMITS) as running:
        spec = specs["external-pair"]
        running.open(spec.folder, spec.entry, spec.options, "cpu")
        running.load(rate_fields("bits3", {"bits": 3}, "none", {}))
        running.encode(photograph)
        assert list(Path(f"/proc/{running.process._child.pid}/cwd").resolve().iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_the_time_is_what_the_program_tells_or_else_that_of_the_process(specs, loaded):
    running = loaded(specs["external-pair"])
    bitstream, encoding, _ = running.encode(photograph)
    _, decoding = running.decode(bitstream)
    assert encoding.samples_ms == [0.125]
    assert decoding.samples_ms[0] > 1  # no process starts, runs and ends in less


def test_the_memory_is_the_programs_and_not_the_workers(specs, loaded):
    _, small, _ = loaded(specs["external-pair"]).encode(photograph)
    _, large, _ = loaded(specs["external-takes-memory"]).encode(photograph)
    assert small.peak_rss_bytes < 25 * MEBIBYTE
    assert 256 * MEBIBYTE < large.peak_rss_bytes < 300 * MEBIBYTE


def test_a_program_that_fails_is_quoted(specs, loaded):
    with pytest.raises(WorkerFailure, match=r"python3 exited with 1: .*no such level: worst"):
        loaded(specs["external-fails"]).encode(photograph)


def test_a_program_that_writes_nothing_is_named(specs, loaded):
    with pytest.raises(WorkerFailure, match="python3 ended well but wrote nothing to bitstream"):
        loaded(specs["external-writes-nothing"]).encode(photograph)


def test_a_program_that_does_not_tell_its_time_as_promised_is_an_error(specs, loaded):
    with pytest.raises(WorkerFailure, match="encode_ms matches nothing"):
        loaded(specs["external-is-silent"]).encode(photograph)


def test_a_damaged_bitstream_is_the_programs_error_and_not_the_harness_s(specs, loaded):
    running = loaded(specs["external-pair"])
    bitstream, *_ = running.encode(photograph)
    for damaged in (b"", b"P6", bitstream[:-1], bytes(500)):
        with pytest.raises(WorkerFailure) as failure:
            running.decode(damaged)
        assert failure.value.alive
        assert failure.value.status == "failed"


def test_a_program_that_never_ends_is_killed_with_its_worker(specs, tmp_path):
    spec = specs["external-hangs"]
    limits = Limits(call_seconds=5, load_seconds=HANG_SECONDS, memory_bytes=8 << 30)
    with Inline().worker(tmp_path / "log", 1, limits) as running:
        running.open(spec.folder, spec.entry, spec.options, "cpu")
        running.load(rate_fields("bits3", {"bits": 3}, "none", {}))
        with pytest.raises(WorkerFailure, match="longer than 5 s") as failure:
            running.encode(photograph)
    assert failure.value.status == "timeout"
    deadline = time.monotonic() + HANG_SECONDS  # the kernel ends them in its own time
    while remaining := processes_that_run("pair.py"):
        assert time.monotonic() < deadline, remaining


def processes_that_run(script):
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # a process may end while it is looked at
            arguments = entry.read_text(errors="replace").split("\0")
            if "eternal" in arguments and any(word.endswith(script) for word in arguments):
                found.append(entry.parent.name)
    return found


def test_a_placeholder_that_no_option_fills_is_named_when_loaded(tmp_path, loaded):
    path = manifest(
        tmp_path,
        'encode = ["true", "{input}", "{output}", "-q", "{qualty}"]\n'
        'decode = ["true", "{input}", "{output}"]',
    )
    with pytest.raises(WorkerFailure, match=r"unknown placeholder '\{qualty\}'; known: .*quality"):
        loaded(read_codec(path)[0])


def test_a_command_without_its_output_is_refused_when_loaded(tmp_path, loaded):
    path = manifest(
        tmp_path, 'encode = ["true", "{input}"]\ndecode = ["true", "{input}", "{output}"]'
    )
    with pytest.raises(WorkerFailure, match=r"encode: the placeholder '\{output\}' is missing"):
        loaded(read_codec(path)[0])


def test_a_pattern_without_a_time_is_refused_when_loaded(tmp_path, loaded):
    path = manifest(
        tmp_path,
        'encode = ["true", "{input}", "{output}"]\ndecode = ["true", "{input}", "{output}"]\n'
        "decode_ms = '[0-9.]+ ms'",
    )
    with pytest.raises(WorkerFailure, match="needs a group named 'ms' or 's'"):
        loaded(read_codec(path)[0])


def test_a_program_that_is_not_there_is_named_with_the_remedy(tmp_path):
    path = manifest(
        tmp_path,
        'encode = ["no-such-encoder", "{input}", "{output}"]\n'
        'decode = ["no-such-decoder", "{input}", "{output}"]',
    )
    reason = lack_of(read_codec(path)[0])
    assert reason == "program 'no-such-encoder' not found; install it, or add its folder to PATH"


def test_a_wrong_key_of_the_table_is_named(tmp_path):
    path = manifest(tmp_path, 'encode = ["a"]\ndecode = ["b"]\nextention = ".x"')
    with pytest.raises(ManifestError, match=r"unknown key 'extention'; did you mean 'extension'"):
        read_codec(path)


def test_a_ppm_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "image.ppm"
    write_image(path, photograph)
    assert np.array_equal(read_ppm(path.read_bytes()), photograph)
    with pytest.raises(Exception, match="for 140 x 211"):
        read_ppm(path.read_bytes()[:-1])


@pytest.mark.skipif(
    not (shutil.which("cjpeg") and shutil.which("djpeg")),
    reason="cjpeg and djpeg are not installed",
)
def test_cjpeg_and_djpeg_are_a_codec_by_their_command_lines(tmp_path, loaded):
    path = manifest(
        tmp_path,
        'encode = ["cjpeg", "-quality", "{quality}", "-outfile", "{output}", "{input}"]\n'
        'decode = ["djpeg", "-ppm", "-outfile", "{output}", "{input}"]\n'
        'image_format = "ppm"\nextension = ".jpg"',
    )
    running = loaded(read_codec(path)[0])
    bitstream, *_ = running.encode(photograph)
    decoded, _ = running.decode(bitstream)
    assert bitstream.startswith(b"\xff\xd8")
    assert np.abs(decoded.astype(int) - photograph).mean() < 8

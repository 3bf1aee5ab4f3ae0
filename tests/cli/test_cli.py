"""The command line: what people type, what they see, and the exit code that scripts see."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import COMMANDS

ROOT = Path(__file__).parents[2]


def run(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, check=False, cwd=cwd,
    )  # fmt: skip


def measure(tmp_path, photographs, *more):
    return run(
        "run", "--dataset", photographs, "--results", tmp_path / "results", "--out",
        tmp_path / "reports", "--metric", "psnr", "--threads", 1, *more,
    )  # fmt: skip


def loaded_by(*arguments):
    code = f"""
import sys
sys.argv = ['harness', *{arguments!r}]
from harness.cli import main
main()
print(*sys.modules, file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True,
                          capture_output=True, text=True)  # fmt: skip
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("list", "codecs"),
        ("list", "datasets"),
        ("run", "--help"),
        ("check", "--help"),
        ("bdrate", "--help"),
        ("report", "--help"),
    ],
)
def test_help_and_lists_load_neither_torch_nor_pandas(arguments):
    loaded = loaded_by(*arguments)
    assert "click" in loaded
    assert not loaded & {"torch", "pandas", "pyarrow", "matplotlib"}


def test_every_command_explains_itself():
    listed = run("--help").stdout
    for name in COMMANDS:
        assert name in listed
        shown = run(name, "--help")
        assert shown.returncode == 0
        assert "Usage:" in shown.stdout


def test_a_run_ends_with_the_table_and_the_paths_of_its_plots(tmp_path, photographs):
    done = measure(tmp_path, photographs, "--codec", "well-behaved")
    assert done.returncode == 0, done.stderr
    assert "PSNR (dB)" in done.stdout
    paths = [Path(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("wrote")]
    plots = [path for path in paths if path.suffix == ".png"]
    assert plots
    assert all(path.stat().st_size > 10_000 for path in plots)
    assert "9 cases" in done.stderr
    assert "cases/s" in done.stderr


def test_all_lists_what_cannot_run_and_succeeds(tmp_path, photographs):
    done = measure(tmp_path, photographs, "--codec", "all", "--limit", 1, "--no-report")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "unavailable: tiny-network: weights tiny_network.pt not found" in done.stdout
    assert "adapter 'broken-manifest' does not load" in done.stderr
    for title in ("JPEG", "WebP", "AVIF", "HEIC", "JPEG XL", "JPEG 2000"):
        assert title in done.stdout


@pytest.mark.parametrize(
    ("codec", "reason"),
    [
        ("tiny-network", "weights tiny_network.pt not found"),
        ("raises", "KeyError: 'latents'"),
        ("crashes", "SIGSEGV"),
    ],
)
def test_a_codec_asked_for_by_name_that_fails_exits_with_1(tmp_path, photographs, codec, reason):
    done = measure(tmp_path, photographs, "--codec", codec, "--limit", 1, "--no-report")
    assert done.returncode == 1
    assert reason in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("--codec", "jpegg"), "did you mean jpeg"),
        (("--codec", "jpeg", "--metric", "lpip"), "did you mean lpips"),
        (("--codec", "jpeg", "--resolution", "big"), "height x width"),
        (("--codec", "jpeg", "--device", "cuda:77"), "device 'cuda:77' is not there"),
        (("--codec", "jpeg", "--device", "tpu"), "use cpu, cuda or cuda:N"),
        (("--codec", "jpeg", "--repeats", "0"), "--repeats must be at least 1"),
        (("--codec", "jpeg@nowhere.pt"), "has no weights"),
        (("--codec", "jpeg", "--dataset", "kodack"), "did you mean kodak"),
        (("--codec", "broken-manifest"), "license"),
    ],
)
def test_a_bad_request_is_answered_in_two_lines_and_exits_with_2(
    tmp_path, photographs, arguments, answer
):
    done = measure(tmp_path, photographs, *arguments)
    assert done.returncode == 2
    assert answer in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_debug_shows_the_traceback(tmp_path, photographs):
    done = run("--debug", "run", "--codec", "jpegg", "--dataset", photographs)
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_a_bad_image_is_named_and_the_others_are_measured(tmp_path, photographs):
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = min(photographs.glob("*.png"))
    (folder / "good.png").write_bytes(good.read_bytes())
    (folder / "cut.png").write_bytes(good.read_bytes()[:4000])
    (folder / "empty.png").write_bytes(b"")
    done = measure(tmp_path, folder, "--codec", "well-behaved", "--no-report")
    assert done.returncode == 1
    assert "cut.png" in done.stderr
    assert "empty.png" in done.stderr
    assert "measured 3/3" in done.stderr


def test_plan_says_what_is_done_and_what_is_left(tmp_path, photographs):
    options = ["--dataset", photographs, "--metric", "psnr", "--threads", 1,
               "--results", tmp_path / "results"]  # fmt: skip
    before = run("plan", "--codec", "well-behaved", *options)
    assert "9 cases: 0 measured, 9 to measure" in before.stdout
    assert "unknown time" in before.stdout
    assert not (tmp_path / "results").exists(), "plan writes nothing"
    measure(tmp_path, photographs, "--codec", "well-behaved", "--rate", "bits5", "--no-report")
    after = run("plan", "--codec", "well-behaved", *options)
    assert "9 cases: 3 measured, 6 to measure" in after.stdout
    assert "unknown" not in after.stdout


def test_a_file_is_encoded_and_decoded(tmp_path, photographs):
    source = min(photographs.glob("*.png"))
    stream, image = tmp_path / "a.bin", tmp_path / "a.png"
    done = run("encode", source, stream, "--codec", "well-behaved", "--rate", "bits8")
    assert done.returncode == 0, done.stderr
    assert f"{stream.stat().st_size} bytes" in done.stdout
    done = run("decode", stream, image, "--codec", "well-behaved", "--rate", "bits8")
    assert done.returncode == 0, done.stderr
    from harness.images.files import read_image

    assert (read_image(image) == read_image(source)).all()


def test_a_bitstream_of_another_codec_is_refused_by_name(tmp_path, photographs):
    stream = tmp_path / "a.bin"
    stream.write_bytes(b"\x89PNG of no codec here")
    done = run("decode", stream, tmp_path / "a.png", "--codec", "jpeg")
    assert done.returncode == 2
    assert "jpeg" in done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.parametrize("command", ["check", "encode"])
def test_a_device_that_is_not_there_is_refused_before_a_codec_starts(
    command, tmp_path, photographs
):
    files = (next(photographs.glob("*.png")), tmp_path / "coded") if command == "encode" else ()
    codec = ("--codec", "jpeg") if command == "encode" else ("jpeg",)
    done = run(command, *files, *codec, "--device", "cuda:77")
    assert done.returncode == 2
    assert done.stderr.startswith("error: device 'cuda:77' is not there")


def test_runs_are_listed(tmp_path, photographs):
    measure(tmp_path, photographs, "--codec", "well-behaved", "--limit", 1, "--no-report")
    rows = json.loads(run("list", "runs", "--results", tmp_path / "results", "--json").stdout)
    assert [(row["run"], row["cases"], row["ok"]) for row in rows] == [("default", 3, 3)]


def test_doctor_says_what_is_missing_and_the_next_step(tmp_path):
    found = json.loads(run("doctor", "--json", "--results", tmp_path).stdout)
    by_name = {finding["name"]: finding for finding in found}
    assert by_name["jpeg"]["state"] == "works"
    assert by_name["tiny-network"]["state"] == "missing"
    assert "tiny_network.pt" in by_name["tiny-network"]["fix"]
    assert all(finding["fix"] for finding in found if finding["state"] == "missing")
    assert run("doctor").returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes(shell):
    assert "_HARNESS_COMPLETE" in run("completion", shell).stdout


def test_codec_names_are_completed():
    done = run(
        _HARNESS_COMPLETE="bash_complete", COMP_WORDS="harness run --codec jpeg,av", COMP_CWORD="3"
    )
    assert "jpeg,avif" in done.stdout

"""What a container may do, and what is left of it: nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from harness.cli import group
from harness.environments import Docker, docker_image
from harness.environments.client import WorkerFailure
from harness.environments.docker import outermost
from harness.environments.docker_engine import OWNER_LABEL, owner
from tests.environments.conftest import RECIPE, need_engine
from tests.environments.test_workers import LIMITS, PROBE, ROOT, photograph, seen

docker = pytest.mark.docker


def containers(status=None):
    """Those of harnesses, of which the tests' own is not the only one."""
    filters = {"label": OWNER_LABEL, **({"status": status} if status else {})}
    return need_engine().containers.list(all=True, filters=filters, ignore_removed=True)


def wait_for(condition):
    """Wait until something is so; the test's time limit ends it."""
    while not (found := condition()):
        time.sleep(0.05)
    return found


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@docker
def test_it_can_read_but_not_write_what_it_is_given_at_the_same_path(built_image, log, tmp_path):
    given, kept_back = tmp_path / "given.txt", tmp_path / "kept_back.txt"
    given.write_text("weights")
    kept_back.write_text("secrets")
    look = (
        f"[Path({str(given)!r}).read_text(), attempt(lambda: Path({str(given)!r}).write_text('')),"
        f" attempt(lambda: Path({str(PROBE / 'codec.py')!r}).write_text('')),"
        f" attempt(lambda: Path({str(kept_back)!r}).read_text())]"
    )
    found = seen(built_image, look, log, reads=[given])
    assert found == ["weights", "OSError", "OSError", "FileNotFoundError"]
    assert given.read_text() == "weights"


@docker
def test_it_writes_neither_its_image_nor_the_harness(built_image, log):
    look = (
        "[attempt(lambda: Path(folder, 'file').write_text('')) for folder in"
        " ('/', '/opt/environment', '/usr/bin', Path(sys.modules['harness'].__file__).parent)]"
    )
    assert seen(built_image, look, log) == ["OSError"] * 4


@docker
def test_it_has_no_network(built_image, log):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        look = f"[attempt(lambda: socket.create_connection({address})), socket.if_nameindex()]"
        assert seen(built_image, look, log) == ["ConnectionRefusedError", [[1, "lo"]]]


@docker
def test_it_is_the_user_and_has_no_privileges(built_image, log):
    status = seen(built_image, "Path('/proc/self/status').read_text()", log)
    fields = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == [str(os.getuid())] * 4
    assert fields["Gid"].split() == [str(os.getgid())] * 4
    assert {fields[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"


@docker
def test_no_container_is_left_when_the_worker_ends_or_is_ended(built_image, log):
    with built_image.worker(log, 1, LIMITS, reads=[PROBE]) as running:
        assert owner() in {c.labels[OWNER_LABEL] for c in containers("running")}
        running.open(PROBE, "codec:Probe", {"look": "1"}, "cpu")
        running.encode(photograph)
    assert owner() not in {c.labels[OWNER_LABEL] for c in containers()}


def encode(adapters, tmp_path, codec):
    """``harness encode`` of a photograph in a container, begun."""
    picture = tmp_path / "photograph.png"
    Image.fromarray(photograph).save(picture)
    return subprocess.Popen(
        ["env", "--default-signal=INT",  # a shell's background job ignores it
         sys.executable, "-m", "harness", "encode", picture, tmp_path / "coded",
         "--codec", codec, "--environment", "docker"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )  # fmt: skip


def of(process):
    """The running containers that a process started."""
    return [
        c for c in containers("running") if c.labels[OWNER_LABEL].split()[-2] == str(process.pid)
    ]


@docker
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_no_container_is_left_when_the_harness_is_stopped(built_image, adapters, tmp_path, how):
    with encode(adapters, tmp_path, "hangs") as process:
        mine = wait_for(lambda: process.poll() is not None or of(process))
        assert mine is not True, process.stderr.read()
        process.send_signal(how)
        assert process.wait() != 0
    assert mine[0].id not in {c.id for c in containers()}


@docker
def test_what_a_killed_harness_left_ends_by_itself_and_is_removed_at_the_next_start(
    built_image, adapters, tmp_path
):
    with encode(adapters, tmp_path, "hangs") as process:
        mine = wait_for(lambda: process.poll() is not None or of(process))
        assert mine is not True, process.stderr.read()
        process.kill()
    wait_for(lambda: mine[0].id in {c.id for c in containers("exited")})
    with encode(adapters, tmp_path, "well-behaved") as process:
        assert process.wait() == 0, process.stderr.read()
    assert mine[0].id not in {c.id for c in containers()}
    assert (tmp_path / "coded").stat().st_size


@docker
def test_what_a_killed_run_left_is_removed_with_an_environment(
    built_image, adapters, photographs, tmp_path
):
    run = [sys.executable, "-m", "harness", "run", "--codec", "hangs", "--environment", "docker"]
    with subprocess.Popen(
        [*run, "--dataset", photographs, "--results", tmp_path / "results", "--no-report"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        mine = wait_for(lambda: process.poll() is not None or of(process))
        assert mine is not True, process.stderr.read()
        process.kill()
    assert mine[0].id in {c.id for c in containers()}
    removed = CliRunner().invoke(group, ["env", "remove", "hific", "--backend", "docker"])
    assert "1 container of killed runs" in removed.output
    assert mine[0].id not in {c.id for c in containers()}


@docker
def test_a_container_of_a_living_harness_is_left_alone(built_image, adapters, log, tmp_path):
    with built_image.worker(log, 1, LIMITS, reads=[PROBE]) as running:
        with encode(adapters, tmp_path, "well-behaved") as process:
            assert process.wait() == 0, process.stderr.read()
        running.open(PROBE, "codec:Probe", {"look": "1"}, "cpu")
        assert running.encode(photograph)[0] == b"1"


@docker
def test_the_image_tells_its_recipe_and_is_built_once(built_image):
    lines = []
    docker_image.build(RECIPE, None, lines.append)
    assert not any("pip" in line and "Collecting" in line for line in lines)
    assert built_image.label == f"docker:plain@{built_image.tag}"
    assert built_image.size > 1 << 24


@docker
def test_a_missing_gpu_is_reported_with_the_remedy(built_image, log):
    import torch

    if torch.cuda.is_available():
        pytest.skip("NOT CHECKED: this machine has a GPU")
    with (
        pytest.raises(WorkerFailure, match="NVIDIA Container Toolkit") as failed,
        built_image.worker(log, 1, LIMITS, device="cuda"),
    ):
        pass
    assert failed.value.status == "unavailable"


def test_a_missing_engine_is_reported_with_the_remedy(monkeypatch, tmp_path):
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    lack = Docker(RECIPE).lack()
    assert "does not answer: No such file" in lack.problem
    assert lack.remedy.startswith("start it")
    assert Docker(RECIPE).label == "docker:plain"


def test_what_lies_in_a_folder_that_is_mounted_is_not_mounted_again():
    paths = [Path("/a/b/c"), Path("/a/b"), Path("/a/bc"), Path("/a/b")]
    assert outermost(paths) == [Path("/a/b"), Path("/a/bc")]


@docker
def test_a_shell_may_write_the_checkout_and_nothing_else(built_image, adapters):
    words = "touch built && id -u && touch /opt/environment/file"
    done = subprocess.run(
        [sys.executable, "-m", "harness", "env", "shell", "plain", "--backend", "docker", "--",
         "sh", "-c", words],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    checkout = Path(os.environ["HARNESS_UPSTREAM"]) / "misbehaving" / "coder"
    assert (checkout / "built").stat().st_uid == os.getuid(), done.stderr
    assert done.stdout.split() == [str(os.getuid())]
    assert done.returncode != 0 or os.getuid() == 0

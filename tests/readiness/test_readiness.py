"""What doctor, list and check say of a codec on its way: each thing it needs, and the next step."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from lacking import lack_of

import harness
from harness.catalog.codec_manifest import read_codec
from harness.cli import group
from harness.environments import Venv
from harness.environments.venv import BUILT
from harness.errors import HarnessError, ManifestError
from harness.paths import find_upstream
from harness.plan.prepare import prepare
from harness.plan.request import Request
from harness.readiness.ready import Readiness, summary

MANIFEST = """
name = "theirs"
title = "Theirs"
family = "learned"
licence = "none"
entry = "codec:Theirs"
network = true

[upstream]
repository = "https://example.org/theirs"
commit = "{commit}"
subfolder = "codec"

[environment]
name = "theirs"

[[extension]]
title = "range coder"
file = "coder/ans.{{abi}}*.so"
build = "cd coder && make"

[[extension]]
title = "CUDA kernels"
file = "kernels.{{abi}}*.so"
build = "make"
required = false

[[weights]]
file = "low.pt"
sources = ["https://example.org/low.pt"]

[[weights]]
file = "high.pt"
page = "https://example.org/share"

[[rate]]
id = "low"
weights = ["low.pt"]

[[rate]]
id = "high"
weights = ["high.pt"]
"""


def git(folder, *words):
    identity = ["-c", "user.name=Author", "-c", "user.email=author@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def checkout(tmp_path):
    """Upstream's checkout at the commit of the manifest, not yet where it is looked for."""
    folder = tmp_path / "official"
    (folder / "codec" / "coder").mkdir(parents=True)
    (folder / "codec" / "model.py").write_text("theirs")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


@pytest.fixture
def spec(tmp_path, checkout, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_ADAPTERS", str(tmp_path / "adapters"))
    monkeypatch.setenv("HARNESS_UPSTREAM", str(tmp_path / "checkouts"))
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.delenv("HARNESS_ENVIRONMENT", raising=False)
    folder = tmp_path / "adapters" / "theirs"
    (folder / "container").mkdir(parents=True)
    (folder / "container" / "requirements.txt").write_text("--no-index\n")
    (folder / "codec.toml").write_text(MANIFEST.format(commit=git(checkout, "rev-parse", "HEAD")))
    for name in ("checkouts", "weights"):
        (tmp_path / name).mkdir()
    return read_codec(folder / "codec.toml")[0]


def doctor():
    done = CliRunner().invoke(group, ["doctor", "--json"], catch_exceptions=False)
    found = {finding["name"]: finding for finding in json.loads(done.output)}["theirs"]
    return found["state"], found["detail"], found["fix"]


def test_every_step_to_a_running_codec_is_reported_with_its_command(spec, checkout, tmp_path):
    commit = git(checkout, "rev-parse", "HEAD")
    state, detail, fix = doctor()
    assert (state, detail) == (
        "missing",
        "environment no, checkout no, weights of 0 of 2 rate points",
    )
    assert fix == "run 'harness env build theirs'"

    python = Venv(spec.environment).python
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (python.parents[1] / BUILT).write_text('{"bytes": 0}')
    state, detail, fix = doctor()
    assert detail.startswith(f"environment {Venv(spec.environment).label}, checkout no")
    assert fix == "run 'harness upstream fetch theirs'"

    checkout.rename(tmp_path / "checkouts" / "theirs")
    state, detail, fix = doctor()
    assert f"checkout {commit[:12]}, range coder not built, CUDA kernels not built (opt" in detail
    assert fix == "run: harness env shell theirs -- sh -c 'cd coder && make'"

    coder = find_upstream("theirs") / "codec" / "coder"
    (coder / "ans.cpython-38-x86_64-linux-gnu.so").write_bytes(b"of another Python")
    assert doctor()[2] == fix
    (coder / "ans.cpython-311-x86_64-linux-gnu.so").write_bytes(b"built")
    state, detail, fix = doctor()
    assert "range coder built" in detail
    assert fix.startswith("run 'harness weights fetch theirs'")
    assert lack_of(spec, weights="random") is None

    (tmp_path / "weights" / "low.pt").write_bytes(b"weights")
    state, detail, fix = doctor()
    assert (state, fix) == ("works", "")
    assert detail.endswith("weights of 1 of 2 rate points")


def test_list_and_check_tell_the_same(spec):
    reason = "environment 'theirs' is not built; run 'harness env build theirs'"
    listed = CliRunner().invoke(group, ["list", "codecs", "--json"]).output
    assert {c["codec"]: c for c in json.loads(listed)}["theirs"]["unavailable"] == reason
    checked = CliRunner().invoke(group, ["check", "theirs"])
    assert str(checked.exception) == f"codec 'theirs' is unavailable: {reason}"


def test_a_checkout_of_another_commit_is_named_with_the_command_that_mends_it(
    spec, checkout, tmp_path
):
    (checkout / "codec" / "model.py").write_text("newer")
    git(checkout, "commit", "--quiet", "-am", "second")
    folder = checkout.rename(tmp_path / "checkouts" / "theirs")
    assert "which is not the pinned one" in summary(Readiness(environment="inline").needs(spec))
    command = lack_of(spec, environment="inline").partition("; run: ")[2]
    git(folder, "remote", "add", "origin", ".")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert "range coder is not built" in lack_of(spec, environment="inline")


def test_a_changed_file_of_a_checkout_makes_the_codec_unavailable(
    spec, checkout, tmp_path, photographs
):
    folder = checkout.rename(tmp_path / "checkouts" / "theirs")
    (folder / "codec" / "coder").mkdir(exist_ok=True)
    (folder / "codec" / "coder" / "ans.cpython-311.so").write_bytes(b"built")
    asked = Request(["theirs"], [str(photographs)], environment="inline", weights="random")
    assert prepare(asked).plan.unavailable == {}
    (folder / "codec" / "model.py").write_text("better")
    assert "model.py was changed; run: git -C" in str(prepare(asked).plan.unavailable["theirs"])
    assert "changed" in summary(Readiness(environment="inline").needs(spec))
    lack = lack_of(spec, environment="inline")
    assert lack.startswith(f"{folder}/codec/model.py was changed; run: git -C")


def test_weights_that_only_a_browser_can_download_are_reported_with_their_page(spec):
    lack = Readiness().weights(spec, spec.rates[1])
    assert lack.remedy.startswith("get it from https://example.org/share and place it at ")


def test_an_extension_needs_a_checkout_to_be_built_in(spec):
    path = spec.folder / "codec.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[upstream]")] + text[text.index("[environment]") :])
    with pytest.raises(ManifestError, match=r"needs the \[upstream\]"):
        read_codec(path)


def test_every_command_refuses_a_changed_checkout(spec, checkout, tmp_path, photographs):
    folder = checkout.rename(tmp_path / "checkouts" / "theirs")
    (folder / "codec" / "coder" / "ans.cpython-311.so").write_bytes(b"built")
    (folder / "codec" / "model.py").write_text("better")
    image = photographs / "coffee.png"
    options = ["--environment", "inline", "--weights", "random"]
    for command in (
        ["run", "--codec", "theirs", "--dataset", str(photographs), "--no-report", *options,
         "--results", str(tmp_path / "results")],
        ["plan", "--codec", "theirs", "--dataset", str(photographs), *options],
        ["check", "theirs", *options],
        ["encode", str(image), str(tmp_path / "out"), "--codec", "theirs", *options],
        ["decode", str(image), str(tmp_path / "out.png"), "--codec", "theirs", *options],
    ):  # fmt: skip
        done = CliRunner().invoke(group, command)
        said = f"{done.output}{done.exception}"
        assert "model.py was changed; run: git -C" in said, command
    with pytest.raises(HarnessError, match="was changed") as refused:
        harness.load_codec("theirs", environment="inline", weights="random")
    assert refused.value.remedy.startswith("run: git -C")


def test_truncated_weights_are_seen_before_a_codec_starts(spec, checkout, tmp_path):
    path = spec.folder / "codec.toml"
    path.write_text(path.read_text().replace('file = "low.pt"', 'file = "low.pt"\nsize = 1000'))
    (tmp_path / "weights" / "low.pt").write_bytes(b"half of them")
    codec = read_codec(path)[0]
    lack = Readiness(environment="inline").weights(codec, codec.rates[0])
    assert "truncated or of another version: their size is 12 bytes, not 1000" in lack.problem
    assert lack.remedy == "delete the file and fetch it again"
    [need] = [n for n in Readiness(environment="inline").needs(codec) if n.name == "weights"]
    assert need.lack == lack, "doctor and list say so, too"

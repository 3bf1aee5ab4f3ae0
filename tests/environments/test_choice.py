"""Which environment a codec gets, how one is built, and what is said where there is none."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from lacking import lack_of

import harness
from harness.catalog.codec_spec import Requirement
from harness.cli import group
from harness.environments import Docker, Inline, Venv, choose
from harness.environments.recipe import image_tag, venv_tag
from harness.environments.venv import interpreter
from harness.errors import HarnessError, UnknownName
from tests.environments.conftest import RECIPE
from tests.environments.test_workers import ROOT


@pytest.fixture(autouse=True)
def _nothing_built(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.delenv("HARNESS_ENVIRONMENT", raising=False)


def changed(tmp_path, requirements):
    """The recipe with other requirements."""
    folder = tmp_path / "recipe"
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text(requirements)
    return replace(RECIPE, recipe=folder)


def test_a_codec_without_an_environment_runs_inline_whatever_is_asked_for(codec):
    spec = replace(codec("well-behaved"), environment=None)
    for wanted in ("auto", "inline", "venv", "docker"):
        assert isinstance(choose(spec, wanted), Inline)
        assert lack_of(spec, environment=wanted) is None


def test_a_codec_gets_the_environment_that_is_asked_for(codec, monkeypatch):
    spec = codec("well-behaved")
    assert isinstance(choose(spec, "inline"), Inline)
    assert isinstance(choose(spec, "venv"), Venv)
    assert isinstance(choose(spec, "docker"), Docker)
    monkeypatch.setenv("HARNESS_ENVIRONMENT", "inline")
    assert isinstance(choose(spec), Inline)
    assert isinstance(choose(spec, "venv"), Venv)


def test_a_codec_gets_the_environment_that_is_built(codec, venv):
    assert choose(codec("well-behaved")).label == venv.label
    assert lack_of(codec("well-behaved")) is None


def test_what_is_not_built_is_reported_with_the_command_that_builds_it(codec):
    reason = "environment 'plain' is not built; run 'harness env build plain'"
    assert lack_of(codec("well-behaved")) == reason


def test_a_module_that_runs_inline_must_be_installed_here(codec):
    needs = Requirement(module="no_such_module", install="pip install it")
    spec = replace(codec("well-behaved"), requires=(needs,))
    assert (
        lack_of(spec, environment="inline") == "module 'no_such_module' not found; pip install it"
    )


def test_a_variable_that_names_no_environment_is_refused(codec, monkeypatch):
    monkeypatch.setenv("HARNESS_ENVIRONMENT", "dokcer")
    with pytest.raises(UnknownName, match="did you mean docker"):
        choose(codec("well-behaved"))


def test_another_recipe_is_another_environment(tmp_path):
    recipe = changed(tmp_path, "numpy==2.2.6\n")
    tags = {venv_tag(recipe), venv_tag(replace(recipe, python="3.12"))}
    images = {image_tag(recipe, "debian"), image_tag(recipe, "ubuntu")}
    recipe = changed(tmp_path, "numpy==2.2.5\n")
    assert len(tags | {venv_tag(recipe)}) == 3
    assert len(images | {image_tag(recipe, "debian")}) == 3


def test_a_missing_python_is_reported_with_the_remedy():
    with pytest.raises(HarnessError, match=r"needs Python 3\.99.*--backend docker"):
        interpreter(replace(RECIPE, python="3.99"))
    with pytest.raises(HarnessError, match=r"asks for Python 3\.8; workers need at least 3\.10"):
        interpreter(replace(RECIPE, python="3.8"))


def test_a_failed_build_says_why_and_continues_when_it_can(tmp_path):
    broken = Venv(changed(tmp_path, "--no-index\nno-such-package==1\n"))
    with pytest.raises(HarnessError, match="No matching distribution found for no-such-package"):
        broken.build(lambda line: None)
    assert "no-such-package" in broken.log.read_text()
    assert not broken.built
    begun = changed(tmp_path, "--no-index\n")
    broken.folder.rename(Venv(begun).folder)
    Venv(begun).build(lambda line: None)
    assert Venv(begun).built
    assert Venv(begun).lack() is None
    assert Venv(begun).size > 1 << 20


def test_a_run_records_where_it_ran_and_what_is_not_built(
    adapters, photographs, tmp_path, venv, monkeypatch
):
    options = {"metric": "psnr", "rate": "bits8", "limit": 1, "results": tmp_path, "threads": 1}
    frame = harness.run("well-behaved", str(photographs), environment="venv", **options)
    assert list(frame["status"]) == ["ok"]
    assert list(frame["environment"]) == [venv.label]
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "empty"))
    frame = harness.run("raises", str(photographs), **options)
    assert list(frame["status"]) == ["unavailable"]
    assert "run 'harness env build plain'" in frame["message"][0]


def test_env_lists_and_removes_what_is_built(adapters):
    def listed():
        lines = CliRunner().invoke(group, ["env", "list"]).output.splitlines()
        return next(line.split() for line in lines if line.startswith("plain ") and "venv" in line)

    (adapters / "container" / "requirements.txt").write_text("--no-index\n")
    assert listed()[3] == "no"
    built = CliRunner().invoke(group, ["env", "build", "plain"], catch_exceptions=False)
    assert "built: " in built.output
    assert listed()[3] == "yes"
    removed = CliRunner().invoke(group, ["env", "remove", "crashes"], catch_exceptions=False)
    assert "removed: " in removed.output
    assert listed()[3] == "no"
    assert list(Path(os.environ["HARNESS_CACHE"], "environments").iterdir()) == []


def test_a_shell_begins_in_the_checkout_with_the_environments_python(adapters, venv, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(venv.folder.parents[1]))
    words = "import os, sys; print(os.getcwd(), sys.prefix)"
    done = subprocess.run(
        [sys.executable, "-m", "harness", "env", "shell", "plain", "--", "python", "-c", words],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    checkout = Path(os.environ["HARNESS_UPSTREAM"]) / "misbehaving" / "coder"
    assert done.stdout.split() == [str(checkout), str(venv.folder)], done.stderr
    done = CliRunner().invoke(group, ["env", "shell", "plane"])
    assert "did you mean plain" in str(done.exception)

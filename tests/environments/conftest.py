"""A recipe with numpy alone, built as a virtual environment and as an image."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog.codec_manifest import read_codec
from harness.catalog.codec_spec import EnvironmentSpec
from harness.environments import Docker, Venv, docker_image
from harness.environments.docker_engine import engine, remove_leftovers
from harness.errors import HarnessError

FIXTURES = Path(__file__).parents[1] / "fixtures"
RECIPE = EnvironmentSpec("plain", "3.11", FIXTURES / "containers" / "plain")
COMMIT = "0123456789" * 4
MANIFEST = f"""
[environment]
name = "plain"

[upstream]
repository = "https://example.org/codec"
commit = "{COMMIT}"
subfolder = "coder"
"""


def need_engine():
    """The engine; where none answers the test is skipped, or fails if one is required."""
    try:
        return engine()
    except HarnessError as error:
        if os.environ.get("HARNESS_REQUIRE_DOCKER"):
            pytest.fail(f"HARNESS_REQUIRE_DOCKER is set, and {error}")
        pytest.skip(f"NOT CHECKED, containers: {error}")


@pytest.fixture(scope="session")
def built_venv(tmp_path_factory):
    """The recipe as a virtual environment, in a cache of the tests' own."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(cache))
        Venv(RECIPE).build(lambda line: None)
    return cache


@pytest.fixture(scope="session")
def built_image():
    """The recipe as an image, on the base that HARNESS_DOCKER_BASE names."""
    client = need_engine()
    docker_image.build(RECIPE, None, lambda line: None)
    yield Docker(RECIPE)
    remove_leftovers(client)


@pytest.fixture
def venv(built_venv, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(built_venv))
    return Venv(RECIPE)


@pytest.fixture(params=["venv", pytest.param("docker", marks=pytest.mark.docker)])
def environment(request):
    """Each environment that has an interpreter of its own."""
    return request.getfixturevalue({"venv": "venv", "docker": "built_image"}[request.param])


@pytest.fixture
def codec():
    """The fixture codec that misbehaves in the way that the name says, in the recipe's own."""
    specs = {s.name: s for s in read_codec(FIXTURES / "adapters" / "misbehaving" / "codec.toml")}
    return lambda name: replace(specs[name], environment=RECIPE)


@pytest.fixture
def adapters(tmp_path, monkeypatch):
    """The misbehaving codecs, of a manifest that names the recipe and an upstream repository."""
    folder = tmp_path / "adapters" / "misbehaving"
    shutil.copytree(FIXTURES / "adapters" / "misbehaving", folder)
    shutil.copytree(RECIPE.recipe, folder / "container")
    with (folder / "codec.toml").open("a") as manifest:
        manifest.write(MANIFEST)
    checkout = tmp_path / "upstream" / "misbehaving"
    (checkout / "coder").mkdir(parents=True)
    (checkout / ".git").mkdir()
    (checkout / ".git" / "HEAD").write_text(COMMIT)
    monkeypatch.setenv("HARNESS_ADAPTERS", str(folder.parent))
    monkeypatch.setenv("HARNESS_UPSTREAM", str(checkout.parent))
    return folder

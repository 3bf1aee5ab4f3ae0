"""What the tests of the whole harness share: fixture codecs and a folder of photographs."""

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
import skimage.data
from PIL import Image

FIXTURES = Path(__file__).parent / "fixtures"

# How long an example takes says something of the machine, and nothing of the claim.
hypothesis.settings.register_profile("harness", deadline=None)
hypothesis.settings.load_profile("harness")


def pytest_configure(config):
    """Give the tests a temporary folder of their own: runs outside them hold the machine's lock."""
    config.harness_tmp = tempfile.mkdtemp(prefix="harness-tests-")
    os.environ["TMPDIR"] = config.harness_tmp
    os.environ.pop("XDG_RUNTIME_DIR", None)
    os.environ.pop("XDG_RUNTIME_DIR", None)
    tempfile.tempdir = None


def pytest_unconfigure(config):
    shutil.rmtree(config.harness_tmp, ignore_errors=True)


@pytest.fixture(autouse=True)
def _fixture_adapters(monkeypatch):
    monkeypatch.setenv("HARNESS_ADAPTERS", str(FIXTURES / "adapters"))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """A folder with three crops of photographs, one of them upright."""
    folder = tmp_path_factory.mktemp("photographs")
    sources = {
        "astronaut": (0, 0, 288, 192),
        "chelsea": (60, 40, 252, 232),
        "coffee": (150, 60, 342, 348),
    }
    for name, box in sources.items():
        Image.fromarray(getattr(skimage.data, name)()).crop(box).save(folder / f"{name}.png")
    return folder

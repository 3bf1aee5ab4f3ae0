"""A finished run to verify: JPEG, WebP and a network on two crops of a photograph."""

import shutil

import pytest
import skimage.data
from PIL import Image

import harness


@pytest.fixture(scope="session")
def crops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verified") / "crops"
    folder.mkdir()
    for n in range(2):
        crop = skimage.data.astronaut()[60 * n : 60 * n + 176, 80 : 80 + 192]
        Image.fromarray(crop).save(folder / f"crop{n}.png")
    return folder


@pytest.fixture(scope="session")
def measured(tmp_path_factory, crops):
    """The run's folder, which no test may change."""
    folder = tmp_path_factory.mktemp("measured")
    for codec, rate in (("jpeg", "q20"), ("webp", "q40"), ("progic-tiny", "s1")):
        frame = harness.run(
            codec,
            str(crops),
            rate=rate,
            limit=1 if codec == "progic-tiny" else None,
            metric=["psnr", "ms_ssim"],
            results=folder,
            name="run",
            threads=1,
        )
        assert (frame["status"] == "ok").all()
    return folder / "run"


@pytest.fixture
def run(measured, tmp_path):
    """A copy of the run's folder, to be changed."""
    return shutil.copytree(measured, tmp_path / "run")

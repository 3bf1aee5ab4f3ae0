"""What the tests of the whole harness share: fixture codecs and a folder of photographs."""

from pathlib import Path

import pytest
import skimage.data
from PIL import Image

FIXTURES = Path(__file__).parent / "fixtures"


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

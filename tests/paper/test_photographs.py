"""A panel shows what a codec decoded, and nothing that was put in its place."""

import pytest
from PIL import Image

import harness
from harness.errors import HarnessError
from harness.paper.photographs import load_picture


def test_a_picture_put_in_place_of_a_reconstruction_is_not_shown(tmp_path, photographs):
    frame = harness.run(
        "well-behaved", str(photographs), rate="bits5", limit=1, metric="psnr", results=tmp_path,
        threads=1,
    )  # fmt: skip
    row = frame.iloc[0]

    def show():
        return load_picture(tmp_path, frame, ["well-behaved"], "psnr", row["bpp"], 64, box=None)

    (path,) = (tmp_path / "default" / "reconstructions").rglob("*.png")
    with pytest.raises(HarnessError, match="is not here"):
        show()  # as far as it gets: the photographs of a folder are found by no name
    with Image.open(path) as image:
        image.rotate(180).save(path)
    with (
        pytest.warns(UserWarning, match="not what was written"),
        pytest.raises(HarnessError, match="no reconstruction was kept"),
    ):
        show()

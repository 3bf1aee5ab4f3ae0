"""The search for held-out photographs among those to train on finds planted ones, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import skimage.data
from click.testing import CliRunner
from progic.tools.commands import main
from progic.tools.training.duplicates import SUSPICIOUS, closest

PHOTOGRAPH = PIL.Image.fromarray(skimage.data.astronaut())

COPIES = {
    "smaller": PHOTOGRAPH.resize((200, 200)),
    "mirrored": PIL.ImageOps.mirror(PHOTOGRAPH),
    "darker": PHOTOGRAPH.point(lambda value: value // 2),
    "a corner": PHOTOGRAPH.crop((256, 256, 512, 512)),
    "grey": PHOTOGRAPH.convert("L").convert("RGB"),
}


@pytest.fixture
def others(tmp_path: Path) -> Path:
    folder = tmp_path / "training"
    folder.mkdir()
    for name in ("coffee", "chelsea", "rocket"):
        PIL.Image.fromarray(getattr(skimage.data, name)()).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    folder = tmp_path / "held out"
    folder.mkdir()
    PHOTOGRAPH.save(folder / "astronaut.png")
    return folder


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found(copy: str, held_out: Path, others: Path) -> None:
    COPIES[copy].save(others / "copy.jpg", quality=50)
    [pair] = closest(list(held_out.iterdir()), sorted(others.iterdir()))
    assert pair.training.name == "copy.jpg"
    assert pair.correlation >= SUSPICIOUS


def test_the_held_out_one_may_be_the_part(held_out: Path, others: Path) -> None:
    PHOTOGRAPH.crop((0, 0, 384, 384)).save(held_out / "astronaut.png")
    PHOTOGRAPH.save(others / "whole.png")
    [pair] = closest(list(held_out.iterdir()), sorted(others.iterdir()))
    assert pair.training.name == "whole.png"
    assert pair.correlation >= SUSPICIOUS


def test_the_command_fails_only_on_a_copy(held_out: Path, others: Path) -> None:
    arguments = ["duplicates", "--held-out", str(held_out), "--images", str(others)]
    before = CliRunner().invoke(main, arguments)
    assert before.exit_code == 0, before.output
    assert "0 of 1 pairs" in before.output
    COPIES["smaller"].save(others / "copy.jpg")
    after = CliRunner().invoke(main, arguments)
    assert after.exit_code == 1
    assert "copy.jpg" in after.output


def test_an_image_that_cannot_be_read_is_passed_over(held_out: Path, others: Path) -> None:
    (others / "broken.png").write_bytes(b"no image")
    flat = np.zeros((64, 64, 3), np.uint8)
    PIL.Image.fromarray(flat).save(others / "flat.png")
    [pair] = closest(list(held_out.iterdir()), sorted(others.iterdir()))
    assert pair.correlation < SUSPICIOUS

"""A protocol is data, read strictly."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError, ManifestError, UnknownName
from harness.paper.protocol import find_protocol, read_protocol
from harness.paths import data_folder

FOLDER = data_folder("protocols")
TEXT = (FOLDER / "progic.toml").read_text()


def read(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return read_protocol(path)


def test_the_protocol_of_progic_is_that_of_its_paper():
    protocol = find_protocol("progic", FOLDER)
    assert protocol.bdrate.anchor == "ms-illm"
    assert protocol.bdrate.exclude == {"control-gic": 0.15}
    assert list(protocol.datasets) == ["kodak", "tecnick", "div2k", "clic2020"]
    assert protocol.runtime.resolutions == ("512x768", "1080x1920", "1440x2560", "2160x3840")
    assert protocol.metrics == ("lpips", "dists", "psnr", "ms_ssim", "clip_iqa")


def test_three_rate_points_are_what_a_protocol_asks_for_and_four_are_usual(tmp_path):
    assert find_protocol("progic", FOLDER).bdrate.min_points == 3
    assert read(tmp_path, TEXT.replace("min_points = 3", "")).bdrate.min_points == 4


def test_a_protocol_is_also_named_by_its_file(tmp_path):
    (tmp_path / "mine.toml").write_text(TEXT.replace('name = "progic"\ntitle', 'name = "a"\ntitle'))
    assert find_protocol(str(tmp_path / "mine.toml"), FOLDER).name == "a"


def test_a_misspelt_protocol_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean progic"):
        find_protocol("progci", FOLDER)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('anchor = "ms-illm"', 'anchor = "msillm"', "codec 'msillm' has no entry"),
        ("slow_seconds", "slow_second", "key 'slow_seconds' is missing"),
        ("crop = 256", "crop = 256\nzoom = 2", "unknown key 'zoom'"),
        ('"512x768"', '"768"', "'768' is not of the form 512x768"),
        ('metrics = ["lpips", "dists"]', 'metrics = ["lpip"]', "did you mean lpips"),
        ("control-gic = 0.15", 'control-gic = "low"', "a bpp for each codec"),
        ("crop = 256", "crop = 0", "over zero"),
        ("min_points = 3", "min_points = 2", "'min_points' must be at least 3"),
    ],
)
def test_a_mistake_is_reported_by_name(tmp_path, old, new, problem):
    assert TEXT.count(old) == 1
    with pytest.raises(HarnessError, match=problem):
        read(tmp_path, TEXT.replace(old, new))


def test_a_file_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(ManifestError, match=r"none\.toml"):
        find_protocol(str(tmp_path / "none.toml"), FOLDER)

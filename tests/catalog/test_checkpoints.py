"""Checkpoints are named by a pattern, and come in the order of their steps."""

import pytest

from harness.catalog.codecs import load_catalog, select
from harness.errors import HarnessError


@pytest.fixture
def checkpoints(tmp_path):
    for name in ("step10.pt", "step9.pt", "step200.pt", "notes.txt", "deep/step3.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def chosen(*names):
    specs, by_name = select(load_catalog(), names)
    assert by_name
    return [spec.checkpoint.name for spec in specs]


def test_a_pattern_names_every_checkpoint_in_the_order_of_its_number(checkpoints):
    assert chosen(f"tiny-network@{checkpoints}/*.pt") == ["step9.pt", "step10.pt", "step200.pt"]


def test_two_stars_look_into_folders_too(checkpoints):
    assert sorted(chosen(f"tiny-network@{checkpoints}/**/*.pt"))[-2:] == ["step3.pt", "step9.pt"]


def test_a_checkpoint_that_two_names_lead_to_is_measured_once(checkpoints):
    (checkpoints / "last.pt").symlink_to(checkpoints / "step200.pt")
    names = chosen(f"tiny-network@{checkpoints}/*.pt", f"tiny-network@{checkpoints}/step9.pt")
    assert sorted(names) == ["step10.pt", "step200.pt", "step9.pt"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(checkpoints):
    (checkpoints / "step[1].pt").write_bytes(b"weights")
    assert chosen(f"tiny-network@{checkpoints}/step[1].pt") == ["step[1].pt"]


def test_a_pattern_without_a_match_is_an_error(checkpoints):
    with pytest.raises(HarnessError, match=r"no checkpoint .* matches .*\*\.ckpt"):
        chosen(f"tiny-network@{checkpoints}/*.ckpt")


def test_a_codec_without_weights_accepts_no_pattern(checkpoints):
    with pytest.raises(HarnessError, match="has no weights"):
        select(load_catalog(), [f"jpeg@{checkpoints}/*.pt"])

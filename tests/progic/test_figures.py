"""The supplement's figures come from real encodes, and say whose weights they show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image
from progic.network import random_network
from progic.presets import PRESETS
from progic.tools.commands import main
from progic.tools.figures.measures import codebook_entropy
from progic.tools.figures.satellite import Link, satellite
from progic.tools.figures.sheet import WARNING_COLOR, write_sheet
from progic.tools.figures.subject import Photograph, Subject, entropy
from progic.tools.save import save_checkpoint


@pytest.fixture(autouse=True)
def _one_thread_each(monkeypatch):
    monkeypatch.setenv("HARNESS_THREADS", "1")
    monkeypatch.delenv("HARNESS_ADAPTERS", raising=False)


@pytest.fixture(scope="module")
def subject():
    return Subject("random:progic-tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photograph):
    folder = tmp_path_factory.mktemp("shown")
    Image.fromarray(photograph).save(folder / "cat.png")
    return folder


def test_a_256_square_photograph_takes_one_packet_a_stage(subject, photograph):
    sheet = satellite(subject, Photograph("cat", photograph), "webp", Link(360, 60))
    table = pd.DataFrame(list(sheet.rows))
    ours = table[table.codec.str.startswith("progic")]
    assert ours.packets.tolist() == [1, 2, 3, 4, 5]
    assert ours.seconds.tolist() == [0, 60, 120, 180, 240]
    assert ours.bytes.diff()[1:].tolist() == [320] * 4
    others = table[table.codec.str.startswith("WebP")]
    assert len(others) == 2  # one view each: nothing is seen before all bytes are there
    assert (others.packets == np.ceil(others.bytes / 360)).all()


def test_fewer_packets_than_stages_show_the_last_complete_stage(subject, photograph):
    sheet = satellite(subject, Photograph("cat", photograph), "webp", Link(700, 10))
    ours = [row for row in sheet.rows if row["codec"].startswith("progic")]
    assert [row["bytes"] for row in ours] == [653, 1293, 1613]
    assert [row["seconds"] for row in ours] == [0, 10, 20]


def test_figures_of_random_weights_say_so_in_red(subject, photograph, tmp_path):
    sheet = codebook_entropy(subject, [Photograph("cat", photograph)])
    paths = write_sheet(sheet, subject, tmp_path)
    assert [path.suffix for path in paths] == [".png", ".pdf", ".csv"]
    assert "RANDOM WEIGHTS" in sheet.figure.get_supxlabel()
    assert sheet.figure._supxlabel.get_color() == WARNING_COLOR
    assert Image.open(paths[0]).width > 900


@pytest.mark.parametrize(
    ("step", "words", "trained"),
    [
        ("2400", "HARDLY TRAINED: 2,400 steps", False),
        ("2000000", "2,000,000 steps", True),
        ("", "not stated", True),
    ],
)
def test_figures_say_how_long_their_weights_were_trained(tmp_path, step, words, trained):
    path = tmp_path / "progic-tiny.safetensors"
    save_checkpoint(path, random_network(PRESETS["progic-tiny"]), {"step": step})
    subject = Subject(str(path))
    assert words in subject.note
    assert subject.trained is trained


def test_entropy_counts_the_indices_of_the_bitstream(subject, photograph):
    sheet = codebook_entropy(subject, [Photograph("cat", photograph)])
    indices = subject.indices(photograph)[0]
    assert sheet.rows[0]["indices"] == indices.size == 13 * 17
    assert sheet.rows[0]["words_used"] == len(np.unique(indices))
    _, counts = np.unique(indices, return_counts=True)
    assert sheet.rows[0]["entropy_bits"] == pytest.approx(entropy(counts.astype(float)))


def test_the_command_draws_what_it_is_asked_for(folder, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("constriction")
    command = ["figures", "random:progic-tiny", f"--images={folder}", f"--output={tmp_path}"]
    done = CliRunner().invoke(main, [*command, "--only=5,7"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rates = pd.read_csv(tmp_path / "figure-7-rate-ranges.csv").set_index(["preset", "stage"])
    assert (rates.bpp > rates.equation_1_bpp).all()
    assert {preset for preset, _ in rates.index} >= {"progic", "progic-n16-f32", "progic-n48-f64"}
    assert len(pd.read_csv(tmp_path / "figure-5-tsne.csv")) == 6 * 12 * 17


def test_the_command_refuses_what_it_does_not_know_in_one_line(folder, tmp_path):
    for arguments in (["random:progic-xl"], ["random:progic-tiny", "--only=9"]):
        command = ["figures", *arguments, f"--images={folder}", f"--output={tmp_path}"]
        done = CliRunner().invoke(main, command)
        assert done.exit_code != 0
        assert "Traceback" not in done.output

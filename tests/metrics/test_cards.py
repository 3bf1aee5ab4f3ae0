import dataclasses
import importlib.util
import json
import subprocess
import sys

import pytest

from harness.catalog.metrics import METRICS
from harness.metrics import Card, Scorer


def test_a_card_is_json_and_names_what_the_value_depends_on():
    card = Scorer(["psnr"]).cards["psnr"]
    told = json.loads(json.dumps(card.as_dict(), allow_nan=False))
    assert told["direction"] == "higher"
    assert told["best"] == "inf"
    assert told["input_range"] == "0..255"
    assert told["resizing"] == "none"


def test_two_cards_agree_exactly_when_all_they_say_agrees():
    card = Card("lpips", "lpips", "0.1.4", "VGG16", "-1..1", {"vgg16": "a" * 64})
    assert card.id == dataclasses.replace(card).id
    for change in ({"version": "0.1.5"}, {"weights": {"vgg16": "b" * 64}}, {"definition": "Alex"}):
        assert dataclasses.replace(card, **change).id != card.id


@pytest.mark.metric_weights
def test_the_networks_metrics_state_the_hash_of_every_weight(vgg_tensors):
    cards = Scorer(["lpips", "dists"]).cards
    assert set(cards["lpips"].weights) == {"vgg16", "linear"}
    assert set(cards["dists"].weights) == {"vgg16", "channels"}
    assert cards["lpips"].weights["vgg16"] == cards["dists"].weights["vgg16"]


def test_metrics_are_listed_without_importing_torch():
    program = (
        "import sys; from harness.catalog.metrics import METRICS; print(*METRICS);"
        "sys.exit(bool({'torch', 'pandas', 'pyiqa'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.split() == list(METRICS)


def test_scoring_does_not_import_pyiqa_unless_it_is_asked_for():
    program = (
        "import sys; from harness.metrics import Scorer; Scorer(['psnr', 'ms_ssim']);"
        "sys.exit('pyiqa' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_clip_iqa_without_pyiqa_is_blank_with_the_command_and_the_licence(photograph):
    if importlib.util.find_spec("pyiqa"):
        pytest.skip("NOT CHECKED: pyiqa is installed")
    scorer = Scorer(["psnr", "clip_iqa"])
    lack = scorer.unavailable["clip_iqa"]
    assert "codec-harness[clip-iqa]" in lack.remedy
    assert "non-commercial" in lack.remedy
    assert Scorer.availability("clip_iqa") == lack
    scores = scorer.score(scorer.reference(photograph), photograph)
    assert scores["psnr"].value is not None
    assert (scores["clip_iqa"].value, scores["clip_iqa"].reason) == (None, str(lack))


def test_clip_iqa_with_pyiqa_scores_or_says_what_is_missing(photograph, monkeypatch):
    if not importlib.util.find_spec("pyiqa"):
        pytest.skip("NOT CHECKED: pyiqa is not installed")
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    scorer = Scorer(["clip_iqa"])
    score = scorer.score(scorer.reference(photograph), photograph)["clip_iqa"]
    if score.value is None:
        assert "RN50.pt" in score.reason
    else:
        assert 0 <= score.value <= 1

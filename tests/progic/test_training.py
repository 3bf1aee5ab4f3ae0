"""A training learns, and one that is killed and continued ends where it would have ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
import torch
from PIL import Image
from progic.checkpoint import load_checkpoint
from progic.network import random_network, to_signal
from progic.presets import PRESETS
from progic.tools.save import save_checkpoint
from progic.tools.training.adversary import adaptive_weight, generator_loss
from progic.tools.training.config import Config
from progic.tools.training.data import find_photographs
from progic.tools.training.loop import STATE, train
from progic.tools.training.perceptual import Lpips
from progic.tools.training.trainer import Trainer
from progic.tools.training.validation import Validation

from harness.errors import HarnessError
from harness.metrics.scorer import Scorer

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.metric_weights

SHORT = Config(
    preset="progic-tiny",
    steps=7,
    batch=2,
    crop=32,
    learning_rate=1e-3,
    adversarial_start=2,
    revive_every=4,
    log_every=1,
    save_every=3,
)


@pytest.fixture(autouse=True)
def _threads_as_here(monkeypatch):
    monkeypatch.setenv("HARNESS_THREADS", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four photographs at about 256 pixels."""
    folder = tmp_path_factory.mktemp("training")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        image = Image.fromarray(getattr(skimage.data, name)())
        image.reduce(2).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    """The output of a short training that nobody disturbed."""
    output = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_THREADS", "1")
        train(SHORT, find_photographs(folder, 1), output, say=lambda _: None)
    return output


def tables(output: Path) -> dict[str, pd.DataFrame]:
    """What a training logged, without the times."""
    found = {path.name: pd.read_csv(path) for path in output.glob("*.csv")}
    found["losses.csv"] = found["losses.csv"].drop(columns=["images_per_second", "waiting_share"])
    return found


@pytest.mark.slow
def test_the_tiny_network_learns_from_three_photographs(folder, tmp_path):
    photographs = find_photographs(folder, 1)
    config = Config(
        preset="progic-tiny",
        steps=120,
        batch=4,
        crop=64,
        learning_rate=2e-3,
        lpips_start=110,
        adversarial=0,
        revive_every=20,
        log_every=20,
        save_every=120,
    )
    before = tmp_path / "before.safetensors"
    save_checkpoint(before, random_network(PRESETS["progic-tiny"]), {})
    validation = Validation(photographs.held_out, "progic-tiny", "cpu")
    at_first = validation.measure(before)[-1]
    train(config, photographs, tmp_path, say=lambda _: None)

    points = pd.read_csv(tmp_path / "rate_distortion.csv")
    at_last = points.iloc[-1]
    assert at_last.l1 < at_first["l1"] / 1.5
    assert at_last.psnr > at_first["psnr"] + 3
    assert at_last.lpips < at_first["lpips"]
    assert points.psnr.is_monotonic_increasing  # each stage adds to the ones before
    assert points.bpp.diff()[1:].to_numpy() == pytest.approx(0.0390625, rel=0.1)
    losses = pd.read_csv(tmp_path / "losses.csv")
    assert losses.l1.iloc[-1] < losses.l1.iloc[0] / 1.5


def test_a_training_killed_and_continued_equals_an_undisturbed_one(folder, undisturbed, tmp_path):
    options = {
        "images": folder,
        "held-out": 1,
        "output": tmp_path,
        "precision": "float32",
        "workers": 0,
    }
    options |= {
        name.replace("_", "-"): value
        for name, value in SHORT.as_dict().items()
        if name not in {"ema", "precision"}
    }
    command = [sys.executable, str(ROOT / "adapters" / "progic"), "train"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert any(line.startswith("step 5/7") for line in process.stdout)
        process.kill()
    assert not (tmp_path / STATE).samefile(undisturbed / STATE)
    told: list[str] = []
    train(SHORT, find_photographs(folder, 1), tmp_path, say=told.append)

    assert told[0] == "continues after step 3"
    ours, theirs = (load_checkpoint(p / "progic-tiny.safetensors") for p in (tmp_path, undisturbed))
    assert ours.sha256 == theirs.sha256
    for name, table in tables(undisturbed).items():
        pd.testing.assert_frame_equal(tables(tmp_path)[name], table)


def test_a_finished_training_is_not_done_again(folder, undisturbed):
    before = (undisturbed / "progic-tiny.safetensors").read_bytes()
    train(SHORT, find_photographs(folder, 1), undisturbed, say=lambda _: None)
    assert (undisturbed / "progic-tiny.safetensors").read_bytes() == before


def test_a_checkpoint_tells_how_it_was_trained(folder, undisturbed):
    metadata = load_checkpoint(undisturbed / "progic-tiny.safetensors").metadata
    assert metadata["preset"] == "progic-tiny"
    assert metadata["step"] == "7"
    assert metadata["data"] == find_photographs(folder, 1).digest
    assert json.loads(metadata["training"])["learning_rate"] == 1e-3
    assert {"revision", "sha256"} <= metadata.keys()


def test_the_state_of_another_training_is_refused_by_name(folder, undisturbed):
    photographs = find_photographs(folder, 1)
    with pytest.raises(HarnessError, match=r"batch 2 \(now 3\)"):
        train(replace(SHORT, batch=3), photographs, undisturbed)
    with pytest.raises(HarnessError, match="other images"):
        train(SHORT, find_photographs(folder, 2), undisturbed)


def test_a_damaged_state_is_refused(folder, undisturbed, tmp_path):
    whole = (undisturbed / STATE).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"pickle" * 100):
        (tmp_path / STATE).write_bytes(damaged)
        with pytest.raises(HarnessError, match=STATE):
            train(SHORT, find_photographs(folder, 1), tmp_path)


def test_training_can_start_from_weights_alone(folder, undisturbed, tmp_path):
    weights = undisturbed / "progic-tiny.safetensors"
    config = replace(SHORT, steps=1, learning_rate=0.0, revive_every=1000, log_every=1)
    photographs = find_photographs(folder, 1)
    begun = train(config, photographs, tmp_path, weights=weights, say=lambda _: None)
    after, before = load_checkpoint(begun), load_checkpoint(weights)
    assert after.metadata["begun_from"] == before.sha256
    trained, beginning = after.network.state_dict(), before.network.state_dict()
    for name in ("analysis.layers.0.mix_in.weight", "synthesis.head.weight"):
        assert torch.equal(trained[name], beginning[name])
    assert pd.read_csv(tmp_path / "codebooks.csv").revived.sum() == 0  # the words are kept
    with pytest.raises(HarnessError, match="another preset"):
        train(Config(preset="progic-s"), photographs, tmp_path / "s", weights=weights)


def test_the_loss_lpips_is_the_metric(photograph):
    noise = np.random.default_rng(0).normal(0, 20, photograph.shape)
    noisy = np.clip(photograph + noise, 0, 255).astype(np.uint8)
    scorer = Scorer(["lpips"])
    expected = scorer.score(scorer.reference(photograph), noisy)["lpips"].value
    reference, images = (to_signal(torch.from_numpy(i)[None]) for i in (photograph, noisy))
    found = Lpips()(reference, torch.stack([images, reference]))
    assert found[0].item() == pytest.approx(expected, abs=1e-5)
    assert found[1].item() == pytest.approx(0, abs=1e-7)


def test_one_backward_pass_gives_the_gradients_of_the_whole_loss(folder):
    config = replace(SHORT, adversarial_start=0, ema=False)
    pixels = torch.from_numpy(np.asarray(Image.open(folder / "chelsea.png"))[:32, :64].copy())
    pixels = torch.stack(pixels.split(32, 1))
    trainer = Trainer(config, "cpu")
    weights = torch.tensor(config.stage_weights)
    forward = trainer._forward(to_signal(pixels))
    made, quantized = forward.reconstructions, forward.quantized
    l1 = (weights * (made - forward.images).abs().mean((1, 2, 3, 4))).sum()
    lpips = (weights * trainer._lpips(forward.images, made).mean(1)).sum()
    adversarial = generator_loss(trainer.discriminator(made.flatten(0, 1)), weights)
    last = trainer.network.synthesis.head.weight
    norms = [torch.autograd.grad(x, last, retain_graph=True)[0] for x in (l1 + lpips, adversarial)]
    total = l1 + lpips + config.adversarial * adaptive_weight(*norms) * adversarial
    total = total + (weights * quantized.codebook_loss).sum()
    total = total + config.commitment * (weights * quantized.commitment_loss).sum()
    parameters = [p for p in trainer.network.parameters() if p.requires_grad]
    expected = torch.autograd.grad(total, parameters)

    trainer._train_network(trainer._forward(to_signal(pixels)), 0)
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_the_same_network(folder, precision, tmp_path):
    config = replace(SHORT, precision=precision, steps=2, adversarial_start=0)
    train(config, find_photographs(folder, 1), tmp_path, say=lambda _: None)
    losses = pd.read_csv(tmp_path / "losses.csv")
    assert np.isfinite(losses.to_numpy()).all()
    tensors = load_checkpoint(tmp_path / "progic-tiny.safetensors").network.state_dict()
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in tensors.values())

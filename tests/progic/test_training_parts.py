"""The losses, the codebooks and the crops of ProGIC's training, one by one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from progic.network import random_network
from progic.presets import Settings
from progic.quantizer import ResidualVectorQuantizer
from progic.tools.training.adversary import PatchDiscriminator, discriminator_loss, generator_loss
from progic.tools.training.codebooks import Codebooks, entropy_bits
from progic.tools.training.config import Config
from progic.tools.training.data import Crops, batches, find_photographs
from progic.tools.training.logs import Log

from harness.errors import HarnessError

SETTINGS = Settings(24, 1, 2, latent=16, stages=3, index_bits=4)


def test_the_stages_weights_are_the_papers_and_sum_to_one():
    weights = Config(preset="progic").stage_weights
    assert weights == pytest.approx([0.125, 0.125, 0.125, 0.125, 0.5])
    assert sum(Config(preset="progic-n48-f64", crop=256).stage_weights) == pytest.approx(1)


def test_the_learning_rate_drops_at_three_quarters_of_the_steps():
    config = Config(steps=2_000_000)
    assert config.learning_rate_at(1_499_999) == 1e-4
    assert config.learning_rate_at(1_500_000) == 1e-5


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"preset": "progic-xl"}, "no preset"),
        ({"crop": 100}, "multiple of 16"),
        ({"preset": "progic-n48-f64", "crop": 96}, "multiple of 64"),
        ({"log_every": 30, "save_every": 100}, "multiple of 30"),
        ({"share": 1.0}, "share"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, reason):
    with pytest.raises(HarnessError, match=reason):
        Config(**settings)


def test_hinge_losses_are_zero_for_a_sure_discriminator_and_weighted_by_stage():
    weights = torch.tensor([0.25, 0.75])
    real, fake = torch.full((2, 1, 3, 3), 5.0), torch.full((4, 1, 3, 3), -5.0)
    assert discriminator_loss(real, fake, weights) == 0
    fake[:2] = 3.0  # stage 1 fools it: hinge 4, weight 1/4, and the half that is fakes
    assert discriminator_loss(real, fake, weights) == pytest.approx(0.5 * 0.25 * 4)
    assert generator_loss(fake, weights) == pytest.approx(-(0.25 * 3 - 0.75 * 5))


def test_the_discriminator_judges_patches_of_70_pixels():
    image = torch.zeros(1, 3, 256, 256, requires_grad=True)
    logits = PatchDiscriminator().layers[:1](image)  # the first layer alone has no norm
    assert logits.shape[-1] == 128
    assert PatchDiscriminator()(image).shape == (1, 1, 30, 30)  # pix2pix's for 256 x 256


def test_entropy_is_that_of_the_frequencies():
    counts = torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0], [3, 1, 0, 0]])
    three_to_one = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert entropy_bits(counts).tolist() == pytest.approx([2, 0, three_to_one])


def test_all_words_begin_dead_and_are_placed_on_vectors_of_the_batch():
    torch.manual_seed(0)
    quantizer, latent = ResidualVectorQuantizer(SETTINGS), 30 + torch.randn(2, 16, 8, 8)
    codebooks = Codebooks(quantizer, Config())
    assert codebooks.revive(latent, 0) == [16, 16, 16]
    before = torch.linalg.vector_norm(latent, dim=1).mean()
    indices = quantizer.encode(latent)
    after = torch.linalg.vector_norm(latent - quantizer.decode(indices), dim=1).mean()
    assert after < before / 20
    assert codebooks.revive(latent, 1) == [0, 0, 0]


def test_a_word_that_nobody_chooses_is_replaced_and_the_others_stay():
    torch.manual_seed(0)
    quantizer, latent = ResidualVectorQuantizer(SETTINGS), torch.randn(2, 16, 8, 8)
    codebooks = Codebooks(quantizer, Config(ema_decay=0.5))
    codebooks.revive(latent, 0)
    with torch.no_grad():
        quantizer.codebooks[1, 3] = 1e3
    codebooks.counts[1, 3] = 0
    before = quantizer.codebooks.clone()
    assert codebooks.revive(latent, 1) == [0, 1, 0]
    changed = (quantizer.codebooks != before).any(2).nonzero().tolist()
    assert changed == [[1, 3]]
    assert quantizer.codebooks[1, 3].abs().max() < 10


def test_a_trained_networks_words_are_kept_except_those_it_never_chose():
    torch.manual_seed(0)
    quantizer, latent = ResidualVectorQuantizer(SETTINGS), torch.randn(2, 16, 8, 8)
    quantizer.usage[2, 5] = 0
    before = quantizer.codebooks.clone()
    codebooks = Codebooks(quantizer, Config())
    codebooks.adopt()
    assert codebooks.revive(latent, 0) == [0, 0, 1]
    changed = (quantizer.codebooks != before).any(2).nonzero().tolist()
    assert changed == [[2, 5]]


def test_moving_averages_carry_each_word_to_the_mean_of_what_chose_it():
    torch.manual_seed(0)
    quantizer, latent = ResidualVectorQuantizer(SETTINGS), torch.randn(2, 16, 8, 8)
    codebooks = Codebooks(quantizer, Config(ema_decay=0.0))
    quantized = quantizer(latent)
    index = quantized.indices[:, 0].flatten()
    codebooks.update(latent, quantized)
    rows = latent.permute(0, 2, 3, 1).reshape(-1, 16)
    for word in index.unique():
        expected = rows[index == word].mean(0)
        assert torch.allclose(quantizer.codebooks[0, word], expected, atol=1e-5)


def test_only_learned_codebooks_take_gradients():
    network = random_network(SETTINGS)
    Codebooks(network.quantizer, Config(ema=True))
    assert not network.quantizer.codebooks.requires_grad
    Codebooks(network.quantizer, Config(ema=False))
    assert network.quantizer.codebooks.requires_grad


def test_crops_depend_only_on_the_seed_and_their_number(photographs):
    paths = find_photographs(photographs, 1).training
    config = Config(preset="progic-tiny", crop=64, batch=2, steps=6)
    here = list(batches(paths, config, 0, workers=0))
    elsewhere = list(batches(paths, config, 3, workers=1))
    assert len(here) == 6
    assert len(elsewhere) == 3
    for expected, found in zip(here[3:], elsewhere, strict=True):
        assert torch.equal(expected, found)
    other = next(batches(paths, replace(config, seed=1), 0, workers=0))
    assert not torch.equal(other, here[0])


def test_small_images_are_enlarged_and_unreadable_ones_passed_over(tmp_path):
    Image.fromarray(np.full((20, 30, 3), 77, np.uint8)).save(tmp_path / "small.png")
    (tmp_path / "text.png").write_text("no image")
    crops = Crops(sorted(tmp_path.iterdir()), 64, seed=0)
    for number in range(8):
        assert crops[number].shape == (64, 64, 3)
        assert (crops[number] == 77).all()


def test_a_folder_of_unreadable_images_ends_the_training_with_the_reason(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(RuntimeError, match=r"text\.png"):
        Crops([tmp_path / "text.png"], 64, seed=0)[0]


def test_images_that_are_held_out_are_never_trained_on(photographs):
    found = find_photographs(photographs, 1)
    assert len(found.held_out) == 1
    assert len(found.training) == 2
    assert not set(found.held_out) & set(found.training)
    assert found.digest != find_photographs(photographs, 2).digest


def test_a_folder_with_too_few_images_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="too few"):
        find_photographs(tmp_path, 4)


def test_a_log_continues_after_the_checkpoint_without_what_was_cut(tmp_path):
    path = tmp_path / "losses.csv"
    log = Log(path, ["l1"], 0)
    for step in (1, 2, 3):
        log.write(step, {"l1": 1 / step})
    with path.open("a") as file:
        file.write("4,0.2")  # killed while it wrote
    Log(path, ["l1"], 2).write(3, {"l1": 0.5})
    assert path.read_text().split() == ["step,l1", "1,1", "2,0.5", "3,0.5"]

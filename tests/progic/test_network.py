"""The network has the size, the cost and the structure that the paper gives."""

from __future__ import annotations

import pytest
import torch
from calflops import calculate_flops
from progic.network import random_network
from progic.presets import PRESETS, Settings
from progic.quantizer import ResidualVectorQuantizer

SMALL_SETTINGS = Settings(
    width=24, analysis_blocks=1, synthesis_blocks=2, latent=16, stages=3, index_bits=6
)


@pytest.mark.parametrize(
    ("preset", "million_parameters", "gflops"),
    [("progic", 33.11, 333.4), ("progic-s", 14.44, 108.3)],
)
def test_parameters_and_flops_at_512_x_768_are_the_papers(
    preset: str, million_parameters: float, gflops: float
) -> None:
    with torch.inference_mode():
        flops, _, parameters = calculate_flops(
            random_network(PRESETS[preset]),
            input_shape=(1, 3, 512, 768),
            print_results=False,
            output_as_string=False,
        )
    assert parameters / 1e6 == pytest.approx(million_parameters, rel=0.01)
    assert flops / 1e9 == pytest.approx(gflops, rel=0.02)


def test_the_tiny_preset_has_under_two_million_parameters() -> None:
    network = random_network(PRESETS["progic-tiny"])
    assert sum(p.numel() for p in network.parameters()) < 2_000_000


@pytest.mark.parametrize(
    ("preset", "step"),
    [("progic", 0.0390625), ("progic-n16-f32", 0.009766), ("progic-n48-f64", 0.001953)],
)
def test_one_stage_costs_what_equation_1_says(preset: str, step: float) -> None:
    assert float(PRESETS[preset].stage_bpp) == pytest.approx(step, abs=5e-7)


@pytest.mark.parametrize("factor", [16, 32, 64, 128])
def test_the_latent_is_the_image_divided_by_the_factor(factor: int) -> None:
    network = random_network(Settings(24, 1, 2, 16, stages=2, index_bits=4, factor=factor))
    indices = network.encoder()(torch.zeros(1, 128, 256, 3, dtype=torch.uint8))
    assert indices.shape == (1, 2, 128 // factor, 256 // factor)
    assert network.decoder()(indices).shape == (1, 128, 256, 3)


def test_random_weights_depend_only_on_the_seed_and_leave_the_generator_untouched() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = (random_network(SMALL_SETTINGS, seed=3) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_each_index_names_the_nearest_word() -> None:
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(SMALL_SETTINGS)
    rows = torch.randn(500, 16)
    expected = torch.cdist(rows.double(), quantizer.codebooks[0].double()).argmin(1)
    assert torch.equal(quantizer.nearest(rows, 0), expected)


def test_every_stage_codes_what_the_stages_before_left() -> None:
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(SMALL_SETTINGS)
    latent = torch.randn(2, 16, 5, 7)
    indices = quantizer.encode(latent)
    residual = latent.permute(0, 2, 3, 1).reshape(-1, 16)
    for stage in range(3):
        chosen = indices[:, stage].reshape(-1)
        assert torch.equal(quantizer.nearest(residual, stage), chosen)
        residual = residual - quantizer.codebooks[stage][chosen]
    decoded = quantizer.decode(indices).permute(0, 2, 3, 1).reshape(-1, 16)
    torch.testing.assert_close(
        decoded, latent.permute(0, 2, 3, 1).reshape(-1, 16) - residual, rtol=0, atol=1e-5
    )


def test_training_sees_the_same_indices_and_latents_as_coding() -> None:
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(SMALL_SETTINGS)
    latent = torch.randn(2, 16, 5, 7)
    quantized = quantizer(latent)
    assert torch.equal(quantized.indices, quantizer.encode(latent))
    for n in (1, 2, 3):
        torch.testing.assert_close(
            quantized.latents[n - 1], quantizer.decode(quantized.indices[:, :n])
        )


def test_gradients_pass_straight_through_the_quantizer() -> None:
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(SMALL_SETTINGS)
    latent = torch.randn(2, 16, 5, 7, requires_grad=True)
    quantized = quantizer(latent)
    (gradient,) = torch.autograd.grad(quantized.latents[1].sum(), latent, retain_graph=True)
    assert torch.equal(gradient, torch.ones_like(latent))
    quantized.codebook_loss.sum().backward()
    assert latent.grad is None
    assert quantizer.codebooks.grad is not None


def test_every_stage_count_has_its_own_modulation() -> None:
    network = random_network(SMALL_SETTINGS)
    latent = torch.randn(1, 16, 4, 4)
    before = [network.synthesis(latent, n) for n in (1, 2, 3)]
    assert torch.equal(before[0], before[2])
    with torch.no_grad():
        network.synthesis.blocks[1].narrow.stage_scale[1] *= 2
    after = [network.synthesis(latent, n) for n in (1, 2, 3)]
    assert torch.equal(after[0], before[0])
    assert not torch.equal(after[1], before[1])
    assert torch.equal(after[2], before[2])


def test_folding_the_modulation_into_the_kernel_changes_nothing() -> None:
    torch.manual_seed(0)
    conv = random_network(SMALL_SETTINGS).synthesis.blocks[1].narrow
    with torch.no_grad():
        conv.stage_scale.uniform_(0.5, 2)
        conv.stage_bias.uniform_(-1, 1)
    x = torch.randn(1, 48, 6, 5)
    plain = torch.nn.functional.conv2d(x, conv.weight, conv.bias)
    expected = plain * conv.stage_scale[1].view(1, -1, 1, 1) + conv.stage_bias[1].view(1, -1, 1, 1)
    torch.testing.assert_close(conv(x, 2), expected)


@pytest.mark.parametrize(
    "wrong", [{"factor": 8}, {"factor": 24}, {"stages": 0}, {"index_bits": 17}, {"width": 0}]
)
def test_settings_that_give_no_network_are_refused(wrong: dict[str, int]) -> None:
    fields = {"width": 8, "analysis_blocks": 1, "synthesis_blocks": 1, "latent": 8, **wrong}
    with pytest.raises(ValueError, match="must be"):
        Settings(**fields)

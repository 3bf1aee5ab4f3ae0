"""The conversion from RGB to VTM's planes and back: exact, and that of the standards and papers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from vtm.colour import CHOICES, KERNELS, Conversion

from tests.adapters.test_vtm import SPECS, conversion, photograph, psnr


def there_and_back(image, **options):
    chosen = conversion(**options)
    return chosen.to_rgb(chosen.from_rgb(image), chosen.depth)


@pytest.mark.parametrize("matrix", CHOICES["matrix"])
def test_444_at_8_bits_loses_no_more_than_rounding_does(matrix):
    assert psnr(there_and_back(photograph, chroma="4:4:4", matrix=matrix), photograph) > 52
    limited = there_and_back(photograph, chroma="4:4:4", matrix=matrix, range="limited")
    assert psnr(limited, photograph) > 51


@pytest.mark.parametrize("matrix", CHOICES["matrix"])
@pytest.mark.parametrize("scale", CHOICES["range"])
def test_444_at_10_bits_loses_nothing(matrix, scale):
    options = {"matrix": matrix, "range": scale, "depth": 10, "chroma": "4:4:4"}
    assert np.array_equal(there_and_back(photograph, **options), photograph)


def test_rounding_down_costs_what_it_is_known_to_cost():
    down = there_and_back(photograph, chroma="4:4:4", rounding="down")
    assert psnr(down, photograph) < 47


@pytest.mark.parametrize(
    ("matrix", "scale", "colour", "samples"),
    [  # ITU-R BT.709 and BT.601 at 8 bits
        ("bt709", "limited", (255, 255, 255), (235, 128, 128)),
        ("bt709", "limited", (0, 0, 0), (16, 128, 128)),
        ("bt709", "limited", (255, 0, 0), (63, 102, 240)),
        ("bt709", "limited", (0, 255, 0), (173, 42, 26)),
        ("bt709", "limited", (0, 0, 255), (32, 240, 118)),
        ("bt601", "limited", (255, 0, 0), (81, 90, 240)),
        ("bt601", "limited", (0, 255, 0), (145, 54, 34)),
        ("bt601", "limited", (0, 0, 255), (41, 240, 110)),
        ("bt601", "full", (255, 0, 0), (76, 85, 255)),  # as JFIF has it
        ("bt601", "full", (0, 255, 0), (150, 44, 21)),
        ("bt709", "full", (255, 255, 255), (255, 128, 128)),
        ("bt709", "full", (0, 0, 0), (0, 128, 128)),
    ],
)
def test_pure_colours_have_the_samples_of_the_standards(matrix, scale, colour, samples):
    image = np.full((4, 6, 3), colour, np.uint8)
    for chroma in CHOICES["chroma"]:
        planes = conversion(matrix=matrix, range=scale, chroma=chroma).from_rgb(image)
        assert [set(plane.ravel().tolist()) for plane in planes] == [{s} for s in samples]


def test_a_tie_is_seen_and_goes_to_the_even_integer():
    """0.2126 * 44 + 0.7152 * 3 is 11.5, and single precision makes less of it."""
    colours = np.array([[(44, 3, 0), (200, 200, 200)], [(85, 1, 96), (255, 255, 255)]], np.uint8)
    luma, *_ = conversion(chroma="4:4:4").from_rgb(colours)
    assert luma.tolist() == [[12, 200], [26, 255]]


@pytest.mark.parametrize("matrix", CHOICES["matrix"])
def test_luma_is_the_exact_sum_rounded(matrix):
    weights = {"bt709": ("0.2126", "0.7152", "0.0722"), "bt601": ("0.299", "0.587", "0.114")}
    random = np.random.default_rng(1)
    colours = random.integers(0, 256, (1, 2000, 3), dtype=np.uint8)
    luma, *_ = conversion(matrix=matrix, chroma="4:4:4").from_rgb(colours)
    exact = [
        sum(Fraction(w) * int(c) for w, c in zip(weights[matrix], colour, strict=True))
        for colour in colours[0]
    ]
    assert luma[0].tolist() == [round(value) for value in exact]


def test_the_conversion_of_most_papers_takes_means_and_interpolates_between_their_centres():
    usual = Conversion.of(SPECS["vtm-mean"].options)
    _, _, red = usual.from_rgb(photograph)
    weighted = photograph @ np.array([0.2126, 0.7152, 0.0722])
    every = (photograph[..., 0] - weighted) / 1.5748 + 128
    means = every.reshape(128, 2, 192, 2).mean(axis=(1, 3))
    assert np.abs(red - means).max() <= 0.5 + 1e-9
    ramp = (np.zeros((4, 6), np.uint16), np.full((2, 3), 128, np.uint16),
            np.array([[120, 128, 136]] * 2, np.uint16))  # fmt: skip
    back = usual.to_rgb((ramp[0] + np.uint16(100), *ramp[1:]), 8)
    shares = (back[0, :, 0] - 100.0) / 1.5748  # of the red difference, across the columns
    assert np.allclose(np.round(np.where(shares > 100, shares - 256 / 1.5748, shares)),
                       [-8, -6, -2, 2, 6, 8])  # fmt: skip


def test_compressai_s_conversion_rounds_down_around_half_of_the_range():
    """As its benchmark does in single precision, which makes one less of some whole numbers."""
    ours = Conversion.of(SPECS["vtm-compressai"].options)
    planes = np.stack(ours.from_rgb(photograph))
    red, green, blue = np.moveaxis(photograph.astype(np.float32) / 255, -1, 0)
    luma = np.float32(0.2126) * red + np.float32(0.7152) * green + np.float32(0.0722) * blue
    theirs = np.stack((luma, 0.5 * (blue - luma) / (1 - 0.0722) + 0.5,
                       0.5 * (red - luma) / (1 - 0.2126) + 0.5))  # fmt: skip
    theirs = (theirs.clip(0, 1).astype(np.float32) * 255).astype(np.uint8)
    assert (planes - theirs.astype(int)).min() >= 0
    assert (planes - theirs.astype(int)).max() <= 1
    assert (planes != theirs).mean() < 0.02
    assert 43 < psnr(ours.to_rgb(ours.from_rgb(photograph), 8), photograph) < 44.5
    gray = np.full((1, 1, 3), 77, np.uint8)
    assert [int(plane[0, 0]) for plane in ours.from_rgb(gray)] == [77, 127, 127]
    with pytest.raises(ValueError, match="gray = 'half' goes with chroma = '4:4:4'"):
        conversion(gray="half")


@pytest.mark.parametrize("siting", CHOICES["siting"])
@pytest.mark.parametrize("down", KERNELS)
@pytest.mark.parametrize("up", KERNELS)
def test_420_keeps_smooth_colour_in_its_place(siting, down, up):
    ramp = np.linspace(40, 200, 64)
    image = np.zeros((64, 64, 3))
    image[..., 0], image[..., 2] = ramp[:, None], ramp[None, :]
    image = np.rint(image).astype(np.uint8)
    back = there_and_back(image, siting=siting, downsampling=down, upsampling=up)
    middle = (slice(8, -8), slice(8, -8))
    shift = back[middle].astype(float) - image[middle]
    # A step of the ramp is 2.5; half a sample of chroma out of place would be seen.
    assert np.abs(shift[..., ::2].mean(axis=(0, 1))).max() < 0.3 if up != "box" else True
    assert np.abs(shift).max() <= (4 if up == "box" else 2)


def test_samples_with_more_bits_are_finer_not_brighter():
    chosen = conversion()
    planes = chosen.from_rgb(photograph)
    shifted = tuple((plane << 2).astype(np.uint16) for plane in planes)
    assert np.array_equal(chosen.to_rgb(planes, 8), chosen.to_rgb(shifted, 10))


def test_a_single_pixel_has_one_sample_of_chroma():
    pixel = np.full((2, 2, 3), (200, 30, 90), np.uint8)
    planes = conversion().from_rgb(pixel)
    assert [plane.shape for plane in planes] == [(2, 2), (1, 1), (1, 1)]
    assert np.abs(there_and_back(pixel).astype(int) - pixel).max() <= 2

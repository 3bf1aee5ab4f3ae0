import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photographs import skimage_file

from harness.errors import HarnessError
from harness.images.files import read_image
from harness.images.resolution import NATIVE, Resolution, derive, fits, parse, target_size

sides = st.integers(1, 700)


@pytest.fixture(scope="module")
def coffee():
    return read_image(skimage_file("coffee.png"))  # 400 x 600


def test_resolutions_are_written_height_by_width():
    assert parse("512x768, 1080X1920,native") == (
        Resolution(512, 768),
        Resolution(1080, 1920),
        NATIVE,
    )


def test_a_resolution_reads_back_from_what_it_prints():
    for text in ("native", "512x768", "2160x3840"):
        assert str(parse(text)[0]) == text


def test_a_resolution_named_twice_counts_once():
    assert parse("512x768,512x768") == (Resolution(512, 768),)


@pytest.mark.parametrize(
    "text", ["", "512", "512x", "0x768", "1080p", "512x768x3", "-5x7", "4.5x3"]
)
def test_what_is_not_a_size_is_refused_by_name(text):
    with pytest.raises(HarnessError, match="is not a size; write height x width"):
        parse(f"512x768,{text}")


def test_native_is_the_image_itself(coffee):
    assert derive(coffee, NATIVE) is coffee


def test_a_source_of_the_target_size_is_not_resampled(coffee):
    assert derive(coffee, Resolution(400, 600)) is coffee


def test_a_crop_without_scaling_keeps_every_pixel(coffee):
    assert np.array_equal(derive(coffee, Resolution(300, 600)), coffee[50:350])
    assert np.array_equal(derive(coffee, Resolution(400, 500)), coffee[:, 50:550])


def test_a_portrait_source_gets_the_target_upright(coffee):
    portrait = np.ascontiguousarray(np.rot90(coffee))
    derived = derive(portrait, Resolution(200, 300))
    assert derived.shape == (300, 200, 3)
    apart = np.rot90(derived, -1).astype(int) - derive(coffee, Resolution(200, 300))
    assert np.abs(apart).mean() < 0.5  # the filter's two passes round in the other order


def test_scaling_down_filters_out_what_would_alias():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    inside = derive(stripes, Resolution(64, 64))[8:-8, 8:-8]
    assert np.abs(inside.astype(int) - 128).max() <= 2


def test_the_crop_is_of_the_centre(coffee):
    mirrored = np.ascontiguousarray(coffee[::-1, ::-1])
    derived = derive(coffee, Resolution(128, 128))
    apart = derive(mirrored, Resolution(128, 128))[::-1, ::-1].astype(int) - derived
    assert np.abs(apart).max() <= 1


def test_nothing_is_enlarged_unless_asked(coffee):
    with pytest.raises(HarnessError, match="400x600, is smaller than 512x768"):
        derive(coffee, Resolution(512, 768))
    assert derive(coffee, Resolution(512, 768), upsample=True).shape == (512, 768, 3)


def test_a_source_that_is_short_on_one_side_does_not_fit():
    assert fits((400, 2000), Resolution(512, 768)) is not None
    assert fits((2000, 400), Resolution(512, 768)) is not None
    assert fits((768, 512), Resolution(512, 768)) is None


@settings(max_examples=60)
@given(sides, sides, sides, sides, st.booleans())
def test_what_fits_is_derived_at_the_stated_size(height, width, to_height, to_width, upsample):
    source = np.full((height, width, 3), 77, np.uint8)
    resolution = Resolution(to_height, to_width)
    if fits((height, width), resolution, upsample=upsample):
        with pytest.raises(HarnessError):
            derive(source, resolution, upsample=upsample)
        return
    derived = derive(source, resolution, upsample=upsample)
    assert derived.shape[:2] == target_size((height, width), resolution)
    assert derived.flags.c_contiguous
    assert (derived == 77).all()
    assert sorted(derived.shape[:2]) == sorted((to_height, to_width))

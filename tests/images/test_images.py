import io
import struct
import warnings
import zlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from photographs import skimage_file
from PIL import ImageCms

from harness.errors import HarnessError, ImageError
from harness.images.files import image_size, read_image, round_to_uint8, write_png

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP", "ppm": "PPM"}


@pytest.fixture(scope="module")
def photograph():
    with PIL.Image.open(skimage_file("coffee.png")) as image:
        image.load()
    return image


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def png(chunks):
    """The bytes of a PNG with those (type, data) chunks."""
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def deep(image):
    """The photograph's samples as 16-bit ones, that no 8-bit image equals."""
    return np.asarray(image).astype(np.uint16) * 257 - 1


def assert_refused(path, reason):
    with pytest.raises(ImageError, match=reason) as refusal:
        read_image(path)
    assert refusal.value.problem.startswith(str(path))
    assert refusal.value.remedy


# What is read


@pytest.mark.parametrize("ending", ["png", "tif", "bmp", "ppm"])
def test_a_lossless_file_gives_its_pixels(ending, photograph, tmp_path):
    path = tmp_path / f"coffee.{ending}"
    photograph.save(path)
    image = read_image(path)
    assert np.array_equal(image, np.asarray(photograph))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_exif_orientation_is_applied_and_the_header_tells_the_same_size(
    ending, orientation, photograph, tmp_path
):
    path = tmp_path / f"turned.{ending}"
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    lossless = {"quality": 100, "lossless": True} if ending == "webp" else {}
    photograph.save(path, exif=exif, **lossless)
    image = read_image(path)
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90,
    }[orientation](np.asarray(photograph))
    assert image.shape == upright.shape
    assert image_size(path) == image.shape[:2]
    assert np.abs(image.astype(int) - upright).mean() < 5


def test_grayscale_bilevel_and_palette_are_expanded_to_rgb(photograph, tmp_path):
    for mode in ("L", "1", "P"):
        plain = photograph.convert(mode)
        plain.save(tmp_path / f"{mode}.png")
        assert np.array_equal(
            read_image(tmp_path / f"{mode}.png"), np.asarray(plain.convert("RGB"))
        )


def test_opaque_alpha_is_dropped(photograph, tmp_path):
    photograph.convert("RGBA").save(tmp_path / "opaque.png")
    assert np.array_equal(read_image(tmp_path / "opaque.png"), np.asarray(photograph))


def test_one_pixel_is_an_image(tmp_path):
    write_png(tmp_path / "dot.png", np.full((1, 1, 3), 9, np.uint8))
    assert read_image(tmp_path / "dot.png").tolist() == [[[9, 9, 9]]]


def test_an_srgb_profile_leaves_the_pixels_as_they_are():
    path = skimage_file("astronaut.png")
    with PIL.Image.open(path) as image:
        assert "sRGB" in ImageCms.getProfileDescription(io.BytesIO(image.info["icc_profile"]))
        assert np.array_equal(read_image(path), np.asarray(image))


def test_an_adobe_rgb_photograph_is_converted_to_srgb():
    path = skimage_file("rocket.jpg")
    with PIL.Image.open(path) as image:
        stored = np.asarray(image).astype(int)
        assert "Adobe RGB" in ImageCms.getProfileDescription(io.BytesIO(image.info["icc_profile"]))
    converted = read_image(path).astype(int)
    # Adobe RGB (1998): gamma 563/256; the matrices are those of its and of sRGB's specification.
    linear = (stored / 255) ** (563 / 256)
    to_xyz = np.array(
        [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    )
    from_xyz = np.array(
        [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    )
    srgb = np.clip(linear @ to_xyz.T @ from_xyz.T, 0, 1)
    srgb = np.where(srgb <= 0.0031308, 12.92 * srgb, 1.055 * srgb ** (1 / 2.4) - 0.055) * 255
    dim = stored.min(axis=2) > 20  # a lookup table is coarse where the curve is steep
    assert np.abs(converted - srgb)[dim].max() < 2
    assert np.abs(converted - stored).max() > 20


def test_a_gray_profile_is_converted_too():
    path = skimage_file("page.png")
    with PIL.Image.open(path) as image:
        assert image.mode == "L"
        stored = np.asarray(image).astype(int)
    converted = read_image(path).astype(int)
    assert (converted == converted[..., :1]).all()
    assert np.abs(converted[..., 0] - stored).max() > 5


# What is refused by name


def test_a_missing_file_is_refused_by_name(tmp_path):
    assert_refused(tmp_path / "nothing.png", "does not exist")


def test_a_folder_is_refused_by_name(tmp_path):
    assert_refused(tmp_path, "cannot be read: Is a directory")


def test_a_zero_byte_file_is_refused_by_name(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    assert_refused(path, "is empty")


def test_a_text_file_is_refused_by_name(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("not an image")
    assert_refused(path, "damaged, or in none of the formats PNG, JPEG")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(ending, share, photograph, tmp_path):
    file = io.BytesIO()
    photograph.save(file, FORMATS[ending])
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(file.getvalue()[: max(12, int(len(file.getvalue()) * share))])
    assert_refused(path, "damaged")


def test_a_png_with_one_flipped_bit_is_refused_by_name(photograph, tmp_path):
    path = tmp_path / "flipped.png"
    photograph.save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert_refused(path, "damaged")


def test_more_pixels_than_the_limit_are_refused_from_the_header(tmp_path):
    path = tmp_path / "huge.png"
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path.write_bytes(png([(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]))
    assert_refused(path, "20000 x 20000 pixels, more than 178956970")
    with pytest.raises(ImageError, match="more than"):
        image_size(path)


def test_transparency_is_refused_by_name(photograph, tmp_path):
    assert_refused(skimage_file("horse.png"), "transparent pixels")
    photograph.quantize(16).save(tmp_path / "palette.png", transparency=3)
    assert_refused(tmp_path / "palette.png", "transparent pixels")


def test_16_bit_files_are_refused_and_not_read_as_8_bit(photograph, tmp_path):
    assert_refused(skimage_file("chessboard_RGB.png"), "more than 8 bits a channel")
    PIL.Image.fromarray(deep(photograph)[..., 1]).save(tmp_path / "gray.png")
    PIL.Image.fromarray(deep(photograph)[..., 1]).save(tmp_path / "gray.tif")
    header = b"P6 600 400 65535\n"
    (tmp_path / "rgb.ppm").write_bytes(header + deep(photograph).astype(">u2").tobytes())
    for name in ("gray.png", "gray.tif", "rgb.ppm"):
        assert_refused(tmp_path / name, "more than 8 bits a channel")


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_16_bit_colour_tiffs_are_refused(planes, photograph, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    samples = deep(photograph)
    samples = samples if planes == "contig" else np.moveaxis(samples, 2, 0)
    tifffile.imwrite(
        tmp_path / "deep.tif", samples, planarconfig=planes, photometric="rgb", compression="zlib"
    )
    assert_refused(tmp_path / "deep.tif", "more than 8 bits a channel")


@pytest.mark.parametrize(
    ("mode", "ending", "reason"),
    [
        ("CMYK", "jpg", "is CMYK"),
        ("CMYK", "tif", "is CMYK"),
        ("F", "tif", "floating-point samples"),
        ("LAB", "tif", "Lab colour space"),
    ],
)
def test_other_colour_models_are_refused_by_name(mode, ending, reason, photograph, tmp_path):
    path = tmp_path / f"other.{ending}"
    photograph.convert(mode).save(path)
    assert_refused(path, reason)


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_several_frames_are_refused_by_name(ending, photograph, tmp_path):
    path = tmp_path / f"frames.{ending}"
    photograph.save(path, save_all=True, append_images=[photograph.rotate(180)])
    assert_refused(path, "has 2 frames")


@pytest.mark.parametrize("ending", ["gif", "avif"])
def test_formats_that_are_not_read_are_refused_by_name(ending, photograph, tmp_path):
    path = tmp_path / f"other.{ending}"
    photograph.save(path)
    assert_refused(path, "none of the formats")


@pytest.mark.parametrize("profile", [b"no profile" * 30, "truncated", "LAB"])
def test_a_profile_that_cannot_be_used_is_refused_by_name(profile, photograph, tmp_path):
    if isinstance(profile, str):
        kind = "sRGB" if profile == "truncated" else profile
        whole = ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes()
        profile = whole[:300] if kind == "sRGB" else whole
    path = tmp_path / "profile.png"
    photograph.save(path, icc_profile=profile)
    assert_refused(path, "ICC profile that cannot be used")


def test_exif_after_the_pixels_is_refused_since_the_header_does_not_show_it(photograph, tmp_path):
    path = tmp_path / "late.png"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    photograph.save(path)
    plain = path.read_bytes()
    chunk = png([(b"eXIf", exif.tobytes().removeprefix(b"Exif\x00\x00"))])[8:]
    path.write_bytes(plain[:-12] + chunk + plain[-12:])
    assert_refused(path, "EXIF data after its pixels")


def test_pillows_own_pixel_limit_is_left_as_it_was():
    before = PIL.Image.MAX_IMAGE_PIXELS
    read_image(skimage_file("coffee.png"))
    assert before == PIL.Image.MAX_IMAGE_PIXELS


# What is written


@settings(max_examples=40)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_image_comes_back_from_its_png(tmp_path_factory, image):
    path = tmp_path_factory.mktemp("round") / "trip.png"
    write_png(path, image)
    assert np.array_equal(read_image(path), image)


def test_a_png_that_cannot_be_written_leaves_the_old_one_and_no_litter(photograph, tmp_path):
    path = tmp_path / "kept.png"
    write_png(path, np.asarray(photograph))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_png(path, np.zeros((4, 4, 7), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_to_is_reported_by_name(photograph):
    with pytest.raises(HarnessError, match="cannot be written"):
        write_png("/dev/null/there/image.png", np.asarray(photograph))


def test_samples_are_rounded_and_clipped_and_never_truncated():
    samples = np.array([-3.0, 0.49, 0.51, 1.5, 2.5, 254.6, 300.0, np.inf])
    assert round_to_uint8(samples).tolist() == [0, 0, 1, 2, 2, 255, 255, 255]


def test_a_sample_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        round_to_uint8(np.array([np.nan]))

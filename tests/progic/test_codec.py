"""The codec behind the contract: sizes, prefixes, threads, precision, and what it refuses."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from progic import bitstream
from progic.bitstream import Packed
from progic.codec import ProGIC
from progic.network import CPU_BAND, random_network
from progic.presets import PRESETS

from harness.codec import BitstreamError, RatePoint, Unavailable, UnsupportedImage

Maker = Callable[..., ProGIC]


def with_stages(codec: ProGIC, stages: int) -> RatePoint:
    return replace(codec.rate, id=f"s{stages}", options={"stages": stages})


@pytest.mark.parametrize("name", ["progic-tiny", "progic-n48-f64"])
def test_an_image_of_any_size_comes_back_in_its_size(
    make_codec: Maker, photograph: np.ndarray, name: str
) -> None:
    codec = make_codec(name)
    for height, width in ((1, 1), (1, 40), (7, 3), (15, 16), (16, 16), (17, 33), (200, 272)):
        decoded = codec.decode(codec.encode(photograph[:height, :width]))
        assert decoded.dtype == np.uint8
        assert decoded.shape == (height, width, 3)
        assert decoded.flags.c_contiguous


@pytest.mark.parametrize("range_coding", [False, True])
def test_fewer_stages_are_a_prefix_of_the_bytes(
    make_codec: Maker, photograph: np.ndarray, *, range_coding: bool
) -> None:
    if range_coding:
        pytest.importorskip("constriction")
    codec = make_codec(range_coding=range_coding)
    whole = codec.encode(photograph)
    for stages in (1, 2, 3, 4, 5):
        rate = with_stages(codec, stages)
        prefix = whole[: codec.prefix_length(whole, rate)]
        codec.load(rate)
        assert codec.encode(photograph) == prefix
    assert prefix == whole


def test_a_prefix_cut_inside_a_stage_decodes_to_the_last_complete_one(
    make_codec: Maker, photograph: np.ndarray
) -> None:
    codec = make_codec()
    whole = codec.encode(photograph)
    ends = bitstream.stage_ends(whole, codec.model.settings, codec.coder)
    first, second = (codec.decode(whole[:end]) for end in ends[1:3])
    assert not np.array_equal(first, second)
    assert np.array_equal(codec.decode(whole[: ends[2] - 1]), first)
    assert np.array_equal(codec.decode(whole[: ends[2] + 1]), second)


def test_range_coding_changes_the_bytes_and_not_the_image(
    make_codec: Maker, photograph: np.ndarray
) -> None:
    pytest.importorskip("constriction")
    plain, coded = make_codec(), make_codec(range_coding=True)
    first, second = plain.encode(photograph), coded.encode(photograph)
    assert first != second
    assert np.array_equal(plain.decode(first), coded.decode(second))
    with pytest.raises(BitstreamError, match="range coded"):
        plain.decode(second)


def test_bytes_and_image_do_not_depend_on_the_number_of_threads(
    make_codec: Maker, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("HARNESS_THREADS", threads)
        codec = make_codec()
        assert torch.get_num_threads() == int(threads)
        stream = codec.encode(photograph)
        results.append((stream, codec.decode(results[0][0] if results else stream)))
    assert results[0][0] == results[1][0]
    assert difference(results[0][1], results[1][1]) <= 1


def difference(first: np.ndarray, second: np.ndarray) -> int:
    """The largest difference of two images, in 8-bit steps."""
    return int(np.abs(first.astype(int) - second.astype(int)).max())


@torch.inference_mode()
def test_batch_bands_and_precision_change_the_image_by_a_step_at_most(
    photograph: np.ndarray,
) -> None:
    network = random_network(PRESETS["progic-tiny"])
    pixels = torch.from_numpy(np.stack([photograph[:192, :256], photograph[8:200, 16:]]))
    indices = network.encoder()(pixels)
    expected = network.decoder()(indices)
    for alone, row, image in zip(pixels, indices, expected, strict=True):
        assert torch.equal(network.encoder()(alone[None])[0], row)
        assert difference(network.decoder()(row[None])[0].numpy(), image.numpy()) <= 1
    for band in (1, 100, CPU_BAND):
        network.set_band(band)
        assert torch.equal(network.encoder()(pixels), indices)
        assert difference(network.decoder()(indices).numpy(), expected.numpy()) <= 1
    network.set_band(0).half_transforms()
    assert difference(network.decoder()(indices).numpy(), expected.numpy()) <= 1


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", ["progic", "progic-s", "progic-tiny"])
def test_a_gpu_decodes_the_bytes_of_a_cpu_to_within_a_step(
    make_codec: Maker, photograph: np.ndarray, name: str, *, half: bool
) -> None:
    cpu, gpu = make_codec(name), make_codec(name, device="cuda", half=half)
    on_cpu, on_gpu = cpu.encode(photograph), gpu.encode(photograph)
    settings = cpu.model.settings
    coder = Packed(settings.index_bits)
    same = bitstream.read(on_cpu, settings, coder) == bitstream.read(on_gpu, settings, coder)
    assert same[0].mean() > 0.98
    assert difference(cpu.decode(on_cpu), gpu.decode(on_cpu)) <= 1
    assert difference(cpu.decode(on_gpu), gpu.decode(on_gpu)) <= 1


def test_damaged_bitstreams_are_refused_or_decode_to_the_size_they_state(
    make_codec: Maker, photograph: np.ndarray
) -> None:
    rng = random.Random(3)
    codec = make_codec()
    stream = codec.encode(photograph[:40, :50])
    decoded = 0
    for _ in range(400):
        data = bytearray(stream)
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        length = rng.choice((len(data), rng.randrange(len(data)), len(data) + 2))
        try:
            image = codec.decode(bytes(data[:length]) + bytes(max(0, length - len(data))))
        except BitstreamError:
            continue
        decoded += 1
        assert image.shape == (40, 50, 3)
    assert 50 < decoded < 350


def test_a_bitstream_of_other_weights_is_refused(make_codec: Maker, photograph: np.ndarray) -> None:
    stream = make_codec(seed=1).encode(photograph)
    with pytest.raises(BitstreamError, match="was written with weights"):
        make_codec(seed=2).decode(stream)


def test_a_bitstream_of_another_preset_is_refused(
    make_codec: Maker, photograph: np.ndarray
) -> None:
    stream = make_codec("progic-tiny").encode(photograph)
    with pytest.raises(BitstreamError, match="preset number 3, the weights of progic-s"):
        make_codec("progic-s").decode(stream)


@pytest.mark.parametrize(("height", "width"), [(8192, 8193), (1, 1 << 21)])
def test_an_image_that_the_header_cannot_state_is_refused(
    make_codec: Maker, height: int, width: int
) -> None:
    large = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
    with pytest.raises(UnsupportedImage, match=f"{height} x {width} is more than"):
        make_codec().encode(large)


@pytest.mark.slow
def test_8k_encodes_and_decodes(make_codec: Maker, photograph: np.ndarray) -> None:
    image = np.tile(photograph, (22, 29, 1))[:4320, :7680]
    codec = make_codec()
    stream = codec.encode(image)
    assert codec.decode(stream).shape == image.shape


def test_without_weights_the_message_says_what_to_do(tmp_path: Path) -> None:
    codec = ProGIC({"preset": "progic"}, "cpu")
    files = {"progic.safetensors": tmp_path / "progic.safetensors"}
    rate = RatePoint("s5", {"stages": 5}, "pretrained", files)
    with pytest.raises(Unavailable, match="train them, name a checkpoint as progic@FILE"):
        codec.load(rate)


def test_the_profile_is_the_papers_at_any_size(make_codec: Maker) -> None:
    codec = make_codec("progic")
    whole, half = codec.profile(512, 768), codec.profile(512, 512)
    assert whole.parameters == pytest.approx(33.11e6, rel=0.01)
    assert whole.flops == pytest.approx(333.4e9, rel=0.02)
    assert whole.flops_torch == pytest.approx(whole.flops, rel=0.01)
    assert half.flops == pytest.approx(222.3e9, rel=0.02)

"""The bytes: what they cost, that every whole prefix decodes, and that damage is refused."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from progic import bitstream
from progic.bitstream import Header, Packed, StageCoder
from progic.presets import FACTORS, PRESETS, Settings

from harness.codec import BitstreamError

CHECKPOINT = b"\x12\x34\x56\x78"


def network_settings(stages: int, bits: int, factor: int) -> Settings:
    return Settings(8, 1, 1, 8, stages=stages, index_bits=bits, factor=factor)


def coder_for(config: Settings, *, range_coded: bool, seed: int = 0) -> StageCoder:
    if not range_coded:
        return Packed(config.index_bits)
    pytest.importorskip("constriction")
    from progic.entropy import RangeCoded

    usage = np.random.default_rng(seed).integers(0, 50, (config.stages, config.words))
    return RangeCoded(usage.astype(np.float32))


def random_indices(config: Settings, height: int, width: int, seed: int = 0) -> np.ndarray:
    shape = (config.stages, *config.latent_size(height, width))
    return np.random.default_rng(seed).integers(0, config.words, shape, dtype=np.uint16)


def written(
    config: Settings, height: int, width: int, *, range_coded: bool = False, seed: int = 0
) -> tuple[bytes, np.ndarray]:
    header = Header(1, config.stages, height, width, CHECKPOINT, range_coded)
    indices = random_indices(config, height, width, seed)
    return bitstream.write(header, indices, coder_for(config, range_coded=range_coded)), indices


configs = st.builds(
    network_settings, st.integers(1, 9), st.integers(1, 16), st.sampled_from(FACTORS)
)
sides = st.integers(1, 700)


@settings(max_examples=300)
@given(config=configs, height=sides, width=sides, seed=st.integers(0, 99))
def test_what_is_written_is_read(config: Settings, height: int, width: int, seed: int) -> None:
    stream, indices = written(config, height, width, seed=seed)
    header, _ = bitstream.read_header(stream)
    assert header == Header(1, config.stages, height, width, CHECKPOINT)
    assert np.array_equal(bitstream.read(stream, config, Packed(config.index_bits)), indices)


@settings(max_examples=60)
@given(
    config=st.builds(
        network_settings, st.integers(1, 5), st.integers(1, 11), st.sampled_from(FACTORS)
    ),
    height=sides,
    width=sides,
)
def test_what_is_range_coded_is_read(config: Settings, height: int, width: int) -> None:
    stream, indices = written(config, height, width, range_coded=True)
    coder = coder_for(config, range_coded=True)
    assert np.array_equal(bitstream.read(stream, config, coder), indices)


@settings(max_examples=300)
@given(config=configs, rows=st.integers(1, 12), columns=st.integers(1, 12))
def test_a_stage_costs_what_equation_1_says_rounded_up_to_a_byte(
    config: Settings, rows: int, columns: int
) -> None:
    height, width = rows * config.factor, columns * config.factor
    stream, _ = written(config, height, width)
    ends = bitstream.stage_ends(stream, config, Packed(config.index_bits))
    pixels = height * width
    for first, last in itertools.pairwise(ends):
        assert 0 <= 8 * (last - first) - config.stage_bpp * pixels < 8


@pytest.mark.parametrize("preset", ["progic", "progic-n16-f32", "progic-n48-f64"])
def test_the_payload_of_whole_bytes_is_exactly_equation_1(preset: str) -> None:
    config = PRESETS[preset]
    side = 8 * config.factor
    stream, _ = written(config, side, side)
    ends = bitstream.stage_ends(stream, config, Packed(config.index_bits))
    payload = len(stream) - ends[0]
    bpp = config.index_bits / config.factor**2 * config.stages
    assert 8 * payload / side**2 == bpp


def test_a_stage_of_256_x_256_fits_a_satellite_packet_with_its_header() -> None:
    stream, _ = written(PRESETS["progic"], 256, 256)
    header, *stages = bitstream.stage_ends(stream, PRESETS["progic"], Packed(10))
    assert stages[0] - header == 320
    assert stages[0] <= 360


@pytest.mark.parametrize("range_coded", [False, True])
def test_every_prefix_decodes_to_its_last_complete_stage(*, range_coded: bool) -> None:
    config = network_settings(stages=4, bits=10, factor=16)
    coder = coder_for(config, range_coded=range_coded)
    stream, indices = written(config, 50, 61, range_coded=range_coded)
    ends = bitstream.stage_ends(stream, config, coder)
    assert len(ends) == 5
    assert ends[-1] == len(stream)
    for length in range(len(stream) + 1):
        whole = sum(end <= length for end in ends) - 1
        if whole >= 1:
            found = bitstream.read(stream[:length], config, coder)
            assert np.array_equal(found, indices[:whole])
        else:
            with pytest.raises(BitstreamError, match=r"empty|ends inside|is cut"):
                bitstream.read(stream[:length], config, coder)


@pytest.mark.parametrize("range_coded", [False, True])
def test_bytes_after_the_last_stage_are_refused(*, range_coded: bool) -> None:
    config = network_settings(stages=2, bits=10, factor=16)
    stream, _ = written(config, 50, 61, range_coded=range_coded)
    with pytest.raises(BitstreamError, match="3 bytes follow the last of 2 stages"):
        bitstream.read(stream + b"abc", config, coder_for(config, range_coded=range_coded))


def test_every_flipped_bit_of_the_header_is_noticed() -> None:
    config = network_settings(stages=3, bits=10, factor=16)
    for height, width in ((1, 1), (16, 127), (128, 500), (5000, 70)):
        stream, _ = written(config, height, width)
        _, length = bitstream.read_header(stream)
        for bit in range(8 * length):
            damaged = bytearray(stream)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(BitstreamError):
                bitstream.read(bytes(damaged), config, Packed(10))


def test_an_unknown_version_is_named() -> None:
    stream, _ = written(PRESETS["progic"], 32, 32)
    with pytest.raises(BitstreamError, match="version 2; this decoder knows 1"):
        bitstream.read_header(b"\x52" + stream[1:])


def test_other_files_are_refused_as_bitstreams() -> None:
    with pytest.raises(BitstreamError, match="not a ProGIC bitstream"):
        bitstream.read_header(b"\x89PNG\r\n\x1a\n" + bytes(100))


def test_a_few_bytes_cannot_ask_for_a_large_image() -> None:
    header = Header(1, 5, 1 << 20, 1 << 20, CHECKPOINT)
    with pytest.raises(BitstreamError, match="are more than the"):
        bitstream.read_header(header.to_bytes())
    header = Header(1, 5, 8192, 8192, CHECKPOINT)
    with pytest.raises(BitstreamError, match="ends inside its first stage"):
        bitstream.read(header.to_bytes() + bytes(300), PRESETS["progic"], Packed(10))


def test_padding_that_no_encoder_writes_is_refused() -> None:
    config = network_settings(stages=1, bits=10, factor=16)
    stream, _ = written(config, 16, 16)
    damaged = stream[:-1] + bytes([stream[-1] | 1])
    with pytest.raises(BitstreamError, match="stage 1 is not filled up with zeros"):
        bitstream.read(damaged, config, Packed(10))


def damage(stream: bytes, rng: random.Random) -> bytes:
    """Truncate, extend, flip bits, overwrite, or replace by random bytes."""
    data = bytearray(stream)
    kind = rng.randrange(5)
    if kind == 0:
        return bytes(data[: rng.randrange(len(data))])
    if kind == 1:
        return bytes(data) + rng.randbytes(rng.randrange(1, 40))
    if kind == 2:
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(data)
    if kind == 3:
        start = rng.randrange(len(data))
        piece = rng.randbytes(rng.randrange(1, 12))
        data[start : start + len(piece)] = piece
        return bytes(data)
    return stream[: rng.choice((0, 1, 3, 13))] + rng.randbytes(rng.randrange(200))


@pytest.mark.parametrize("range_coded", [False, True])
def test_ten_thousand_damaged_bitstreams_are_refused_or_read_as_they_stand(
    *, range_coded: bool
) -> None:
    rng = random.Random(7)
    config = network_settings(stages=3, bits=10, factor=16)
    coder = coder_for(config, range_coded=range_coded)
    streams = [
        written(config, height, width, range_coded=range_coded)[0]
        for height, width in ((1, 1), (40, 33), (64, 64), (100, 130))
    ]
    refused = 0
    for _ in range(10_000):
        data = damage(rng.choice(streams), rng)
        try:
            indices = bitstream.read(data, config, coder)
        except BitstreamError as error:
            assert str(error)  # noqa: PT017 - most of these must raise, not all
            refused += 1
            continue
        header, _ = bitstream.read_header(data)
        assert indices.shape[1:] == config.latent_size(header.height, header.width)
        assert 1 <= len(indices) <= header.stages
        assert indices.max() < config.words
    assert 4_000 < refused < 10_000

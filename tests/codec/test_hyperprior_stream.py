"""What adapters make their bitstreams of: numbers, and the two strings of a hyperprior codec."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.codec import BitstreamError
from harness.codec.bitstream import HyperpriorStream, read_varint, varint

IDENTITY = 0xBEEF
TITLE = "Some Codec"


def read(stream: bytes, identity: int = IDENTITY) -> HyperpriorStream:
    return HyperpriorStream.read(stream, identity, TITLE)


@given(st.integers(0, (1 << 28) - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_a_number_is_read_where_it_was_written(value, before, after):
    written = varint(value)
    found = read_varint(before + written + after, len(before), 4)
    assert found == (value, len(before) + len(written))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff", b"\xff\xff\xff\x01", b"\x81\x00"])
def test_a_number_that_is_cut_too_long_or_padded_is_refused(data):
    with pytest.raises(BitstreamError, match="cut, too long or not in its shortest form"):
        read_varint(data, 0, 3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (512, 768), (2160, 3840), (65535, 127)])
@pytest.mark.parametrize("words", [1, 127, 128, 100_000])
def test_bytes_hold_what_was_coded(height, width, words):
    coded = HyperpriorStream(height, width, bytes(range(4)) * words, b"tail")
    assert read(coded.to_bytes(IDENTITY)) == coded


def test_the_header_of_a_photograph_takes_eight_bytes():
    for height, width in ((512, 768), (2160, 3840)):
        coded = HyperpriorStream(height, width, bytes(4 * 1000), bytes(4 * 5000))
        assert len(coded.to_bytes(IDENTITY)) == 4 * 6000 + 8


def test_cut_damaged_and_other_bytes_are_refused():
    whole = HyperpriorStream(512, 768, b"hyperlatents", b"latents.").to_bytes(IDENTITY)
    for length in range(len(whole)):
        with pytest.raises(BitstreamError):
            read(whole[:length])
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            with pytest.raises(BitstreamError):
                read(bytes(damaged))
    for identity in (0, 1, IDENTITY ^ 0x8000):
        with pytest.raises(BitstreamError, match=f"not of {TITLE} with these weights"):
            read(whole, identity)


@pytest.mark.parametrize(
    ("height", "width", "hyperlatents", "latents"),
    [(65_535, 65_535, b"hype", b"late"), (8193, 8192, b"hype", b"late"),
     (0, 8, b"hype", b"late"), (8, 70_000, b"hype", b"late"), (8, 8, b"", b"late"),
     (8, 8, b"hype", b""), (8, 8, b"hype", b"lat")],
)  # fmt: skip
def test_a_header_that_no_encoder_writes_is_refused(height, width, hyperlatents, latents):
    stream = HyperpriorStream(height, width, hyperlatents, latents).to_bytes(IDENTITY)
    with pytest.raises(BitstreamError, match="the header states"):
        read(stream)

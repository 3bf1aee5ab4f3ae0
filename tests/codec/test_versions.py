"""The bytes of version 1 of what adapters share, as they were when records were made with them."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from harness.codec import bitstream, checkpoint, external
from harness.codec.bitstream import HyperpriorStream, read_varint, varint

NUMBERS = {
    0: "00",
    1: "01",
    127: "7f",
    128: "8001",
    300: "ac02",
    65535: "ffff03",
    (1 << 28) - 1: "ffffff7f",
}
STREAMS = {
    "8004800603fbcc68797065726c6174656e74736c6174656e74732e": (
        HyperpriorStream(512, 768, b"hyperlatents", b"latents."),
        0xBEEF,
    ),
    "017f01c1c5687970657461696c": (HyperpriorStream(1, 127, b"hype", b"tail"), 0),
}


def raise_version(module: ModuleType) -> str:
    return (
        f"these bytes are not those of version 1: raise VERSION in {module.__name__}, so that "
        "every case of the adapters that use it is measured again, and write the new bytes here"
    )


def test_these_are_the_bytes_of_version_1():
    assert (bitstream.VERSION, checkpoint.VERSION, external.VERSION) == (1, 1, 1), (
        "after a version is raised, the bytes here are to be those of the new one"
    )


@pytest.mark.parametrize(("value", "written"), NUMBERS.items())
def test_a_number_is_written_as_ever(value, written):
    assert varint(value).hex() == written, raise_version(bitstream)
    found = read_varint(bytes.fromhex(written), 0, 4)
    assert found == (value, len(written) // 2), raise_version(bitstream)


@pytest.mark.parametrize(("written", "coded"), STREAMS.items())
def test_a_hyperprior_codecs_stream_is_written_as_ever(written, coded):
    stream, identity = coded
    assert stream.to_bytes(identity).hex() == written, raise_version(bitstream)
    read = HyperpriorStream.read(bytes.fromhex(written), identity, "Some Codec")
    assert read == stream, raise_version(bitstream)


def test_weights_have_the_fingerprint_they_ever_had():
    weights = [torch.arange(6, dtype=torch.float32).reshape(2, 3), torch.tensor(-1)]
    assert checkpoint.fingerprint(weights) == 0x5FD5B488, raise_version(checkpoint)


def test_programs_are_given_the_same_file_as_ever(tmp_path):
    image = np.arange(12, dtype=np.uint8).reshape(1, 4, 3)
    external.write_image(tmp_path / "image.ppm", image)
    written = (tmp_path / "image.ppm").read_bytes()
    assert written == b"P6\n4 1\n255\n" + bytes(range(12)), raise_version(external)
    np.testing.assert_array_equal(external.read_ppm(written), image)

"""The parsers of files that come from outside: manifests, pictures, archives, weights, indexes."""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import pickle
import sqlite3
import zipfile
import zlib
from pathlib import Path

from campaigns.parsing.parser import ROOT, Parser, in_file, refused_by, scratch

MINIMAL_CODEC = """name = "mine"
title = "Mine"
family = "learned"
licence = "MIT"
entry = "codec:Mine"
[[rate]]
id = "low"
options = { q = 1 }
nominal_bpp = 0.5
weights = ["a/b.pt"]
[[weights]]
file = "a/b.pt"
size = 3
[upstream]
repository = "https://example.org"
commit = "0000000000000000000000000000000000000000"
subfolder = "src"
[constraints]
max_pixels = 3
devices = ["cpu"]
[variants.mine-2]
title = "Two"
in_all = false
"""
MINIMAL_DATASET = """name = "input"
title = "Mine"
licence = "CC0"
homepage = "https://example.org"
citation = ""
images = 1
[[file]]
name = "a/b.png"
url = "https://example.org/b.png"
"""
ARCHIVED = """name = "input"
title = "Mine"
licence = "CC0"
homepage = ""
citation = ""
images = 1
[archive]
url = "https://example.org/a.zip"
members = "*.png"
size = 2
"""


def codec_manifest() -> Parser:
    """``codec.toml``, from the text to what the harness makes of it."""
    from harness.catalog.codec_manifest import CodecManifest, read_codec
    from harness.catalog.record import keys_of
    from harness.errors import ManifestError

    def parse(path: Path) -> None:
        for spec in read_codec(path):
            for weights in spec.weights:
                _inside(weights.file)
            for name in (spec.name, *(rate.id for rate in spec.rates)):
                _inside(name)
                assert "/" not in name
                assert len(name) <= 100

    seeds = [MINIMAL_CODEC.encode()]
    seeds += [p.read_bytes() for p in sorted(ROOT.glob("adapters/*/codec.toml"))][:4]
    tokens = [*keys_of(CodecManifest), "..", "/", "[[rate]]", "\\u0000", "'''"]
    return Parser(refused_by(ManifestError, in_file("codec.toml", parse)), seeds, None, tokens)


def dataset_manifest() -> Parser:
    """The manifest of a data set."""
    from harness.catalog.datasets import DatasetSpec, read_dataset
    from harness.catalog.record import keys_of
    from harness.errors import ManifestError

    def parse(path: Path) -> None:
        spec = read_dataset(path)
        assert spec.count >= 1
        for file in spec.files:
            _inside(file.name)
            _inside(file.package or "none")

    seeds = [MINIMAL_DATASET.encode(), ARCHIVED.encode()]
    tokens = [*keys_of(DatasetSpec), "..", "/", "[[file]]", "\\u0000", "'''"]
    return Parser(refused_by(ManifestError, in_file("input.toml", parse)), seeds, None, tokens)


def protocol() -> Parser:
    """The protocol of a paper's comparison."""
    from harness.errors import HarnessError
    from harness.paper.protocol import read_protocol

    seeds = [p.read_bytes() for p in sorted(ROOT.glob("protocols/*.toml"))]
    parse = refused_by(HarnessError, in_file("protocol.toml", read_protocol))
    return Parser(parse, seeds, None, ["bdrate", "runtime", "figures", "pictures", "..", "'''"])


def limits() -> Parser:
    """The limits of a comparison of checkpoints."""
    from harness.errors import HarnessError
    from harness.gate.limits import read_limits

    seeds = [b"quality_level = 0.05\n[metrics.psnr]\nloss = 0.1\n", b"[speed]\npercent = 5\n"]
    parse = refused_by(HarnessError, in_file("limits.toml", read_limits))
    return Parser(parse, seeds, None, ["metrics", "speed", "psnr", "percent", "nan", "inf"])


def _inside(path: str) -> None:
    assert path
    assert not path.startswith("/")
    assert "\\" not in path
    assert all(part not in {"", ".", ".."} for part in path.split("/"))


def hashes() -> Parser:
    """The record of the hashes of what was downloaded."""
    from harness.assets.dataset_files import recorded_hashes
    from harness.assets.download import DownloadError

    def parse(data: bytes) -> None:
        found = recorded_hashes(Path("x.lock.json"), data.decode(errors="replace"))
        assert all(isinstance(text, str) for pair in found.items() for text in pair)

    seeds = [b'{"https://example.org/a": "00"}', b"[]", b'{"a": 1}', b""]
    return Parser(refused_by(DownloadError, parse), seeds)


def resolution() -> Parser:
    """``--resolution``."""
    from harness.errors import HarnessError
    from harness.images.resolution import parse as parse_resolution

    def parse(data: bytes) -> None:
        text = data.decode(errors="surrogateescape")
        for found in parse_resolution(text):
            assert 0 <= found.height < 10**6
            assert 0 <= found.width < 10**6

    return Parser(refused_by(HarnessError, parse), [b"native,512x768", b" 1x1 ,2 x 3"])


def picture() -> Parser:
    """A picture of any format that is read, from the header to the array."""
    import numpy as np
    import PIL.Image

    from harness.errors import ImageError
    from harness.images.files import FORMATS, MAX_PIXELS, read_image

    def parse(path: Path) -> None:
        image = read_image(path)
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert 0 < image.shape[0] * image.shape[1] <= MAX_PIXELS

    seeds = []
    samples = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    for mode in ("RGB", "L", "P", "1", "RGBA", "CMYK"):
        for kind in FORMATS:
            file = io.BytesIO()
            with contextlib.suppress(OSError, KeyError):
                options = {"exif": exif} if kind in {"PNG", "JPEG", "WEBP", "TIFF"} else {}
                PIL.Image.fromarray(samples).convert(mode).save(file, kind, **options)
                seeds.append(file.getvalue())
    seeds += [b"P3 1 1 255 1 2 3", b"P1 2 1 0 1", b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nENDHDR\n1"]
    return Parser(refused_by(ImageError, in_file("input.png", parse)), seeds, _mended_png)


def _mended_png(data: bytes) -> bytes:
    """A PNG with the CRC of each chunk mended; anything else as it is."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    mended, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        mended[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(mended)


def archive() -> Parser:
    """The zip file of a data set, which is unpacked."""
    from harness.assets.dataset_files import unpack
    from harness.assets.download import DownloadError
    from harness.catalog.datasets import ArchiveSpec, DatasetSpec

    spec = DatasetSpec("x", "X", "", "", "", 1, (), ArchiveSpec("https://example.org", "*.png"))

    def parse(path: Path) -> None:
        folder = path.parent / "inner" / "images"
        folder.parent.mkdir(exist_ok=True)
        try:
            unpack(spec, path, folder)
        finally:
            assert {p.name for p in path.parent.iterdir()} == {path.name, "inner"}
            assert {p.name for p in folder.parent.iterdir()} <= {"images"}
            for made in folder.glob("*"):
                assert made.is_file()
                assert not made.is_symlink()
                made.unlink()

    seeds = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for name in ("a.png", "../../a.png", "/a.png", "b/../a.png"):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", method) as opened:
                opened.writestr(name, b"pixels" * 3)
                opened.writestr("readme", b"")
            seeds.append(file.getvalue())
    return Parser(refused_by(DownloadError, in_file("input.zip", parse)), seeds)


def index() -> Parser:
    """The index of files, which must never give a fact that it was not told."""
    from harness.assets.digests import FileMemory

    context = contextlib.ExitStack()
    atexit.register(context.close)
    folder = context.enter_context(scratch())
    remembered, database = folder / "a", folder / "index.sqlite"
    remembered.touch()
    with FileMemory("kind", database) as memory:
        memory.remember(remembered, ["fact", 1])
    seed = database.read_bytes()

    def accepts(data: bytes) -> bool:
        database.write_bytes(data)
        with FileMemory("kind", database) as memory:
            found = memory.recall(remembered)
            assert found in (None, ["fact", 1])
            memory.remember(remembered, ["fact", 1])
        return found is not None

    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        empty.execute("CREATE TABLE files (kind TEXT)")
        other = empty.serialize()
    return Parser(accepts, [seed, other, b"not a database"])


def arrays() -> Parser:
    """A pickle of arrays, read without running code."""
    import numpy as np

    from harness.assets.unpickle import read_arrays

    values = {"a": np.arange(3, dtype=np.float32), "b": [np.zeros((2, 2))], "c": (1, "x")}
    seeds = [pickle.dumps(values, protocol) for protocol in (3, 4)]
    seeds.append(b"cos\nsystem\n(S'echo'\ntR.")

    def parse(data: bytes) -> None:
        read_arrays(data)

    return Parser(refused_by(pickle.UnpicklingError, parse), seeds)


def checkpoint() -> Parser:
    """A checkpoint of PyTorch."""
    import torch

    from harness.codec import Unavailable
    from harness.codec.checkpoint import read

    seeds = []
    for zipped in (True, False):
        file = io.BytesIO()
        state = {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
        seeds.append(file.getvalue())
    parse = in_file("input.pt", lambda path: read(path, "the network"))
    return Parser(refused_by(Unavailable, parse), seeds)


def safetensors() -> Parser:
    """A checkpoint of ProGIC, a safetensors file."""
    from campaigns.parsing.parser import adapter

    adapter("progic")
    import torch
    from progic.checkpoint import FORMAT, load_checkpoint, weights_sha256
    from progic.network import random_network
    from progic.presets import Settings
    from safetensors.torch import save

    from harness.codec import Unavailable

    settings = Settings(8, 1, 1, 8, 1, 1)
    network = random_network(settings, 0)
    metadata = {
        "format": FORMAT, "settings": json.dumps(vars(settings)), "sha256": weights_sha256(network)
    }  # fmt: skip
    seeds = [save(network.state_dict(), metadata), save({"a": torch.zeros(1)}, {"format": FORMAT})]
    return Parser(refused_by(Unavailable, in_file("input.safetensors", load_checkpoint)), seeds)

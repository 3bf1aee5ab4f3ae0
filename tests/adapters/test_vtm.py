"""VTM's adapter: its header, files and command lines; VTM itself where it is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from lacking import lack_of
from vtm.bitstream import Header
from vtm.codec import VtmIntra
from vtm.colour import Conversion
from vtm.programs import Vtm, find_configuration, read_banner
from vtm.yuv import raw, read_y4m

from harness.catalog.codec_manifest import read_codec
from harness.codec import (
    BitstreamError,
    CodecError,
    ProgramKilled,
    RatePoint,
    Unavailable,
    UnsupportedImage,
)
from harness.environments import Inline
from harness.environments.client import Limits, WorkerFailure
from harness.worker.session import explain
from harness.worker.wire import rate_fields
from tests.patience import HANG_SECONDS

FOLDER = Path(__file__).parents[2] / "adapters" / "vtm"
SPECS = {spec.name: spec for spec in read_codec(FOLDER / "codec.toml")}
OPTIONS = SPECS["vtm"].options
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=8 << 30)
BUILT = lack_of(SPECS["vtm"])
needs_vtm = pytest.mark.skipif(BUILT is not None, reason=f"NOT CHECKED: VTM itself; {BUILT}")

photograph = np.ascontiguousarray(skimage.data.astronaut()[:256, 64:448])
small = np.ascontiguousarray(photograph[60:92, 100:148])


def conversion(**options):
    return Conversion.of({**OPTIONS, **options})


def psnr(image, reference):
    error = np.mean((image.astype(float) - reference) ** 2)
    return 10 * np.log10(255**2 / error) if error else np.inf


def test_the_header_is_one_byte_and_tells_the_parity():
    for rows in (0, 1):
        for columns in (0, 1):
            packed = Header(rows, columns).pack(conversion())
            assert len(packed) == 1
            assert Header.read(packed + b"rest", conversion()) == Header(rows, columns)


@pytest.mark.parametrize(
    ("name", "value"),
    [("chroma", "4:4:4"), ("matrix", "bt601"), ("range", "limited"), ("depth", 10),
     ("siting", "center")],
)  # fmt: skip
def test_a_bitstream_of_another_conversion_is_refused_by_name(name, value):
    packed = Header(0, 0).pack(conversion(**{name: value}))
    with pytest.raises(BitstreamError, match=f"not made with {name} = {OPTIONS[name]!r}"):
        Header.read(packed, conversion())


def test_a_bitstream_around_another_gray_is_refused_by_name():
    packed = Header(0, 0).pack(Conversion.of(SPECS["vtm-compressai"].options))
    with pytest.raises(BitstreamError, match="not made with gray = 'integer'"):
        Header.read(packed, conversion(chroma="4:4:4"))


@pytest.mark.parametrize("damaged", [b"", b"\x00\x00\x00\x01", b"\x7f"])
def test_bytes_without_the_header_are_refused(damaged):
    with pytest.raises(BitstreamError, match="not a header"):
        Header.read(damaged, conversion())


@pytest.mark.parametrize(("chroma", "name"), [("4:2:0", b"C420"), ("4:4:4", b"C444")])
@pytest.mark.parametrize("depth", [8, 10])
def test_what_the_decoder_writes_is_read_or_refused(chroma, name, depth):
    planes = conversion(chroma=chroma, depth=depth).from_rgb(small)
    top = b"YUV4MPEG2 W48 H32 F50:1 Ip A0:0 " + name + (b"p10" if depth == 10 else b"")
    written = top + b"\nFRAME\n" + raw(planes, depth)
    for plane, back in zip(planes, read_y4m(written, chroma, depth), strict=True):
        assert np.array_equal(plane, back)
    for wrong in (b"", written[:-1], written + b"\0", written[: len(top)], b"YUV4MPEG2 \nFRAME\n"):
        with pytest.raises(BitstreamError, match="the decoder wrote"):
            read_y4m(wrong, chroma, depth)
    with pytest.raises(BitstreamError, match="the decoder wrote"):
        read_y4m(written, "4:2:0" if chroma == "4:4:4" else "4:4:4", depth)


def test_the_command_is_that_of_the_paper():
    vtm = Vtm(Path("/v/EncoderApp"), Path("/v/DecoderApp"), (Path("/v/intra.cfg"),), "23.10", "")
    line = " ".join(vtm.encode(OPTIONS, 32, 512, 768))
    assert line == (
        "/v/EncoderApp -c /v/intra.cfg -i source.yuv -b coded.bin -o /dev/null -wdt 768 -hgt 512 "
        "-q 32 -fr 1 -f 1 --InputBitDepth=8 --InputChromaFormat=420"
    )
    assert "--InputChromaFormat=444" in vtm.encode(SPECS["vtm-444"].options, 32, 2, 2)
    assert vtm.encode({**OPTIONS, "arguments": ["--BDPCM=1"]}, 32, 2, 2)[-1] == "--BDPCM=1"
    assert " ".join(vtm.decode(OPTIONS)) == "/v/DecoderApp -b coded.bin -o decoded.y4m -d 10"


def script(folder, name, line):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


def banner(name, version):
    return f"echo; echo 'VVCSoftware: VTM {name} Version {version} [Linux][GCC 12.2.0][SIMD=AVX2] '"


def test_the_version_is_read_from_what_a_program_prints(tmp_path):
    path = script(tmp_path, "EncoderApp", banner("Encoder", "23.10") + "; exit 1")
    assert read_banner(path) == ("23.10", "[Linux] [GCC 12.2.0] [SIMD=AVX2]")


def test_a_program_that_is_not_vtm_is_refused_by_its_path(tmp_path):
    path = script(tmp_path, "EncoderApp", "echo hello")
    with pytest.raises(Unavailable, match=f"{path} does not state a version of VTM"):
        read_banner(path)
    path.write_bytes(b"\x7fELF of another machine")
    with pytest.raises(Unavailable, match=f"{path} does not run: .*build VTM on this machine"):
        read_banner(path)


def test_another_version_is_refused_by_both_versions(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_VTM", str(tmp_path))
    encoder = script(tmp_path, "EncoderAppStatic", banner("Encoder", "23.10"))
    with pytest.raises(Unavailable, match=r"VTM's DecoderApp not found; build VTM 23\.10"):
        Vtm.find(None, "23.10", ["encoder_intra_vtm.cfg"])
    decoder = script(tmp_path, "DecoderAppStatic", banner("Decoder", "20.2"))
    with pytest.raises(Unavailable, match=rf"{decoder} is VTM 20\.2, not 23\.10"):
        Vtm.find(None, "23.10", ["encoder_intra_vtm.cfg"])
    script(tmp_path, "DecoderAppStatic", banner("Decoder", "23.10"))
    with pytest.raises(Unavailable, match=r"configuration encoder_intra_vtm\.cfg not found"):
        Vtm.find(None, "23.10", ["encoder_intra_vtm.cfg"])
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "encoder_intra_vtm.cfg").write_text("QP : 32\n")
    found = Vtm.find(None, "23.10", ["encoder_intra_vtm.cfg"])
    assert (found.encoder, found.decoder, found.version) == (encoder, decoder, "23.10")


def test_the_configuration_is_found_beside_the_programs_or_in_upstream_s_checkout(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("HARNESS_VTM", raising=False)
    built, checkout = tmp_path / "built" / "bin", tmp_path / "checkout"
    for folder in (built, checkout / "cfg"):
        folder.mkdir(parents=True)
    (checkout / "cfg" / "a.cfg").touch()
    encoder = built / "EncoderApp"
    assert find_configuration("a.cfg", encoder, checkout) == checkout / "cfg" / "a.cfg"
    (built.parent / "cfg").mkdir()
    (built.parent / "cfg" / "a.cfg").touch()
    assert find_configuration("a.cfg", encoder, checkout) == built.parent / "cfg" / "a.cfg"
    named = str(checkout / "cfg" / "a.cfg")
    assert find_configuration(named, encoder, None) == Path(named)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"matrix": "bt2020"}, "matrix = 'bt2020' is none of: bt709, bt601"),
        ({"chroma": "4:2:2"}, "chroma = '4:2:2' is none of"),
        ({"output_depth": 12}, "output_depth = 12 is not between depth = 8 and 10"),
        ({"depth": 10, "output_depth": 8}, "output_depth = 8 is not between depth = 10 and 10"),
    ],
)
def test_an_invalid_option_is_reported_with_the_valid_ones(option, message):
    with pytest.raises(CodecError, match=message):
        VtmIntra({**OPTIONS, **option}, "cpu").load(RatePoint("qp32", {"qp": 32}))


CODES = "if [ $# -gt 0 ]; then {}; fi; {}"


@pytest.fixture
def encoder_that(tmp_path, monkeypatch):
    """A loaded codec whose encoder states VTM's version and, asked to encode, does as it is told.

    It stands in for VTM, which nothing but memory or somebody's hand kills.
    """

    def codec(does):
        monkeypatch.setenv("HARNESS_VTM", str(tmp_path))
        script(tmp_path, "EncoderApp", CODES.format(does, banner("Encoder", "23.10")))
        script(tmp_path, "DecoderApp", CODES.format(does, banner("Decoder", "23.10")))
        (tmp_path / "encoder_intra_vtm.cfg").touch()
        made = VtmIntra(OPTIONS, "cpu")
        made.load(RatePoint("qp32", {"qp": 32}))
        return made

    return codec


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM"])
def test_an_encoder_that_a_signal_ends_has_crashed_and_refused_nothing(encoder_that, name):
    talkative = 'i=0; while [ $i -lt 60 ]; do echo "A setting : $i"; i=$((i+1)); done'
    codec = encoder_that(f"{talkative}; kill -{name.removeprefix('SIG')} $$")
    with pytest.raises(ProgramKilled, match=f"EncoderApp was ended by {name}") as error:
        codec.encode(small)
    answer = explain(error.value)
    assert (answer["status"], answer["reason"]) == ("crashed", name)
    assert len(answer["problem"]) < 600, "not VTM's whole configuration"
    from_outside = name in ("SIGKILL", "SIGTERM")
    assert ("A setting" in answer["problem"]) != from_outside, "it cannot have said why"


def test_an_encoder_that_refuses_says_so(encoder_that):
    with pytest.raises(UnsupportedImage, match="exited with 1: too small"):
        encoder_that("echo too small; exit 1").encode(small)
    with pytest.raises(CodecError, match="ended well and wrote nothing") as error:
        encoder_that("exit 0").encode(small)
    assert not isinstance(error.value, UnsupportedImage)


def test_a_decoder_killed_from_outside_is_not_the_bitstream_s_fault(encoder_that):
    stream = Header(0, 0).pack(conversion()) + b"rest"
    with pytest.raises(ProgramKilled, match="SIGKILL"):
        encoder_that("kill -KILL $$").decode(stream)
    with pytest.raises(BitstreamError, match="was ended by SIGABRT"):
        encoder_that("kill -ABRT $$").decode(stream)


def test_a_full_temporary_folder_is_named(encoder_that):
    """Where nothing can be written, an empty report is what is left of how a program ended."""
    fills = "ln -s /dev/null report.json; exit 0"
    with pytest.raises(CodecError, match=r"temporary folder .* is full.*TMPDIR"):
        encoder_that(fills).encode(small)


def test_doctor_refuses_a_program_of_another_version(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_VTM", str(tmp_path))
    script(tmp_path, "EncoderApp", banner("Encoder", "23.10"))
    script(tmp_path, "DecoderApp", banner("Decoder", "20.2"))
    for spec in SPECS.values():
        assert "DecoderApp does not state 'VTM Decoder Version 23.10'" in lack_of(spec)
        assert "Version 20.2" in lack_of(spec)


def test_a_missing_vtm_is_reported_before_anything_runs(monkeypatch):
    monkeypatch.delenv("HARNESS_VTM", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    for spec in SPECS.values():
        assert "program 'EncoderApp' not found" in lack_of(spec)
        assert "HARNESS_VTM" in lack_of(spec)


def test_the_rate_points_are_in_order_of_bitrate():
    for spec in SPECS.values():
        assert [rate.options["qp"] for rate in spec.rates] == list(range(52, 16, -5))
    assert [name for name, spec in SPECS.items() if spec.in_all] == ["vtm"]


@pytest.fixture(params=SPECS)
def vtm(request, tmp_path):
    """A worker with VTM at its lowest rate point."""
    spec = SPECS[request.param]
    with Inline().worker(tmp_path / "log", 1, LIMITS) as running:
        running.open(spec.folder, spec.entry, spec.options, "cpu")
        rate = spec.rates[0]
        running.facts = running.load(rate_fields(rate.id, rate.options, "none", {})).facts
        yield running


@needs_vtm
def test_vtm_codes_a_photograph_and_is_timed_as_a_process(vtm):
    bitstream, encoding, _ = vtm.encode(small)
    decoded, decoding = vtm.decode(bitstream)
    assert decoded.shape == small.shape
    assert psnr(decoded, small) > 15
    assert min(encoding.samples_ms + decoding.samples_ms) > 1
    assert encoding.peak_rss_bytes > 20 << 20
    assert vtm.facts["version"] == "23.10"
    assert len(vtm.facts["configuration_sha256"]) == 64


@needs_vtm
@pytest.mark.parametrize("size", [(1, 1), (1, 19), (3, 2), (17, 9)])
def test_vtm_codes_any_size(vtm, size):
    image = np.ascontiguousarray(small[: size[0], : size[1]])
    assert vtm.decode(vtm.encode(image)[0])[0].shape == image.shape


@needs_vtm
def test_every_truncation_is_refused_by_vtm_or_before_it(vtm):
    bitstream, *_ = vtm.encode(small)
    for length in range(len(bitstream)):
        with pytest.raises(WorkerFailure) as failure:
            vtm.decode(bitstream[:length])
        assert failure.value.reason == "bitstream", f"cut at {length}: {failure.value}"


@needs_vtm
def test_damaged_bytes_never_end_the_worker(vtm):
    bitstream, *_ = vtm.encode(small)
    random = np.random.default_rng(1)
    for _ in range(20):
        damaged = np.frombuffer(bitstream, np.uint8).copy()
        damaged[random.integers(0, len(damaged), 3)] = random.integers(0, 256, 3)
        try:
            vtm.decode(damaged.tobytes())
        except WorkerFailure as failure:
            assert failure.reason == "bitstream", str(failure)  # noqa: PT017 - it may decode

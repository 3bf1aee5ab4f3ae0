"""Control-GIC's adapter: its ratios, tiles, bitstream and search; upstream's code where at hand."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
from click.testing import CliRunner
from control_gic.bitstream import (
    Codebook,
    Mode,
    Tile,
    TileReader,
    enlarged,
    packed,
    read_header,
    stored_masks,
    write,
)
from control_gic.granularity import Ratios, grid, read_ratios
from control_gic.tiles import padded, tiles
from control_gic.tools.search import RANDOM, chosen_lines, main, widened
from lacking import lack_of
from PIL import Image

from harness.assets.checkout import upstream_folder
from harness.catalog.codec_manifest import read_codec
from harness.codec import BitstreamError, CodecError
from harness.environments import choose
from harness.environments.client import Limits, WorkerFailure
from harness.plan.prepare import prepare
from harness.plan.request import Request
from harness.store.load import load_results
from harness.worker.wire import rate_fields
from tests.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "adapters" / "control_gic"
(SPEC,) = read_codec(FOLDER / "codec.toml")
CHECKOUT = upstream_folder(SPEC)
NOT_HERE = lack_of(SPEC, weights="random", environment="inline")
needs_checkout = pytest.mark.skipif(
    NOT_HERE is not None, reason=f"NOT CHECKED: Control-GIC itself; {NOT_HERE}"
)
NO_NETWORK = lack_of(SPEC, weights="random")
needs_network = pytest.mark.skipif(
    NO_NETWORK is not None, reason=f"NOT CHECKED: Control-GIC's network; {NO_NETWORK}"
)
LIMITS = Limits(call_seconds=HANG_SECONDS, load_seconds=HANG_SECONDS, memory_bytes=6 << 30)
LENGTHS = {0: "0", 1: "10", 2: "110", 3: "1110", 4: "1111"}
CODEBOOK = Codebook(LENGTHS, {code: word for word, code in LENGTHS.items()})


def a_tile(mode, rows=3, columns=5, seed=0):
    """Cells and indices as upstream's router and quantiser would give them."""
    random = np.random.default_rng(seed)
    has = {
        "coarse": mode in {Mode.ALL, Mode.COARSE_FINE, Mode.COARSE_MEDIUM, Mode.COARSE},
        "medium": mode in {Mode.ALL, Mode.MEDIUM_FINE, Mode.COARSE_MEDIUM, Mode.MEDIUM},
        "fine": mode in {Mode.ALL, Mode.MEDIUM_FINE, Mode.COARSE_FINE, Mode.FINE},
    }
    only_coarse = has["coarse"] and not (has["medium"] or has["fine"])
    coarse = (random.random((rows, columns)) < 0.4) & has["coarse"] | only_coarse
    medium = (random.random((2 * rows, 2 * columns)) < 0.5) | (not has["fine"])
    medium = medium & ~enlarged(coarse, 2) & has["medium"]
    fine = ~enlarged(coarse, 4) & ~enlarged(medium, 2)
    assert fine.any() == has["fine"]
    indices = random.integers(0, 5, fine.shape)
    indices = np.where(enlarged(medium, 2), enlarged(indices[::2, ::2], 2), indices)
    indices = np.where(enlarged(coarse, 4), enlarged(indices[::4, ::4], 4), indices)
    return Tile(coarse, medium, fine, indices)


def read(stream, rows=3, columns=5, count=1):
    """All tiles behind a header, which has to be right."""
    mode, _, _, position = read_header(stream, CODEBOOK)
    return read_tiles(stream, position, mode, rows, columns, count)


def read_tiles(stream, position, mode, rows=3, columns=5, count=1):
    """All tiles, whatever the checksum says."""
    reader = TileReader(stream, position, mode, CODEBOOK)
    read = [reader.read(rows, columns) for _ in range(count)]
    reader.end()
    return read


def test_the_rate_points_rise_to_the_bitrate_that_their_ratios_cost():
    bitrates = [rate.nominal_bpp for rate in SPEC.rates]
    ratios = [read_ratios(rate.options) for rate in SPEC.rates]
    assert bitrates == sorted(bitrates)
    assert bitrates == pytest.approx([one.nominal_bpp for one in ratios], abs=1e-4)
    assert [rate.id for rate in SPEC.rates] == [one.id for one in ratios]


@pytest.mark.parametrize("coarse", [n / 100 for n in range(101)])
def test_upstreams_comparison_with_zero_finds_that_nothing_is_fine(coarse):
    ratios = read_ratios({"fine": 0, "medium": 1 - coarse, "coarse": coarse})
    router = ratios.router_options
    assert 1 - router["coarse_grain_ratio"] - router["medium_grain_ratio"] == 0


def test_ratios_that_do_not_sum_to_one_are_refused():
    with pytest.raises(CodecError, match="must sum to 1"):
        read_ratios({"fine": 0.5, "medium": 0.4, "coarse": 0.2})


@pytest.mark.parametrize(("step", "count"), [(1, 5151), (5, 231), (10, 66)])
def test_the_grid_has_every_combination_once_by_rising_bitrate(step, count):
    ratios = grid(step)
    bitrates = [one.nominal_bpp for one in ratios]
    assert len({one.id for one in ratios}) == len(ratios) == count
    assert bitrates == sorted(bitrates)
    for one in ratios:
        read_ratios({"fine": one.fine, "medium": one.medium, "coarse": one.coarse})


def test_a_step_that_does_not_divide_the_whole_is_refused():
    with pytest.raises(CodecError, match="30 %"):
        grid(30)


@pytest.mark.parametrize("mode", Mode)
def test_tiles_of_every_mode_read_back(mode):
    written = [a_tile(mode, seed=seed) for seed in range(3)]
    stream = write(mode, 40, 230, written, CODEBOOK)
    assert read_header(stream, CODEBOOK)[:3] == (mode, 40, 230)
    for one, other in zip(written, read(stream, count=3), strict=True):
        for field in ("coarse", "medium", "fine", "indices"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_the_header_of_a_kodak_image_takes_7_bytes():
    tile = a_tile(Mode.FINE, 32, 48)
    stream = write(Mode.FINE, 512, 768, [tile], CODEBOOK)
    codes = "".join(LENGTHS[index] for index in tile.indices.ravel())
    assert len(stream) == 7 + len(packed(codes))


@pytest.mark.parametrize("mode", Mode)
def test_every_cut_and_every_byte_too_many_is_noticed(mode):
    stream = write(mode, 48, 80, [a_tile(mode)], CODEBOOK)
    for length in range(len(stream)):
        with pytest.raises(BitstreamError):
            read(stream[:length])
    with pytest.raises(BitstreamError, match="cut or damaged"):
        read(stream + b"\0")


@pytest.mark.parametrize("mode", Mode)
def test_every_cut_and_every_byte_too_many_is_noticed_without_the_checksum_too(mode):
    stream = write(mode, 48, 80, [a_tile(mode)], CODEBOOK)
    begin = read_header(stream, CODEBOOK)[-1]
    for length in range(begin, len(stream)):
        with pytest.raises(BitstreamError):
            read_tiles(stream[:length], begin, mode)
    with pytest.raises(BitstreamError, match="goes on"):
        read_tiles(stream + b"\0", begin, mode)


def test_every_flipped_bit_is_noticed():
    stream = write(Mode.ALL, 48, 80, [a_tile(Mode.ALL)], CODEBOOK)
    for position in range(8 * len(stream)):
        damaged = bytearray(stream)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            read_header(bytes(damaged), CODEBOOK)


def test_what_other_weights_wrote_is_refused():
    swapped = {**LENGTHS, 3: LENGTHS[4], 4: LENGTHS[3]}
    other = Codebook(swapped, {code: word for word, code in swapped.items()})
    stream = write(Mode.FINE, 48, 80, [a_tile(Mode.FINE)], other)
    with pytest.raises(BitstreamError, match="other weights wrote it"):
        read_header(stream, CODEBOOK)


def test_bytes_of_another_codec_are_named():
    with pytest.raises(BitstreamError, match="not a Control-GIC bitstream"):
        read_header(b"\xff\xd8\xff\xe0", CODEBOOK)
    with pytest.raises(BitstreamError, match="not a Control-GIC bitstream"):
        read_header(b"\xcf\x10\x10", CODEBOOK)


def test_a_cell_that_is_coarse_and_medium_is_refused():
    tile = a_tile(Mode.ALL)
    everywhere = Tile(tile.coarse | True, tile.medium | True, tile.fine, tile.indices)
    stream = write(Mode.ALL, 48, 80, [everywhere], CODEBOOK)
    with pytest.raises(BitstreamError, match="both coarse and medium"):
        read(stream)


def test_a_header_that_states_more_pixels_than_any_image_has_is_refused():
    with pytest.raises(BitstreamError, match="states an image of"):
        read_header(write(Mode.FINE, 1 << 20, 1 << 20, [], CODEBOOK), CODEBOOK)
    with pytest.raises(BitstreamError, match="states an image of 0 x 5"):
        read_header(write(Mode.FINE, 0, 5, [], CODEBOOK), CODEBOOK)


@pytest.mark.parametrize("size", [(1, 1), (512, 768), (1080, 1920), (767, 769)])
def test_tiles_cover_the_padded_image_once(size):
    image = np.zeros((*size, 3), np.uint8)
    covered = np.zeros(padded(image).shape[:2], int)
    for rows, columns in tiles(*size, 768):
        covered[rows, columns] += 1
        assert (rows.stop - rows.start) % 16 == (columns.stop - columns.start) % 16 == 0
    assert (covered == 1).all()


def test_padding_repeats_the_last_row_and_column():
    image = skimage.data.astronaut()[:20, :30]
    np.testing.assert_array_equal(padded(image), np.pad(image, ((0, 12), (0, 2), (0, 0)), "edge"))


def test_a_tile_that_is_no_whole_number_of_cells_is_refused():
    with pytest.raises(CodecError, match="multiple of 16"):
        list(tiles(100, 100, 100))


def test_the_search_keeps_the_granularities_that_no_other_beats():
    rows = [
        {"rate": ratios.id, "image": image, "bpp": ratios.nominal_bpp, "dists": dists + image / 100}
        for ratios, dists in (
            (Ratios(0.0, 0.5, 0.5), 0.3),
            (Ratios(0.1, 0.8, 0.1), 0.2),
            (Ratios(0.2, 0.6, 0.2), 0.25),
            (Ratios(1.0, 0.0, 0.0), 0.1),
        )
        for image in range(2)
    ]
    constants = {
        "codec": "control-gic", "title": "Control-GIC", "family": "generative", "status": "ok",
        "dataset": "kodak", "resolution": "native", "weights": "pretrained", "blanks": "{}",
        "dists_card": "card",
    }  # fmt: skip
    frame = pd.DataFrame(rows).assign(**constants, rate_index=range(len(rows)))
    lines = chosen_lines(frame, "dists", Path("results"))
    assert lines[0].startswith("# 3 of 4 granularities")
    ids = [line.split('"')[1] for line in lines[1:]]
    assert ids == ["f0-m50-c50", "f10-m80-c10", "f100-m0-c0"]
    assert "options = { fine = 0.1, medium = 0.8, coarse = 0.1 }" in lines[2]


@pytest.fixture
def one_photograph(tmp_path):
    """A folder with a photograph of 80 x 64."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(skimage.data.astronaut()).crop((160, 60, 240, 124)).save(folder / "face.png")
    return folder


def test_the_search_is_a_plan_of_ordinary_cases_that_stay_the_same(one_photograph):
    request = Request(codec=("control-gic",), dataset=(str(one_photograph),), weights="random")
    plans = [widened(prepare(request), grid(10)).plan for _ in range(2)]
    assert [rate.id for batch in plans[0].batches for rate in batch.rates] == [
        ratios.id for ratios in grid(10)
    ]
    first, second = ([case.id for b in plan.batches for case in b.cases] for plan in plans)
    assert first == second
    assert len(set(first)) == 66


def test_a_rate_point_of_the_manifest_is_the_same_case_in_the_search(one_photograph):
    request = Request(codec=("control-gic",), dataset=(str(one_photograph),), weights="random")
    ordinary, searched = (
        {case.id for batch in prepared.plan.batches for case in batch.cases}
        for prepared in (prepare(request), widened(prepare(request), grid(10)))
    )
    assert len(ordinary & searched) == len(SPEC.rates)


def search(one_photograph, results, *arguments):
    arguments = ["search", "--dataset", str(one_photograph), "--results", str(results), *arguments]
    return CliRunner().invoke(main, arguments)


def test_a_search_that_cannot_run_says_what_to_do_and_records_nothing(
    one_photograph, tmp_path, monkeypatch
):
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told = search(one_photograph, tmp_path / "results")
    assert told.exit_code == 1
    assert "run 'harness" in told.output
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["--step", "30"], "does not divide 100 %"), (["--metric", "dist"], "did you mean dists")],
)
def test_an_impossible_search_is_refused(one_photograph, tmp_path, arguments, problem):
    told = search(one_photograph, tmp_path, *arguments)
    assert told.exit_code == 1
    assert problem in told.output


@pytest.mark.parametrize("page", ["docs/baselines.md", "adapters/control_gic/README.md"])
def test_the_search_has_the_options_that_the_documents_show(page):
    shown = re.findall(r"python adapters/control_gic search ([^`\n]*)", (ROOT / page).read_text())
    known = {option for parameter in main.commands["search"].params for option in parameter.opts}
    assert shown
    assert {word for line in shown for word in line.split() if word.startswith("--")} <= known


@needs_checkout
@pytest.mark.parametrize("mode", Mode)
def test_the_streams_are_the_files_that_upstream_writes(mode, tmp_path):
    sys.path.insert(0, str(CHECKOUT))
    try:
        coding = importlib.import_module("CGIC.tools.indices_coding")
        mask_coding = importlib.import_module("CGIC.tools.mask_coding")
    finally:
        sys.path.remove(str(CHECKOUT))
    huffman = coding.HuffmanCoding({str(n): np.array(20 - n) for n in range(5)})
    masks = mask_coding.BinaryCoding()
    tile = a_tile(mode)
    ours = write(mode, 48, 80, [tile], Codebook(huffman.codes, huffman.reverse_mapping))
    theirs = ours[:5]
    for name in stored_masks(mode):
        mask = getattr(tile, name).astype(int)
        theirs += Path(masks.compress(mask.flatten(), tmp_path / name)).read_bytes()
    for name, pitch in (("coarse", 4), ("medium", 2), ("fine", 1)):
        chosen = tile.indices[::pitch, ::pitch][getattr(tile, name)]
        theirs += Path(huffman.compress(chosen, tmp_path / "indices")).read_bytes()
    assert ours == theirs


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a worker, and loads a rate point in it."""
    log = tmp_path_factory.mktemp("log") / "log"

    def start():
        return choose(SPEC).worker(log, 1, LIMITS, reads=[CHECKOUT])

    def load(worker, ratios=(0.5, 0.4, 0.1), files=None):
        options = dict(zip(("fine", "medium", "coarse"), ratios, strict=True))
        weights = "pretrained" if files else "random"
        worker.load(rate_fields("any", options, weights, files or {}, CHECKOUT))

    return start, load


@needs_network
@pytest.mark.slow
def test_a_photograph_travels_as_bytes_between_processes_in_every_mode(start):
    start, load = start
    photograph = np.ascontiguousarray(skimage.data.astronaut()[60:100, 100:190])
    ratios = [(0.3, 0.3, 0.4), (0.5, 0.5, 0), (0.6, 0, 0.4), (0, 0.7, 0.3), (0, 0, 1), (0, 1, 0)]
    ratios.append((1, 0, 0))
    with start() as encoder:
        encoder.open(SPEC.folder, SPEC.entry, {**SPEC.options, "tile": 48}, "cpu")
        streams, images = [], []
        for one in ratios:
            load(encoder, one)
            streams.append(encoder.encode(photograph)[0])
            images.append(encoder.decode(streams[-1])[0])
    assert [Mode(stream[0] & 7) for stream in streams] == list(Mode)
    with start() as decoder:
        decoder.open(SPEC.folder, SPEC.entry, {**SPEC.options, "tile": 48}, "cpu")
        load(decoder)
        for stream, image in zip(streams, images, strict=True):
            decoded = decoder.decode(stream)[0]
            assert decoded.shape == photograph.shape
            np.testing.assert_array_equal(decoded, image)
        assert len({image.tobytes() for image in images}) == len(ratios)
        with pytest.raises(WorkerFailure, match="cut or damaged"):
            decoder.decode(streams[0][:-7])


@needs_network
@pytest.mark.slow
def test_a_search_with_random_weights_is_recorded_once_and_chooses_nothing(
    one_photograph, tmp_path
):
    arguments = ("--step", "100", "--weights", "random", "--threads", "1")
    told = search(one_photograph, tmp_path / "results", *arguments)
    assert told.output.splitlines()[-1] == RANDOM
    before = load_results(tmp_path / "results")
    assert list(before["rate"]) == ["f0-m0-c100", "f0-m100-c0", "f100-m0-c0"]
    assert before["bpp"].is_monotonic_increasing
    again = search(one_photograph, tmp_path / "results", *arguments)
    assert "3 of 3 cases are measured" in again.output
    pd.testing.assert_frame_equal(load_results(tmp_path / "results"), before)


@needs_network
def test_a_file_that_is_not_a_checkpoint_is_refused_by_its_path(start, tmp_path):
    start, load = start
    path = tmp_path / "wrong.ckpt"
    path.write_bytes(b"not found")
    with start() as worker:
        worker.open(SPEC.folder, SPEC.entry, SPEC.options, "cpu")
        with pytest.raises(WorkerFailure, match=f"{path} is not a checkpoint") as told:
            load(worker, files={"model.ckpt": path})
    assert told.value.status == "unavailable"

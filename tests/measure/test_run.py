"""A run records how each case ended, loses nothing, and doubles nothing."""

import importlib.util
import json
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError
from harness.measure.observer import Observer
from harness.measure.runner import Work
from harness.measure.scoring import Scoring
from harness.metrics.base import Score
from harness.metrics.scorer import Scorer
from harness.plan.prepare import prepare
from harness.plan.request import Request
from harness.store.run_store import RunStore
from tests.patience import HANG_SECONDS

FAULTS = [
    ("crashes", "crashed", "SIGSEGV"),
    ("crashes-decoding", "crashed", "SIGSEGV"),
    ("exits", "crashed", "exit"),
    ("hangs", "timeout", "encode"),
    ("hangs-decoding", "timeout", "decode"),
    ("eats-memory", "out_of_memory", "host"),
    ("raises", "failed", "exception"),
    ("refuses", "unavailable", "image"),
    ("unavailable", "unavailable", "missing"),
    ("lies-about-shape", "wrong_output", "shape"),
    ("wrong-dtype", "wrong_output", "dtype"),
    ("returns-nothing", "wrong_output", "type"),
    ("returns-text", "wrong_output", "type"),
    ("leaks-and-raises", "failed", "outside_bytes"),
    ("leaks-and-grays", "wrong_output", "outside_bytes"),
]


class Counting(Observer):
    """Counts what a run had to do."""

    def __init__(self):
        self.measured = 0
        self.scores = 0
        self.notes = []

    def case(self, record):
        self.measured += 1

    def scored(self, cases):
        self.scores += cases

    def note(self, text):
        self.notes.append(text)


def measure(folder, photographs, codec, **options):
    defaults = {"metric": ["psnr"], "rate": ["bits5"], "threads": 1, "timeout": HANG_SECONDS}
    return harness.run(codec, str(photographs), results=folder, **{**defaults, **options})


@pytest.mark.parametrize(("codec", "status", "reason"), FAULTS)
def test_each_way_to_fail_is_distinguished(tmp_path, photographs, codec, status, reason):
    limits = {"timeout": 3.0} if status == "timeout" else {"memory_limit": 0.5}
    frame = measure(tmp_path, photographs, codec, limit=2, **limits)
    assert list(frame["status"]) == [status] * 2
    assert list(frame["reason"]) == [reason] * 2
    assert frame["message"].str.len().min() > 10
    assert frame["psnr"].isna().all()
    if status != "unavailable":
        assert frame["message"].str.contains("log: ").all()


def test_one_bad_case_affects_no_other(tmp_path, photographs):
    codecs = ["crashes-on-portraits", "well-behaved", "raises"]
    frame = measure(tmp_path, photographs, codecs)
    of = dict(list(frame.groupby("codec")))
    portraits = of["crashes-on-portraits"]["height"] > of["crashes-on-portraits"]["width"]
    assert portraits.any()
    assert not portraits.all()
    assert ((of["crashes-on-portraits"]["status"] == "crashed") == portraits).all()
    assert (of["well-behaved"]["status"] == "ok").all()
    assert (of["raises"]["status"] == "failed").all()


def test_a_nondeterministic_bitstream_is_recorded(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "nondeterministic,well-behaved", limit=1)
    of = frame.set_index("codec")
    assert not of.loc["nondeterministic", "deterministic"]
    assert "not deterministic" in of.loc["nondeterministic", "message"]
    assert of.loc["well-behaved", "deterministic"]


def test_what_a_codec_prints_goes_to_its_log(tmp_path, photographs, capfd):
    frame = measure(tmp_path, photographs, "prints", limit=1)
    assert list(frame["status"]) == ["ok"]
    assert "progress" not in capfd.readouterr().out
    logs = [path.read_text() for path in (tmp_path / "default" / "logs").rglob("*.log")]
    assert any("progress: 50 %" in text for text in logs)


def test_the_same_command_again_recomputes_nothing(tmp_path, photographs):
    first, second = Counting(), Counting()
    before = measure(tmp_path, photographs, "well-behaved", observer=first)
    after = measure(tmp_path, photographs, "well-behaved", observer=second)
    assert first.measured == len(before) == 3
    assert second.measured == second.scores == 0
    assert before.equals(after)


def test_a_failed_case_is_tried_again(tmp_path, photographs):
    measure(tmp_path, photographs, "raises")
    again = Counting()
    measure(tmp_path, photographs, "raises", observer=again)
    assert again.measured == 3


def test_an_unavailable_codec_is_recorded_once(tmp_path, photographs, monkeypatch):
    observer = Counting()
    measure(tmp_path, photographs, "tiny-network", rate=[], observer=observer)
    assert observer.measured > 0
    again = Counting()
    frame = measure(tmp_path, photographs, "tiny-network", rate=[], observer=again)
    assert set(frame["status"]) == {"unavailable"}
    assert again.measured == 0


def test_more_repeats_measure_again_and_fewer_do_not(tmp_path, photographs):
    measure(tmp_path, photographs, "well-behaved", repeats=6)
    fewer, more = Counting(), Counting()
    measure(tmp_path, photographs, "well-behaved", repeats=5, observer=fewer)
    frame = measure(tmp_path, photographs, "well-behaved", repeats=7, observer=more)
    assert (fewer.measured, more.measured) == (0, 3)
    assert [len(samples) for samples in frame["encode_samples_ms"]] == [7, 7, 7]
    assert frame["psnr"].notna().all()


def test_a_new_metric_needs_no_new_encode(tmp_path, photographs):
    measure(tmp_path, photographs, "well-behaved", metric=["psnr"])
    observer = Counting()
    frame = measure(tmp_path, photographs, "well-behaved", metric=["ms_ssim"], observer=observer)
    assert observer.measured == 0
    assert observer.scores == 3
    assert frame["psnr"].notna().all()
    assert frame["ms_ssim"].notna().all()


def test_without_kept_reconstructions_a_new_metric_measures_again(tmp_path, photographs):
    measure(tmp_path, photographs, "well-behaved", metric=["psnr"], keep="none")
    assert not list((tmp_path / "default").rglob("*.png"))
    same, new = Counting(), Counting()
    measure(tmp_path, photographs, "well-behaved", metric=["psnr"], keep="none", observer=same)
    assert same.measured == 0
    frame = measure(tmp_path, photographs, "well-behaved", metric=["psnr", "ms_ssim"], observer=new)
    assert new.measured == 3
    assert frame["ms_ssim"].notna().all()


def test_a_reconstruction_that_cannot_be_read_is_measured_again(tmp_path, photographs):
    measure(tmp_path, photographs, "well-behaved", metric=["psnr"])
    victim = min((tmp_path / "default" / "reconstructions").rglob("*.png"))
    victim.write_bytes(victim.read_bytes()[:100])
    damaged, healed = Counting(), Counting()
    options = {"metric": ["psnr", "ms_ssim"]}
    frame = measure(tmp_path, photographs, "well-behaved", **options, observer=damaged)
    assert any(str(victim) in note for note in damaged.notes)
    assert damaged.measured == 1, "by the run that found it"
    assert frame["ms_ssim"].notna().all()
    again = measure(tmp_path, photographs, "well-behaved", **options, observer=healed)
    assert (healed.measured, healed.scores, healed.notes) == (0, 0, [])
    assert again.equals(frame)


def test_changed_settings_are_other_cases(tmp_path, photographs):
    one = measure(tmp_path, photographs, "well-behaved", threads=1)
    two = measure(tmp_path, photographs, "well-behaved", threads=2)
    assert not set(one["case"]) & set(two["case"])


def test_a_progressive_codec_encodes_once_for_all_rate_points(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "bit-planes", rate=[], limit=1)
    frame = frame.sort_values("rate_index")
    assert (frame["status"] == "ok").all()
    assert frame["shared_encode"].all()
    assert frame["encode_ms"].nunique() == 1
    assert frame["bytes"].is_monotonic_increasing
    assert frame["psnr"].is_monotonic_increasing
    files = (tmp_path / "default" / "bitstreams").rglob("*.bin")
    streams = sorted((path.read_bytes() for path in files), key=len)
    assert [len(stream) for stream in streams] == list(frame["bytes"])
    assert all(streams[-1].startswith(stream) for stream in streams)


def test_random_weights_run_and_are_never_scored(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "tiny-network", rate=[], limit=1, weights="random")
    assert set(frame["status"]) == {"ok"}
    assert set(frame["weights"]) == {"random"}
    assert frame["psnr"].isna().all()
    assert (frame["parameters"] > 0).all()
    assert (frame["flops"] > 0).all()


def test_rates_are_of_the_bytes_that_were_written(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "well-behaved")
    written = {p.stat().st_size for p in (tmp_path / "default" / "bitstreams").rglob("*.bin")}
    assert written == set(frame["bytes"])
    assert (frame["bpp"] == 8 * frame["bytes"] / (frame["height"] * frame["width"])).all()


def test_memory_and_time_are_those_of_the_calls(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "well-behaved", repeats=5)
    for which in ("encode", "decode"):
        samples = frame[f"{which}_samples_ms"].map(sorted)
        assert (samples.map(lambda s: s[2]) == frame[f"{which}_ms"]).all()
        assert frame[f"{which}_peak_rss_bytes"].between(10 << 20, 4 << 30).all()


def test_a_resolution_that_does_not_fit_is_skipped_and_said(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "well-behaved", resolution="64x96,native")
    small = frame[frame["resolution"] == "64x96"]
    assert {tuple(sorted(s)) for s in zip(small["height"], small["width"], strict=True)} == {
        (64, 96)
    }
    with pytest.raises(HarnessError, match="smaller than 2160x3840"):
        measure(tmp_path, photographs, "well-behaved", resolution="2160x3840")


def test_the_manifest_says_what_was_asked_on_which_machine(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "well-behaved", repeats=2)
    path = tmp_path / "default" / "runs" / f"{frame['invocation'].iloc[0]}.json"
    manifest = json.loads(path.read_text())
    assert manifest["request"]["repeats"] == 2
    assert manifest["machine"]["hardware"]["cpu"]
    assert manifest["machine"]["packages"]["numpy"]
    assert set(manifest["codecs"]) == {"well-behaved"}


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path, photographs):
    with pytest.raises(HarnessError, match="did you mean well-behaved"):
        measure(tmp_path, photographs, "well-behave")
    with pytest.raises(HarnessError, match="did you mean bits5"):
        measure(tmp_path, photographs, "well-behaved", rate=["bits55"])
    with pytest.raises(HarnessError, match="did you mean psnr"):
        measure(tmp_path, photographs, "well-behaved", metric=["psnrr"])
    with pytest.raises(TypeError, match="repeat"):
        measure(tmp_path, photographs, "well-behaved", repeat=3)


def test_underscores_stand_for_hyphens(tmp_path, photographs):
    frame = measure(tmp_path, photographs, "well_behaved", limit=1)
    assert set(frame["codec"]) == {"well-behaved"}


def test_a_codec_can_be_used_from_python(photographs):
    from harness.images.files import read_image

    image = read_image(min(photographs.glob("*.png")))
    with harness.load_codec("well-behaved", rate="bits8") as codec:
        decoded = codec.decode(codec.encode(image))
    assert (decoded == image).all()


def test_a_failure_in_python_is_an_exception_and_the_codec_stays_usable(photographs):
    from harness.codec import CodecError
    from harness.images.files import read_image

    image = read_image(min(photographs.glob("*.png")))
    with harness.load_codec("well-behaved", rate="bits8") as codec:
        stream = codec.encode(image)
        with pytest.raises(CodecError, match="well-behaved"):
            codec.decode(stream[: len(stream) // 2])
        assert (codec.decode(stream) == image).all()


@pytest.fixture
def checkpoints(tmp_path):
    """Two checkpoints of one name, in two folders, with different weights."""
    import torch

    paths = []
    for number in range(2):
        path = tmp_path / f"run{number}" / "best.pt"
        path.parent.mkdir()
        torch.manual_seed(number)
        layers = {"analysis": torch.nn.Conv2d(3, 12, 8, 8)}
        layers["synthesis"] = torch.nn.ConvTranspose2d(12, 3, 8, 8)
        torch.save(torch.nn.ModuleDict(layers).state_dict(), path)
        paths.append(path)
    return paths


def test_checkpoints_of_one_name_are_distinguished_by_their_hash(
    tmp_path, photographs, checkpoints
):
    codecs = [f"tiny-network@{path}" for path in checkpoints]
    frame = measure(tmp_path, photographs, codecs, rate=[], limit=1)
    assert set(frame["status"]) == {"ok"}
    assert frame["checkpoint"].nunique() == 2
    assert frame["checkpoint"].str.startswith("best.pt:").all()
    assert frame.groupby("rate")["psnr"].nunique().eq(2).all()


def test_weights_that_are_not_the_published_ones_do_not_run(tmp_path, photographs, monkeypatch):
    folder = tmp_path / "adapters" / "pinned"
    folder.mkdir(parents=True)
    source = Path(__file__).parents[1] / "fixtures" / "adapters" / "tiny_network"
    (folder / "codec.py").write_text((source / "codec.py").read_text())
    manifest = (source / "codec.toml").read_text().replace('"tiny-network"', '"pinned"')
    manifest = manifest.replace(
        'file = "tiny_network.pt"', f'file = "tiny_network.pt"\nsha256 = "{"0" * 64}"'
    )
    (folder / "codec.toml").write_text(manifest)
    (folder / "tiny_network.pt").write_bytes(b"half of the file")
    monkeypatch.setenv("HARNESS_ADAPTERS", str(tmp_path / "adapters"))
    frame = measure(tmp_path, photographs, "pinned", rate=[], limit=1)
    assert set(frame["status"]) == {"unavailable"}
    assert frame["message"].str.contains("truncated or of another version").all()


def test_after_an_upgrade_of_a_metric_s_package_the_same_command_scores_again(
    tmp_path, photographs, monkeypatch
):
    def run():
        seen = Counting()
        frame = measure(tmp_path / "results", photographs, "well-behaved", metric="psnr,ms_ssim",
                        observer=seen)  # fmt: skip
        return frame, seen

    before, _ = run()
    _, again = run()
    assert (again.measured, again.scores) == (0, 0)
    newer = tmp_path / "site" / "pytorch_msssim-99.0.dist-info"
    newer.mkdir(parents=True)
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: pytorch-msssim\nVersion: 99.0\n")
    monkeypatch.syspath_prepend(str(newer.parent))
    after, upgraded = run()
    assert upgraded.measured == 0
    assert upgraded.scores == len(before)
    assert set(after["ms_ssim_card"]).isdisjoint(before["ms_ssim_card"])
    assert list(after["ms_ssim"]) == list(before["ms_ssim"])
    assert list(after["psnr_card"]) == list(before["psnr_card"])
    _, again = run()
    assert (again.measured, again.scores) == (0, 0)


def test_a_value_stays_where_its_metric_can_no_longer_be_computed(
    tmp_path, photographs, monkeypatch
):
    def run():
        return measure(tmp_path, photographs, "well-behaved", limit=1, metric="psnr,ms_ssim")

    before = run()
    monkeypatch.setattr("importlib.util.find_spec", without("pytorch_msssim"))
    after = run()
    assert list(after["ms_ssim"]) == list(before["ms_ssim"])
    assert list(after["blanks"]) == ["{}"]


def without(module):
    """``find_spec`` of a machine on which a module is not installed."""
    find = importlib.util.find_spec
    return lambda name, *rest: None if name == module else find(name, *rest)


def test_a_passing_blank_hides_no_value_of_an_earlier_card(tmp_path, photographs):
    class Exhausted(Scorer):
        """Runs out of memory on every image, as a small GPU may."""

        def score(self, reference, image):
            reason = "out of memory on cuda"
            return dict.fromkeys(super().score(reference, image), Score(None, reason, final=False))

    before = measure(tmp_path, photographs, "well-behaved", limit=1, metric="psnr")
    request = Request(
        codec=["well-behaved"], dataset=[str(photographs)], rate=["bits5"], limit=1,
        metric=["psnr", "ms_ssim"], threads=1, timeout=HANG_SECONDS, results=tmp_path,
    )  # fmt: skip
    work = Work(prepare(request), RunStore(request.folder), Observer())
    pending = work.unscored()
    assert len(pending) == 1
    scorer = Exhausted(["psnr", "ms_ssim"])
    Scoring(work.store, scorer, work.images, work.observer).score(pending)
    after = harness.load_results(tmp_path)
    assert list(after["psnr"]) == list(before["psnr"])
    assert json.loads(after["blanks"].item()) == {"ms_ssim": "out of memory on cuda"}


def test_a_log_that_cannot_be_written_ends_the_run_with_its_name(tmp_path, photographs):
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "logs").write_text("in the way of the folder")
    with pytest.raises(HarnessError, match=r"the log .*/logs/.* cannot be written") as caught:
        measure(tmp_path, photographs, "well-behaved", limit=1)
    assert "choose a writable folder" in caught.value.remedy

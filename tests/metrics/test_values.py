import math

import numpy as np
import pytest
import torch

from harness.catalog.metrics import METRICS
from harness.errors import HarnessError, UnknownName
from harness.metrics import Scorer
from harness.metrics.dists import Dists
from harness.metrics.lpips import Lpips
from harness.metrics.perceptual import Perceptual
from harness.metrics.vgg import Vgg16

FULL_REFERENCE = [name for name, metric in METRICS.items() if metric.needs_reference]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scorer(vgg_tensors):
    return Scorer(FULL_REFERENCE)


def values(scores):
    return {name: score.value for name, score in scores.items()}


@pytest.mark.metric_weights
@pytest.mark.parametrize("box", [(256, 320), (333, 201), (211, 162)])
@pytest.mark.parametrize("quality", [5, 60])
def test_values_equal_the_packages_own(scorer, packages, photograph, box, quality, jpeg):
    original = photograph[: box[0], : box[1]]
    decoded = jpeg(original, quality)
    scores = values(scorer.score(scorer.reference(original), decoded))
    for name, package in packages.items():
        assert scores[name] == pytest.approx(package(original, decoded), abs=1e-5)


@pytest.mark.metric_weights
@pytest.mark.parametrize("box", [(16, 16), (17, 31), (40, 23)])
def test_small_images_score_as_the_packages_do(scorer, packages, photograph, box, jpeg):
    original = photograph[200 : 200 + box[0], 200 : 200 + box[1]]
    decoded = jpeg(original, 30)
    scores = values(scorer.score(scorer.reference(original), decoded))
    for name in ("lpips", "dists"):
        assert scores[name] == pytest.approx(packages[name](original, decoded), abs=1e-5)


@pytest.mark.metric_weights
def test_one_reference_serves_many_images(scorer, photograph, jpeg):
    photograph = photograph[:256, :256]
    reference = scorer.reference(photograph)
    decoded = [jpeg(photograph, quality) for quality in (10, 50, 90)]
    shared = [values(scorer.score(reference, image)) for image in decoded]
    alone = [values(scorer.score(scorer.reference(photograph), image)) for image in decoded]
    assert shared == alone
    assert shared[0]["psnr"] < shared[1]["psnr"] < shared[2]["psnr"]
    assert shared[0]["dists"] > shared[1]["dists"] > shared[2]["dists"]


@pytest.mark.metric_weights
@pytest.mark.parametrize("shape", [(262, 150), (259, 101), (130, 77)])
@pytest.mark.parametrize("kept_bytes", [1 << 30, 8 << 20, 0])
def test_strips_and_forgotten_features_change_no_value(
    vgg_tensors, photograph, shape, kept_bytes, jpeg
):
    original = photograph[: shape[0], : shape[1]]
    decoded = jpeg(original, 20)

    def scores(strip_bytes, kept_bytes):
        heads = [Lpips(CPU), Dists(CPU)]
        with torch.inference_mode():
            perceptual = Perceptual(heads, Vgg16(vgg_tensors, CPU, strip_bytes), kept_bytes)
            return values(perceptual.score(perceptual.prepare(original), decoded))

    assert scores(1, kept_bytes) == pytest.approx(scores(1 << 30, 1 << 30), abs=1e-6)


@pytest.mark.metric_weights
def test_equal_images_have_the_best_values(scorer, photograph):
    scores = values(scorer.score(scorer.reference(photograph), photograph.copy()))
    assert scores["psnr"] == math.inf
    for name, value in scores.items():
        assert value == pytest.approx(METRICS[name].best, abs=1e-6)


@pytest.mark.metric_weights
def test_flat_images_have_finite_values(scorer):
    black, white = (np.full((176, 176, 3), level, np.uint8) for level in (0, 255))
    scores = values(scorer.score(scorer.reference(black), white))
    assert scores["psnr"] == 0
    assert all(math.isfinite(value) for value in scores.values())


def test_ms_ssim_is_blank_under_161_pixels(photograph, jpeg):
    scorer = Scorer(["ms_ssim"])
    for side, blank in ((160, True), (161, False)):
        image = photograph[:side, :300]
        score = scorer.score(scorer.reference(image), jpeg(image, 50))["ms_ssim"]
        assert (score.value is None) == blank
        assert score.reason == ("undefined under 161 pixels" if blank else None)


@pytest.mark.metric_weights
def test_one_pixel_has_psnr_and_dists_and_reasons_for_the_rest(scorer):
    pixel = np.full((1, 1, 3), 100, np.uint8)
    scores = scorer.score(scorer.reference(pixel), pixel + 10)
    assert scores["psnr"].value == pytest.approx(20 * math.log10(255 / 10))
    assert scores["dists"].value is not None
    assert scores["lpips"].reason == "undefined under 16 pixels"
    assert scores["ms_ssim"].reason == "undefined under 161 pixels"


def test_psnr_counts_all_samples_at_8_bits(photograph):
    decoded = photograph.copy()
    decoded[0, 0, 0] ^= 1
    scorer = Scorer(["psnr"])
    expected = 10 * math.log10(255**2 * photograph.size)
    score = scorer.score(scorer.reference(photograph), decoded)["psnr"]
    assert score.value == pytest.approx(expected, abs=1e-9)


def test_images_of_another_size_or_type_are_refused(photograph):
    scorer = Scorer(["psnr"])
    with pytest.raises(HarnessError, match="512x256 pixels cannot be scored against 512x512"):
        scorer.score(scorer.reference(photograph), photograph[:256])
    with pytest.raises(HarnessError, match="not float64 512 x 512 x 3"):
        scorer.reference(photograph / 255)
    with pytest.raises(HarnessError, match="not uint8 512 x 512"):
        scorer.reference(photograph[:, :, 0])


def test_an_unknown_metric_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownName, match="did you mean ms_ssim"):
        Scorer(["ms-ssim"])
    with pytest.raises(UnknownName, match="unknown metric 'vmaf'"):
        Scorer.availability("vmaf")


def test_an_unusable_device_is_refused_by_name():
    with pytest.raises(HarnessError, match="device 'abacus' cannot be used"):
        Scorer(["psnr"], device="abacus")


@pytest.mark.cuda
@pytest.mark.metric_weights
def test_a_gpu_gives_the_same_values(scorer, photograph, jpeg):
    if not torch.cuda.is_available():
        pytest.skip("NOT CHECKED: no CUDA device")
    decoded = jpeg(photograph, 20)
    on_gpu = Scorer(FULL_REFERENCE, device="cuda")
    assert on_gpu.cards == scorer.cards
    gpu, cpu = (values(s.score(s.reference(photograph), decoded)) for s in (on_gpu, scorer))
    assert gpu == pytest.approx(cpu, abs=1e-5)

"""Real photographs, real weights, and the packages whose values ours must equal."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image as PilImage
from skimage import data

from harness.assets.networks import Tensors, WeightsUnavailable, load_network
from harness.codec import Image
from harness.metrics.vgg import VGG16


@pytest.fixture(scope="session")
def photograph() -> Image:
    """512 x 512 pixels of skin, cloth and metal."""
    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def jpeg() -> Callable[[Image, int], Image]:
    """What JPEG makes of an image at a quality."""

    def decoded(image: Image, quality: int) -> Image:
        file = io.BytesIO()
        PilImage.fromarray(image).save(file, "JPEG", quality=quality)
        return np.asarray(PilImage.open(file))

    return decoded


@pytest.fixture(scope="session")
def vgg_tensors() -> Tensors:
    try:
        return load_network(VGG16)
    except WeightsUnavailable as reason:
        pytest.skip(f"NOT CHECKED: {reason}")


@pytest.fixture(scope="session")
def packages(vgg_tensors: Tensors) -> dict[str, Callable[[Image, Image], float]]:
    """The packages' own metrics; only torchvision's download is replaced by our weights."""
    trunk = torchvision.models.vgg16(weights=None)
    state = {n.removeprefix("features."): torch.from_numpy(t) for n, t in vgg_tensors.items()}
    trunk.features.load_state_dict(state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchvision.models, "vgg16", lambda **_: trunk)
        import DISTS_pytorch
        import lpips

        lpips_model = lpips.LPIPS(net="vgg", verbose=False)
        dists_model = DISTS_pytorch.DISTS()
    from pytorch_msssim import ms_ssim

    def tensor(image: Image) -> torch.Tensor:
        return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()

    def calling(
        metric: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> Callable[[Image, Image], float]:
        def value(reference: Image, image: Image) -> float:
            with torch.no_grad():
                return metric(tensor(reference), tensor(image)).item()

        return value

    return {
        "lpips": calling(lambda a, b: lpips_model(a / 127.5 - 1, b / 127.5 - 1)),
        "dists": calling(lambda a, b: dists_model(a / 255, b / 255)),
        "ms_ssim": calling(lambda a, b: ms_ssim(a, b, data_range=255)),
    }
